// Everybody's mail, as a mail client shows it.

import { proposalFor } from "./dialogs.js";
import { h } from "./dom.js";
import { day, dayAndSpan, time } from "./times.js";

const TOLD = { ACCEPTED: "You accepted.", DECLINED: "You declined.", TENTATIVE: "You may come.", PROPOSED: "You proposed another time.", "NEEDS-ACTION": "Will you come?" };

/** Invitations that wait for an answer. */
const waiting = (letters) => letters.filter(({ event }) => event?.current && event.answer === "NEEDS-ACTION").length;

export function inbox({ letters, people, inboxOf, opened }, actions) {
  const theirs = (person) => letters.filter((letter) => letter.to === person.email.toLowerCase());
  const reader = people.find((person) => person.sub === inboxOf) ?? people[0];
  return [
    h(
      "div",
      { class: "readers", role: "group", "aria-label": "Whose inbox" },
      people.map((person) => {
        const count = waiting(theirs(person));
        return h(
          "button",
          { "aria-pressed": String(person === reader), "data-key": `inbox-${person.sub}`, click: () => actions.read(person.sub) },
          person.name,
          count > 0 && h("span", { class: "count" }, String(count), h("span", { class: "unseen" }, " to answer")),
        );
      }),
    ),
    theirs(reader).length === 0
      ? h("p", { class: "soft" }, `No mail for ${reader.email} yet.`)
      : h("ol", { class: "letters" }, theirs(reader).map((letter) => item(letter, letter.id === opened, actions))),
  ];
}

function item(letter, open, actions) {
  const heading = h(
    "button",
    { class: "letter", "aria-expanded": String(open), "data-key": `letter-${letter.id}`, click: () => actions.open(open ? null : letter.id) },
    h("span", { class: "from" }, letter.from.name || letter.from.email),
    h("time", { datetime: letter.received }, `${day(letter.received)}, ${time(letter.received)}`),
    h("span", { class: "subject" }, letter.subject),
  );
  return h("li", {}, heading, open && message(letter, actions));
}

function message(letter, actions) {
  return h(
    "div",
    { class: "message" },
    letter.event && invitation(letter, actions),
    letter.html
      ? h("iframe", { src: `/letters/${letter.id}`, sandbox: "", title: `Message: ${letter.subject}` })
      : h("pre", {}, letter.text),
  );
}

function invitation(letter, { answer }) {
  const { event } = letter;
  const when = h("strong", {}, dayAndSpan(event.start, event.end));
  if (event.method === "CANCEL") return h("p", { class: "event" }, when, " Cancelled: it is out of your calendar.");
  if (!event.current) return h("p", { class: "event" }, when, " A later message replaces this one.");
  const button = (text, click, given = {}) => h("button", { ...given, "data-key": `${text}-${letter.id}`, click }, text);
  const yesOrNo = (text, said, partstat) =>
    button(text, () => answer(letter, { answer: said }), { "aria-pressed": String(event.answer === partstat) });
  return h(
    "div",
    { class: "event" },
    h("p", {}, when, h("span", { class: "told" }, TOLD[event.answer])),
    h(
      "div",
      { class: "actions" },
      yesOrNo("Accept", "accept", "ACCEPTED"),
      yesOrNo("Decline", "decline", "DECLINED"),
      button("Propose another time", async () => {
        const proposal = await proposalFor(event);
        if (proposal) answer(letter, { answer: "propose", ...proposal });
      }),
    ),
  );
}
