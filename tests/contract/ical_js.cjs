// Reads calendar objects (standard input: a JSON array of base64) with ical.js and prints what it found as JSON.
const ICAL = require("ical.js");
const MOST = 400;

function seconds(time) {
  return time.toUnixTime();
}

function occurrencesOf(event) {
  const found = [];
  const iterator = event.iterator();
  for (let next = iterator.next(); next && found.length < MOST; next = iterator.next()) {
    const { startDate, endDate } = event.getOccurrenceDetails(next);
    found.push([seconds(startDate), seconds(endDate), startDate.toString().slice(11, 19)]);
  }
  return found;
}

function read(text) {
  ICAL.TimezoneService.reset();
  const calendar = new ICAL.Component(ICAL.parse(text));
  for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(new ICAL.Timezone(zone));
  const [component] = calendar.getAllSubcomponents("vevent");
  const event = new ICAL.Event(component);
  return {
    method: calendar.getFirstPropertyValue("method"),
    uid: event.uid,
    sequence: event.sequence,
    summary: event.summary ?? "",
    location: event.location ?? "",
    description: event.description ?? "",
    attendees: event.attendees.map((each) => [each.getFirstValue(), each.getParameter("cn")]),
    properties: component.getAllProperties().map((each) => each.name),
    occurrences: occurrencesOf(event),
  };
}

const objects = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(objects.map((each) => read(Buffer.from(each, "base64").toString("utf8")))));
