// What the page knows, what can be done, and when it is looked at again.

import { bookingOf } from "./dialogs.js";
import { h, show } from "./dom.js";
import { inbox } from "./inbox.js";
import { meetings } from "./meetings.js";
import { footnote, people, sentence, welcome } from "./people.js";
import { picture as read, post } from "./server.js";
import { dayAndSpan, zone } from "./times.js";
import * as week from "./week.js";

const AFTER_AN_ACTION = [300, 700, 1500, 3000, 5000, 8000, 12000];
/** Milliseconds until mail that an action sends, and what becomes of it, is looked for. */

const NOW_AND_THEN = 20_000;
const READ_FOR = 12_000;
/** Milliseconds for which good news stays. */

const HINT = matchMedia("(hover: none)").matches
  ? "Tap a green time to book it, and any other to see who is not free then."
  : "Click a green time to book it. Point at any other, or use the arrow keys, to see who is not free then.";
const NOTHING = "No time of this week suits everybody who is ticked. Try another week, a shorter meeting, or without somebody.";

const at = (id) => document.querySelector(`#${id}`);
const state = { of: undefined, minutes: 60, without: [], chosen: undefined, inboxOf: undefined, opened: null };
let picture = null;
let asking = 0;
let timers = [];
let unread;
let lost = false;

async function look() {
  const turn = ++asking;
  try {
    const asked = { zone, minutes: state.minutes, without: state.without };
    const seen = await read(state.of ? { ...asked, of: state.of } : asked);
    if (lost) tell();
    if (seen.notice) tell(seen.notice.kind, seen.notice.text);
    if (turn !== asking) return; // Something newer was asked for meanwhile.
    picture = seen;
    draw();
  } catch (error) {
    if (turn !== asking) return;
    tell("bad", error.message);
    lost = true;
  }
  at("week").ariaBusy = "false";
}

function draw() {
  const anybody = picture.people.length > 0;
  state.chosen ??= Math.max(picture.days.findIndex((day) => Date.now() < new Date(day.end)), 0);
  for (const part of ["people", "planner", "footnote"]) at(part).hidden = !anybody;
  show(at("welcome"), { anybody, simulated: picture.simulated }, () => (anybody ? [] : welcome(picture)));
  if (!anybody) return;
  show(at("footnote"), picture.simulated, footnote);
  const { without, minutes, chosen, inboxOf, opened } = state;
  show(at("people-list"), { people: picture.people, without, room: picture.room }, (data) => people(data, { toggle, disconnect }));
  show(at("week-controls"), { week: picture.week, minutes }, (data) => week.controls(data, { turn, last }));
  const drawn = { days: picture.days, busy: picture.busy, starts: picture.starts, meetings: picture.meetings, people: picture.people };
  show(at("week-tabs"), { days: picture.days, chosen }, (data) => week.tabs(data, choose));
  if (show(at("week-days"), { picture: drawn, without, chosen }, (data) => week.days(data, { pick, point }))) rest();
  show(at("legend"), null, week.legend);
  show(at("meetings"), { meetings: picture.meetings, people: picture.people }, (data) => meetings(data, { move, cancel }));
  show(at("inbox"), { letters: picture.letters, people: picture.people, inboxOf, opened }, (data) => inbox(data, { read: readOf, open, answer }));
}

/** Shows nothing of the last action, does this one, and watches what comes of it. */
async function act(action, ...done) {
  tell();
  try {
    await action();
    tell("good", ...done);
  } catch (error) {
    tell("bad", error.message);
  }
  watch();
}

function watch() {
  timers.forEach(clearTimeout);
  timers = AFTER_AN_ACTION.map((delay) => setTimeout(look, delay));
  look();
}

function tell(kind, ...text) {
  clearTimeout(unread);
  lost = false;
  const close = h("button", { class: "quiet", "aria-label": "Close", click: () => tell() }, "×");
  at("notice").replaceChildren(...(kind ? [h("div", { class: `notice ${kind}` }, h("p", {}, text), close)] : []));
  if (kind === "good") unread = setTimeout(tell, READ_FOR);
}

// What people do.

const change = (changes) => {
  Object.assign(state, changes);
  at("week").ariaBusy = "true";
  look();
};
const redraw = (changes) => {
  Object.assign(state, changes);
  draw();
};
const turn = (monday) => change({ of: monday, chosen: monday === picture.week.current ? undefined : 0 });
const last = (minutes) => change({ minutes });
const toggle = (sub, counts) => change({ without: counts ? state.without.filter((each) => each !== sub) : [...state.without, sub] });
const choose = (number) => redraw({ chosen: number });
const readOf = (sub) => redraw({ inboxOf: sub, opened: null });
const open = (letter) => redraw({ opened: letter });
const disconnect = (person) => act(() => post(`/api/people/${person.sub}/disconnect`), `${person.name} is disconnected.`);
const cancel = (meeting) => act(() => post(`/api/meetings/${meeting.id}/cancel`), `${meeting.title} is cancelled.`);
const move = (meeting, { start, end }) => act(() => post(`/api/meetings/${meeting.id}/move`, { start, end, zone }), `${meeting.title} is moved to ${dayAndSpan(start, end)}.`);
const answer = (letter, said) => act(() => post(`/api/letters/${letter.id}/answer`, said), "The answer is on its way.");

async function pick(slot) {
  const invited = picture.people.filter((person) => slot.free.includes(person.sub));
  const title = await bookingOf(slot, sentence(invited.map((person) => person.name)));
  if (!title) return;
  const booking = { title, start: slot.start, minutes: state.minutes, zone, participants: slot.free };
  state.inboxOf = slot.free.includes(state.inboxOf) ? state.inboxOf : invited[0].sub;
  await act(() => post("/api/meetings", booking), `${title} is booked. The invitations are on their way `, h("a", { href: "#inbox-heading" }, "to the inbox"), ".");
}

function point(start, text) {
  at("readout").replaceChildren(h("strong", {}, dayAndSpan(start.start, start.end)), ` ${text}`);
}

const settle = week.steer(at("week-days"), (number) => {
  if (number !== state.chosen) choose(number);
});

/** Nothing is pointed at any more; the keyboard may still be at a time. */
function rest() {
  at("readout").textContent = at("week-days").querySelector(".start.free") ? HINT : NOTHING;
  settle();
}

at("week-days").addEventListener("pointerleave", rest);
setInterval(() => document.visibilityState === "visible" && look(), NOW_AND_THEN);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
look();
