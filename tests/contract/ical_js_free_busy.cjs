// Reads free/busy objects (standard input: a JSON array of base64) with ical.js and prints what it found as JSON.
const ICAL = require("ical.js");

function span(component) {
  return ["dtstart", "dtend"].map((name) => component.getFirstPropertyValue(name).toUnixTime());
}

// Every occurrence that overlaps the window, which ical.js works out for any component that recurs as events do.
function occurrences(component, [since, until]) {
  const event = new ICAL.Event(component);
  const found = [];
  const iterator = event.iterator();
  for (let next = iterator.next(); next && next.toUnixTime() < until; next = iterator.next()) {
    const { startDate, endDate } = event.getOccurrenceDetails(next);
    if (endDate.toUnixTime() > since) found.push([startDate.toUnixTime(), endDate.toUnixTime()]);
  }
  return found;
}

function read(text) {
  ICAL.TimezoneService.reset();
  const calendar = new ICAL.Component(ICAL.parse(text));
  for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(new ICAL.Timezone(zone));
  const [freeBusy] = calendar.getAllSubcomponents("vfreebusy");
  const told = freeBusy.getAllProperties("freebusy").flatMap((property) =>
    property.getValues().map((period) => [
      property.getParameter("fbtype"),
      period.start.toUnixTime(),
      period.getEnd().toUnixTime(),
    ]),
  );
  const [availability] = calendar.getAllSubcomponents("vavailability");
  return {
    window: span(freeBusy),
    told,
    availability: availability && {
      window: span(availability),
      type: availability.getFirstPropertyValue("busytype"),
      available: availability
        .getAllSubcomponents("available")
        .flatMap((each) => occurrences(each, span(availability))),
    },
  };
}

const objects = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(objects.map((each) => read(Buffer.from(each, "base64").toString("utf8")))));
