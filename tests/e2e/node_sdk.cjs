// Drives the official Node SDK, unmodified, through one of its jobs; prints what it saw as JSON.
// Arguments: the job, and a JSON object {url, mailbox, client_id, client_secret, redirect_uri, code, email, from, to},
// with what else the job needs.
const Cronofy = require("cronofy");
const axios = require("axios");

const PATIENCE = 20_000; // Milliseconds within which mail must have arrived.

async function mainJob(given) {
  const client = new Cronofy({ client_id: given.client_id, client_secret: given.client_secret });
  client.urls.api = given.url;
  const tokens = await client.requestAccessToken({ code: given.code, redirect_uri: given.redirect_uri });
  const refreshed = await client.refreshAccessToken();
  const userinfo = await client.userInfo();
  const profiles = await client.profileInformation();
  const calendars = await client.listCalendars();

  const window = { from: given.from, to: given.to, tzid: "Etc/UTC" };
  let page = await client.freeBusy(window);
  const total = page.pages.total;
  const rows = [...page.free_busy];
  while (page.pages.next_page) {
    page = await client.freeBusy({ ...window, next_page: page.pages.next_page });
    rows.push(...page.free_busy);
  }

  const availability = await client.availability({
    participants: [{ members: [{ sub: userinfo.sub }], required: "all" }],
    required_duration: { minutes: 60 },
    query_periods: [{ start: given.from, end: given.to }],
    response_format: "slots",
  });
  await client.revokeAuthorization();
  const afterwards = await client.userInfo().then(() => "still works", (error) => error.statusCode);
  return { tokens, refreshed, userinfo, profiles, calendars, total, rows, availability, afterwards };
}

// Looks until it sees what it waits for, or patience ends.
async function eventually(look, done) {
  const end = Date.now() + PATIENCE;
  let seen = await look();
  while (!done(seen) && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    seen = await look();
  }
  return seen;
}

async function events(given) {
  const client = new Cronofy({ client_id: given.client_id, client_secret: given.client_secret });
  client.urls.api = given.url;
  await client.requestAccessToken({ code: given.code, redirect_uri: given.redirect_uri });
  const { calendars } = await client.listCalendars();
  const { calendar_id } = calendars.find((calendar) => !calendar.calendar_readonly);
  const booking = (event_id, summary) => ({ calendar_id, event_id, summary, start: given.from, end: given.to });
  const relative_url = `/v1/calendars/${calendar_id}/events`;
  const read = async (more) => {
    const page = await client.readEvents({ tzid: "Etc/UTC", only_managed: true, from: given.from, ...more });
    return page.events;
  };
  const mail = async (count) => {
    const look = () => axios.get(`${given.mailbox}/messages`, { params: { to: given.email } });
    const found = await eventually(look, (answer) => answer.data.length >= count);
    return found.data;
  };

  await client.createEvent(booking("one", "Interview"));
  const created = await read();
  const [invitation] = await mail(1);
  await axios.post(`${given.mailbox}/messages/${invitation.id}/reply`, { partstat: "ACCEPTED" });
  const isAnswered = (found) => found[0].participation_status !== "needs_action";
  const answered = await eventually(read, isAnswered);
  await client.createEvent(booking("one", "Second interview"));
  const updated = await read();
  await mail(2);
  await client.deleteEvent({ calendar_id, event_id: "one" });
  const deleted = await read({ include_deleted: true });
  const messages = await mail(3);

  const { calendar_id: _, ...nameless } = { ...booking("nameless"), summary: undefined };
  const entry = (method, data) => ({ method, relative_url, data });
  const batch = await client.batch({
    batch: [
      entry("POST", booking("two", "Two")),
      entry("POST", nameless),
      entry("POST", booking("three", "Three")),
      entry("DELETE", { event_id: "two" }),
    ],
  });
  const batched = await read();
  await client.bulkDeleteEvents({ calendar_ids: [calendar_id] });
  await client.createEvent(booking("four", "Four"));
  const kept = await read();
  await client.bulkDeleteEvents({ delete_all: true });
  const left = await read();
  const readonly = { ...booking("five", "Five"), calendar_id: calendars[0].calendar_id };
  const refused = await client.createEvent(readonly).then(() => "was written", (error) => error.statusCode);
  return { created, messages, answered, updated, deleted, batch, batched, kept, left, refused };
}

// Asks about the time from `from` to `to`, hour by hour.
async function scheduling(given) {
  const client = new Cronofy({ client_id: given.client_id, client_secret: given.client_secret });
  client.urls.api = given.url;
  await client.requestAccessToken({ code: given.code, redirect_uri: given.redirect_uri });
  const { sub } = await client.userInfo();
  const query_periods = [{ start: given.from, end: given.to }];
  const hour = { minutes: 60 };
  const member = { sub, ignore_tentative: true, buffer: { before: { minutes: 0 } } };
  const query = {
    participants: [{ members: [{ ...member, availability_constraints: [{ limit: 3, period: "day" }] }], required: 1 }],
    required_duration: hour,
    start_interval: hour,
    response_format: "overlapping_slots",
    query_periods,
  };
  const explained = await client.availability({ ...query, explain: true, include_sources: true });
  const step = (sequence_id, ordinal) => ({
    sequence_id,
    ordinal,
    participants: [{ members: [{ sub, ignore_tentative: true }], required: "all" }],
    required_duration: hour,
    start_interval: hour,
    buffer: { after: { minimum: { minutes: 0 }, maximum: { minutes: 120 } } },
  });
  const steps = [step("second", 2), step("first", 1), step("third", 3)];
  const { sequences } = await client.sequencedAvailability({ query_periods, sequence: steps });
  return { explained, sequences };
}

// Asks for one colleague with the tokens of their organization, and reads them with the code that the callback brought.
async function enterprise(given) {
  const service = new Cronofy({ client_id: given.client_id, client_secret: given.client_secret });
  service.urls.api = given.url;
  const tokens = await service.requestAccessToken({ code: given.code, redirect_uri: given.redirect_uri });
  const userinfo = await service.userInfo();
  const { email, callback_url } = given;
  await service.authorizeWithServiceAccount({ email, callback_url, scope: "free_busy_write", state: "job 17" });
  const look = () => axios.get(given.callbacks);
  const { data } = await eventually(look, (answer) => answer.data.length > 0);

  const person = new Cronofy({ client_id: given.client_id, client_secret: given.client_secret });
  person.urls.api = given.url;
  const { code } = data[0].authorization;
  const granted = await person.requestAccessToken({ code, redirect_uri: callback_url });
  const window = { from: given.from, to: given.to, tzid: "Etc/UTC" };
  const { free_busy } = await person.freeBusy(window);
  const availability = await person.availability({
    participants: [{ members: [{ sub: granted.sub }], required: "all" }],
    required_duration: { minutes: 60 },
    query_periods: [{ start: given.from, end: given.to }],
    response_format: "slots",
  });
  return { tokens, userinfo, callback: data[0], granted, free_busy, availability };
}

async function managedAvailability(given) {
  const client = new Cronofy({ client_id: given.client_id, client_secret: given.client_secret });
  client.urls.api = given.url;
  await client.requestAccessToken({ code: given.code, redirect_uri: given.redirect_uri });

  const rule = { ...given.rule, availability_rule_id: "work_hours" };
  const written = await client.upsertAvailabilityRule(rule);
  await client.upsertAvailabilityRule({ ...rule, availability_rule_id: "evenings" });
  const listed = await client.listAvailabilityRules();
  await client.deleteAvailabilityRule({ availability_rule_id: "evenings" });
  const read = await client.readAvailabilityRule({ availability_rule_id: "work_hours" });
  const gone = { availability_rule_id: "evenings" };
  const missing = await client.readAvailabilityRule(gone).then(() => "is there", (error) => error.statusCode);

  for (const period of given.periods) await client.upsertAvailablePeriod({ ...period, tzid: "Europe/Paris" });
  const window = { from: given.from, to: given.to, tzid: "Europe/Paris", localized_times: true };
  let page = await client.listAvailablePeriods(window);
  const total = page.pages.total;
  const periods = [...page.available_periods];
  while (page.pages.next_page) {
    page = await client.listAvailablePeriods({ ...window, next_page: page.pages.next_page });
    periods.push(...page.available_periods);
  }
  const { sub } = await client.userInfo();
  const offered = await client.availability({
    participants: [{ members: [{ sub, managed_availability: true, availability_rule_ids: [] }], required: "all" }],
    required_duration: { minutes: 30 },
    query_periods: [{ start: given.from, end: given.to }],
  });
  await client.deleteAvailablePeriods({ available_period_id: given.periods[0].available_period_id });
  const kept = await client.listAvailablePeriods();
  await client.deleteAvailablePeriods({ delete_all: true });
  const left = await client.listAvailablePeriods();
  return { written, listed, read, missing, total, periods, offered, kept, left };
}

async function channels(given) {
  const client = new Cronofy({ client_id: given.client_id, client_secret: given.client_secret });
  client.urls.api = given.url;
  await client.requestAccessToken({ code: given.code, redirect_uri: given.redirect_uri });
  const opened = await client.createNotificationChannel({ callback_url: given.callback_url, filters: { only_managed: true } });
  const listed = await client.listNotificationChannels();
  await eventually(() => axios.get(given.callback_url).then(({ data }) => data), (received) => received.length > 0);
  await client.deleteNotificationChannel({ channel_id: opened.channel.channel_id });
  const left = await client.listNotificationChannels();
  return { opened, listed, left };
}

const [job, given] = process.argv.slice(2);
({ mainJob, events, scheduling, enterprise, managedAvailability, channels })[job](JSON.parse(given)).then(
  (seen) => console.log(JSON.stringify(seen)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
