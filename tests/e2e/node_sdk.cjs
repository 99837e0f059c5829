// Drives the official Node SDK, unmodified, through the main job; prints what it saw as JSON.
// Arguments: a JSON object {url, client_id, client_secret, redirect_uri, code, from, to}.
const Cronofy = require("cronofy");

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

mainJob(JSON.parse(process.argv[2])).then(
  (seen) => console.log(JSON.stringify(seen)),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
