// Times are moments on the wire, and of the browser's zone on the page.

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The page is English; which English tells whether 3 in the afternoon is 15:00 or 3:00 pm. */
const locale = navigator.languages.find((language) => language.startsWith("en")) ?? "en-GB";
const clock = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" });
const shortDay = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const monthDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "long", year: "numeric" });
const hour = new Intl.DateTimeFormat(locale, clock.resolvedOptions().hour12 ? { hour: "numeric" } : { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "short" });

export const hourOf = (moment) => hour.format(new Date(moment));
export const time = (moment) => clock.format(new Date(moment));
export const day = (moment) => shortDay.format(new Date(moment));
export const dayInFull = (moment) => longDay.format(new Date(moment));
export const weekdayOf = (moment) => weekday.format(new Date(moment));
export const date = (moment) => monthDay.format(new Date(moment));
export const span = (start, end) => clock.formatRange(new Date(start), new Date(end));
export const dayAndSpan = (start, end) => `${day(start)}, ${span(start, end)}`;

/** What an `<input type="datetime-local">` holds. */
export function toInput(moment) {
  const at = new Date(moment);
  const two = (number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** A date like 2030-01-07, so many days later. */
export function daysLater(date, days) {
  const at = new Date(`${date}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}
