// The week as a picture: one lane for each person, what they share in front of it, and a button for every start.

import { h } from "./dom.js";
import { ANSWERS } from "./meetings.js";
import { initials, sentence } from "./people.js";
import { date, day as shortDay, dayInFull, daysLater, hourOf, span, time, weekdayOf, zone } from "./times.js";

const LENGTHS = { 30: "30 minutes", 60: "1 hour", 90: "90 minutes", 120: "2 hours" };

export function controls({ week, minutes }, { turn, last }) {
  const button = (text, label, monday, key) =>
    h("button", { "aria-label": label, title: label, "data-key": key, disabled: monday < week.first || monday > week.last, click: () => turn(monday) }, text);
  return h(
    "div",
    { class: "controls" },
    h(
      "div",
      { class: "title" },
      h("h2", { id: "week-heading" }, `Week of ${date(`${week.monday}T12:00`)}`),
      h("p", { class: "soft" }, `Times in ${zone.replaceAll("_", " ")}`),
    ),
    h(
      "div",
      { class: "turn" },
      button("‹", "Previous week", daysLater(week.monday, -7), "previous"),
      h("button", { "data-key": "current", "aria-pressed": String(week.monday === week.current), click: () => turn(week.current) }, "This week"),
      button("›", "Next week", daysLater(week.monday, 7), "next"),
    ),
    h(
      "label",
      {},
      "Meeting of ",
      h(
        "select",
        { "data-key": "minutes", change: (event) => last(Number(event.target.value)) },
        Object.entries(LENGTHS).map(([value, text]) => h("option", { value, selected: Number(value) === minutes }, text)),
      ),
    ),
  );
}

/** On narrow screens, which show one day at a time. */
export function tabs({ days, chosen }, choose) {
  const tab = (day, number) =>
    h("button", { "aria-pressed": String(number === chosen), "data-key": `day-${number}`, click: () => choose(number) }, shortDay(day.start));
  return h("div", { class: "tabs", role: "group", "aria-label": "Day" }, days.map(tab));
}

export function legend() {
  const entry = (kind, text) => h("li", {}, h("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), text);
  return h(
    "ul",
    { class: "legend" },
    entry("shared", "everybody is free"),
    entry("busy", "busy"),
    entry("tentative", "tentative"),
    entry("unknown", "cannot be read"),
    entry("meeting", "booked here"),
  );
}

/** `chosen` is the number of the day that narrow screens show. */
export function days({ picture, without, chosen }, { pick, point }) {
  const asked = picture.people.filter((person) => !without.includes(person.sub));
  const who = new Map(picture.people.map((person) => [person.sub, person]));
  const columns = picture.days.map((day, number) => {
    const within = (each) => each.start < day.end && day.start < each.end;
    const starts = picture.starts.filter(within).map((start) => ({ ...start, shared: isShared(start, asked), who, taken: takenAt(start, picture) }));
    return { day, number, starts, within };
  });
  return h(
    "div",
    { class: "days", style: { "--lanes": String(picture.people.length) } },
    hours(picture.days[0]),
    columns.map((column) => dayColumn(column, picture, without, chosen, { pick, point })),
  );
}

const isShared = (start, asked) => asked.length > 0 && start.free?.length === asked.length;

function hours(day) {
  const marks = [];
  for (let at = new Date(day.start); at < new Date(day.end); at = new Date(at.getTime() + 3_600_000)) marks.push(h("span", {}, hourOf(at)));
  return h("div", { class: "clock", "aria-hidden": "true" }, marks);
}

function dayColumn({ day, number, starts, within }, picture, without, chosen, { pick, point }) {
  const place = placed(day);
  const today = new Date().toDateString() === new Date(day.start).toDateString();
  const lanes = picture.people.map((person) => {
    const busy = picture.busy[person.sub].filter(within).map((band) => h("i", { class: `band ${band.kind}`, style: place(band) }));
    const booked = picture.meetings.filter(within).flatMap((meeting) =>
      meeting.participants.filter(({ sub }) => sub === person.sub).map(({ status }) => bookedBand(meeting, status, place)),
    );
    return h("div", { class: `lane${without.includes(person.sub) ? " aside" : ""}` }, busy, booked);
  });
  return h(
    "section",
    { class: `day${number === chosen ? " chosen" : ""}${today ? " today" : ""}`, "aria-labelledby": `day-${number}` },
    h("h3", { id: `day-${number}` }, h("span", {}, weekdayOf(day.start)), ` ${new Date(day.start).getDate()}`, today && h("small", {}, " today")),
    h("div", { class: "lanes names", "aria-hidden": "true" }, picture.people.map((person) => h("span", { title: person.name }, initials(person)))),
    h(
      "div",
      { class: "hours" },
      h("div", { class: "lanes", "aria-hidden": "true" }, lanes),
      h("div", { "aria-hidden": "true" }, areas(starts).map((area) => h("div", { class: "area", style: place(area) }, h("span", {}, span(area.start, area.end))))),
      h("ol", { class: "starts" }, starts.map((start) => h("li", {}, button(start, pick, point, place)))),
      h("div", { class: "ghost", "aria-hidden": "true", hidden: true }),
    ),
  );
}

function bookedBand(meeting, status, place) {
  const [sign] = ANSWERS[status] ?? ANSWERS.unknown;
  return h("i", { class: `band meeting ${status}`, style: place(meeting) }, sign, h("span", {}, ` ${meeting.title}`));
}

/** Where something is within the hours of a day, as percentages. */
function placed(day) {
  const [from, until] = [new Date(day.start).getTime(), new Date(day.end).getTime()];
  const share = (moment) => Math.min(Math.max((new Date(moment).getTime() - from) / (until - from), 0), 1) * 100;
  return ({ start, end }) => ({ top: `${share(start)}%`, height: `${share(end) - share(start)}%` });
}

/** Starts at which everybody is free make areas, each up to the end of its last meeting. */
function areas(starts) {
  const found = [];
  for (const { start, end, shared } of starts) {
    if (!shared) continue;
    const last = found.at(-1);
    if (last && start <= last.end) last.end = end;
    else found.push({ start, end });
  }
  return found;
}

function button(start, pick, point, place) {
  const text = said(start);
  const element = h(
    "button",
    {
      class: `start${start.shared ? " free" : ""}${start.outside === "past" ? " past" : ""}`,
      "data-key": `start-${start.start}`,
      "aria-disabled": String(!start.shared),
      "aria-label": `${dayInFull(start.start)}, ${span(start.start, start.end)}. ${text}${start.shared ? " Book." : ""}`,
      tabindex: "-1",
      click: () => (start.shared ? pick(start) : point(start, text)),
      focus: () => aim(element, start, text, point, place),
      pointerenter: () => aim(element, start, text, point, place),
    },
  );
  return element;
}

function aim(element, start, text, point, place) {
  for (const ghost of document.querySelectorAll(".ghost")) ghost.hidden = true;
  const ghost = element.closest(".hours").querySelector(".ghost");
  ghost.hidden = Boolean(start.outside);
  ghost.classList.toggle("free", start.shared);
  for (const [key, value] of Object.entries(place(start))) ghost.style.setProperty(key, value);
  ghost.replaceChildren(h("span", {}, start.shared ? [h("b", {}, span(start.start, start.end)), " everybody is free"] : notFree(start)));
  point(start, text);
}

/** By the letters over the lanes, since there is not much room. */
const notFree = ({ kept = {}, who }) => `not free: ${Object.keys(kept).map((sub) => initials(who.get(sub))).join(", ") || "–"}`;

/** Who is free then, and what keeps the others. */
function said({ start, end, outside, free = [], kept = {}, shared, who, taken }) {
  if (outside === "past") return "That time is over.";
  if (outside === "late") return `A meeting then would end at ${time(end)}, after the hours shown.`;
  const those = (subs) => sentence(subs.map((sub) => who.get(sub).name));
  if (shared) return free.length > 1 ? `Everybody is free: ${those(free)}.` : `${those(free)} is free.`;
  const reasons = Object.entries(kept).map(([sub, causes]) => `${who.get(sub).name} ${sentence(causes.map((cause) => WHY[cause](taken(sub))))}.`);
  const others = free.length > 0 && `${those(free)} ${free.length > 1 ? "are" : "is"} free.`;
  return [...reasons, others].filter(Boolean).join(" ") || "Nobody is chosen to meet.";
}

/** What keeps somebody is the service's to say; the picture has what of theirs that is, and from when until when. */
const WHY = {
  busy: ({ bands }) => `is ${sentence(bands.map((band) => `${band.kind} ${when(band)}`)) || "busy"}`,
  managed_event: ({ meetings }) => `has ${sentence(meetings.map((meeting) => `“${meeting.title}” ${when(meeting)}`)) || "a meeting"}`,
  unreadable_calendar: () => "cannot be read, and never counts as free then",
};

function takenAt(slot, { busy, meetings }) {
  const then = (each) => each.start < slot.end && slot.start < each.end;
  const comes = (meeting, who) => meeting.participants.some(({ sub, status }) => sub === who && status !== "declined");
  return (who) => ({ bands: busy[who].filter(then), meetings: meetings.filter((meeting) => then(meeting) && comes(meeting, who)) });
}

function when({ start, end }) {
  const isOneDay = new Date(start).toDateString() === new Date(end).toDateString();
  return isOneDay ? span(start, end) : "all day";
}

/**
 * One stop for the Tab key, and arrow keys within: up and down through a day, left and right from day to day.
 * `reveal` shows a day that a narrow screen hides. Gives what is to be done when the pointer is gone, or all is drawn anew.
 */
export function steer(container, reveal) {
  const columns = () => [...container.querySelectorAll(".day")].map((day) => [...day.querySelectorAll(".start")]);
  const stop = (element) => {
    for (const each of container.querySelectorAll('.start[tabindex="0"]')) each.tabIndex = -1;
    if (element) element.tabIndex = 0;
  };
  container.addEventListener("focusin", ({ target }) => target.matches(".start") && stop(target));
  container.addEventListener("keydown", (event) => {
    const all = columns();
    const column = all.findIndex((starts) => starts.includes(event.target));
    if (column < 0) return;
    const row = all[column].indexOf(event.target);
    const to = {
      ArrowUp: [column, row - 1],
      ArrowDown: [column, row + 1],
      ArrowLeft: [column - 1, row],
      ArrowRight: [column + 1, row],
      Home: [column, 0],
      End: [column, all[column].length - 1],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const key = all[to[0]]?.[to[1]]?.dataset.key;
    if (!key) return;
    reveal(to[0]);
    container.querySelector(`[data-key="${key}"]`).focus(); // Looked up anew: revealing may have drawn it again.
  });
  return () => {
    const focused = container.querySelector(".start:focus");
    focused?.dispatchEvent(new Event("focus"));
    for (const ghost of container.querySelectorAll(".ghost")) ghost.hidden ||= !focused?.matches(".free"); // What was just booked is to be seen.
    stop(focused ?? container.querySelector(".chosen .start.free") ?? container.querySelector(".start.free") ?? container.querySelector(".start"));
  };
}
