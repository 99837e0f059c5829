// Everybody who is connected: who should meet, and who wants to leave.

import { confirm } from "./dialogs.js";
import { h } from "./dom.js";

const PROVIDERS = { google_free_busy: "Google Calendar", ms_graph_free_busy: "Microsoft 365" };

const UNREADABLE = {
  credential_revoked: "The calendar is no longer connected.",
  provider_unavailable: "The calendar's provider does not answer.",
};

/** Two letters over somebody's lane. */
export function initials(person) {
  const words = person.name.split("@")[0].split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return words.slice(0, 2).map((word) => word[0].toUpperCase()).join("") || "?";
}

export function welcome(picture) {
  return h(
    "section",
    { class: "welcome" },
    h("img", { src: "/static/picture.svg", alt: "", width: "320", height: "84" }),
    h("h2", {}, "When does everybody have time?"),
    h("p", {}, "Connect two calendars to see when their owners are free together, pick a time, and invite them."),
    h("p", {}, "This application learns when somebody is busy, and never with what."),
    connect("Connect a calendar"),
    hint(madeUp(picture.simulated)),
  );
}

export function people({ people, without, room }, { toggle, disconnect }) {
  const cards = people.map((person) =>
    h(
      "li",
      { class: "person" },
      h(
        "label",
        {},
        h("input", {
          type: "checkbox",
          checked: !without.includes(person.sub),
          "data-key": `count-${person.sub}`,
          change: (event) => toggle(person.sub, event.target.checked),
        }),
        h("span", { class: "initials", "aria-hidden": "true" }, initials(person)),
        h("span", { class: "name" }, person.name, h("small", {}, PROVIDERS[person.provider] ?? person.provider)),
      ),
      h(
        "button",
        {
          class: "quiet",
          "data-key": `disconnect-${person.sub}`,
          "aria-label": `Disconnect ${person.name}`,
          title: `Disconnect ${person.name}`,
          click: () => ask(person, disconnect),
        },
        "×",
      ),
      person.unreadable && trouble(person),
    ),
  );
  const more = people.length < room && h("li", {}, (people.length > 1 ? connect("Connect another", "") : connect("Connect a second calendar")));
  return h("ul", { class: "people" }, cards, more);
}

/** What is not real here, said on the page itself. */
export function footnote(simulated) {
  const places = madeUp(simulated);
  return h(
    "p",
    {},
    places && `Made-up people are at the simulated providers, ${places}; this demo gave them their calendars. `,
    "Mail is simulated: it goes no further than the inbox on this page.",
  );
}

const PROVIDER_NAMES = { google: "Google", microsoft: "Microsoft" };

function connect(text, importance = "primary") {
  return h("a", { class: `button ${importance}`, href: "/connect", "data-key": "connect" }, text);
}

function hint(places) {
  return (
    places &&
    h(
      "p",
      { class: "soft" },
      `No calendar at hand? The providers are simulated on this machine, and made-up people with full calendars wait at their sign-in pages: ${places}.`,
    )
  );
}

/** Who waits where; nothing where providers are real. */
function madeUp(simulated) {
  return sentence(Object.entries(simulated).map(([provider, people]) => `${sentence(people)} at ${PROVIDER_NAMES[provider]}`));
}

function trouble(person) {
  return h(
    "p",
    { class: "trouble" },
    `${UNREADABLE[person.unreadable] ?? "The calendar cannot be read."} Until it can be read again, ${person.name} never counts as free. `,
    person.relink_url && h("a", { href: person.relink_url, target: "_blank", rel: "noreferrer" }, "Connect it again"),
  );
}

async function ask(person, disconnect) {
  const sure = await confirm({
    heading: `Disconnect ${person.name}?`,
    text: "This application will no longer see when they are busy. Meetings that are booked stay booked.",
    button: "Disconnect",
  });
  if (sure) disconnect(person);
}

export function sentence(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
