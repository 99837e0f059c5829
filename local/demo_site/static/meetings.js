// What was booked, and what everybody answered.

import { confirm } from "./dialogs.js";
import { h } from "./dom.js";
import { dayAndSpan } from "./times.js";

export const ANSWERS = {
  needs_action: ["…", "has not answered yet"],
  accepted: ["✓", "accepted"],
  declined: ["✗", "declined"],
  tentative: ["~", "may come"],
  unknown: ["?", "answer unknown"],
};

const DELIVERY = { refused: "mail was refused", bounced: "mail bounced", complained: "called the mail spam" };

export function meetings({ meetings, people }, actions) {
  if (meetings.length === 0) return h("p", { class: "soft" }, "Nothing is booked yet. Choose a free time in the week.");
  const names = new Map(people.map((person) => [person.sub, person.name]));
  return h("ul", { class: "meetings" }, meetings.map((meeting) => card(meeting, names, actions)));
}

function card(meeting, names, actions) {
  return h(
    "li",
    { class: "meeting" },
    h("h3", {}, meeting.title),
    h("p", {}, dayAndSpan(meeting.start, meeting.end)),
    h("ul", { class: "answers" }, meeting.participants.map((participant) => answer(meeting, participant, names, actions))),
    h(
      "button",
      { "data-key": `cancel-${meeting.id}`, "aria-label": `Cancel meeting ${meeting.title}`, click: () => ask(meeting, actions.cancel) },
      "Cancel meeting",
    ),
  );
}

function answer(meeting, participant, names, { move }) {
  const [sign, words] = ANSWERS[participant.status] ?? ANSWERS.unknown;
  const { proposal } = participant;
  return h(
    "li",
    { class: participant.status },
    h("span", { class: "sign", "aria-hidden": "true" }, sign),
    h(
      "span",
      {},
      `${names.get(participant.sub)} ${words}`,
      participant.delivery_status && ` (${DELIVERY[participant.delivery_status]})`,
      participant.comment && h("q", {}, participant.comment.trim()),
      proposal && h("span", { class: "proposal" }, `proposes ${dayAndSpan(proposal.start, proposal.end)} `),
      proposal && h("button", { "data-key": `move-${meeting.id}-${participant.sub}`, click: () => move(meeting, proposal) }, "Move the meeting there"),
    ),
  );
}

async function ask(meeting, cancel) {
  const sure = await confirm({
    heading: `Cancel ${meeting.title}?`,
    text: "Everybody who was invited gets a cancellation by mail, and is free again.",
    button: "Cancel meeting",
  });
  if (sure) cancel(meeting);
}
