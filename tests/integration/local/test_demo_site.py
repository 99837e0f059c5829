"""The demo front end against the service: connected people through the SDK, and the whole way over HTTP."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pycronofy
import pytest

from local.browser import visit
from local.demo_site.bands import Band, Kind, moment
from local.demo_site.people import Application, Disconnected, Trouble
from tests.e2e.days import DAY, at
from tests.laptop import free_ports
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.stack

MORNING, EVENING = DAY + timedelta(hours=6), DAY + timedelta(hours=20)


def consented(link, until, provider, email):
    """What the redirect URI is brought once the person has agreed."""
    name = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}[provider]
    chosen = str(httpx.URL(link).copy_set_param("provider_name", name))
    return visit(chosen, until=until, consent={"sim_user": email})


class TestSomebodyConnected:
    @pytest.fixture
    def application(self, stack, monkeypatch):
        monkeypatch.setattr(pycronofy.settings, "API_BASE_URL", stack["url"])
        monkeypatch.setattr(pycronofy.settings, "APP_BASE_URL", stack["url"])
        return Application(stack["client_id"], stack["client_secret"], stack["redirect_uris"][0])

    @pytest.fixture
    def connect(self, stack, application):
        def connected(provider, email, *busy):
            simulated = {"busy": [{"start": at(start), "end": at(end)} for start, end in busy]}
            httpx.put(f"{stack[provider]}/sim/users/{email}", json=simulated).raise_for_status()
            link = application.authorization_link("state")
            return application.connect(consented(link, application.redirect_uri, provider, email)["code"])

        return connected

    def test_is_known_by_name_where_the_provider_tells_it(self, connect):
        ana, ben = connect("google", "ana.demo@example.com"), connect("microsoft", "ben.demo@contoso.example")
        assert (ana.name, ana.email, ana.provider) == (
            "ana.demo@example.com",
            "ana.demo@example.com",
            "google_free_busy",
        )
        assert (ben.name, ben.provider) == ("Ben Demo", "ms_graph_free_busy")

    def test_is_read_booked_and_read_again(self, connect):
        ana, ben = connect("google", "ana.demo@example.com", (9, 10)), connect("microsoft", "ben.demo@contoso.example")
        nine, ten = DAY + timedelta(hours=9), DAY + timedelta(hours=10)
        assert ana.read(MORNING, EVENING).bands == (Band(nine, ten, Kind.BUSY),)
        both = {ana.sub, ben.sub}
        assert ana.kept(both, [nine, ten], 60) == {nine: {ana.sub: ["busy"]}, ten: {}}
        ben.write("demo", ten, EVENING, summary="Planning", description="", tzid="Europe/Berlin")
        assert ana.kept(both, [ten], 60) == {ten: {ben.sub: ["managed_event"]}}
        (event,) = ben.events(MORNING, EVENING)
        assert (event["event_id"], event["summary"], moment(event["start"])) == ("demo", "Planning", ten)
        assert ben.read(MORNING, EVENING).bands == ()
        ben.delete("demo")
        assert ben.events(MORNING, EVENING) == []

    def test_is_explained_also_where_one_answer_has_no_room_for_all_of_it(self, connect):
        halves = [DAY + timedelta(minutes=30 * number) for number in range(100)]
        hours = [number / 2 for number in range(100)]
        one = connect("google", "odd@example.com", *((hour, hour + 0.5) for hour in hours[1::2]))
        other = connect("microsoft", "even@contoso.example", *((hour, hour + 0.5) for hour in hours[::2]))
        kept = one.kept({one.sub, other.sub}, halves, 30)
        assert kept == {half: {(other, one)[number % 2].sub: ["busy"]} for number, half in enumerate(halves)}

    def test_stays_connected_when_the_access_token_expires(self, connect):
        ana = connect("google", "ana.demo@example.com")
        before = ana._client.auth.access_token
        ana._client.auth.token_expiration = datetime.now(UTC) - timedelta(seconds=1)
        ana.read(MORNING, EVENING)
        assert ana._client.auth.access_token != before

    def test_is_disconnected_wherever_that_is_done(self, connect):
        here, elsewhere = connect("google", "ana.demo@example.com"), connect("google", "ana.demo@example.com")
        elsewhere.disconnect()
        elsewhere.disconnect()
        for person in (here, elsewhere):
            with pytest.raises(Disconnected, match=here.sub):
                person.read(MORNING, EVENING)
            person._client.auth.token_expiration = None
            with pytest.raises(Disconnected, match=here.sub):
                person.events(MORNING, EVENING)

    def test_says_why_the_calendar_cannot_be_read(self, connect, stack):
        ana = connect("google", "ana.lapsed@example.com")
        httpx.post(f"{stack['google']}/sim/users/ana.lapsed@example.com/revoke").raise_for_status()
        reading = ana.read(MORNING, EVENING)
        assert reading.unreadable == "credential_revoked"
        assert [band.kind for band in reading.bands] == [Kind.UNKNOWN]
        assert ana.relink_url().startswith(f"{stack['url']}/oauth/relink/{ana.sub}/")

    def test_cannot_be_connected_by_a_code_that_was_made_up(self, application):
        with pytest.raises(Trouble, match="did not take the code"):
            application.connect("made up")

    def test_is_in_trouble_when_the_service_is_away(self, connect):
        ana = connect("google", "ana.demo@example.com")
        ana._client.request_handler.base_url = f"http://127.0.0.1:{free_ports(1)}"
        with pytest.raises(Trouble, match="cannot be reached"):
            ana.read(MORNING, EVENING)

    def test_is_told_no_more_than_the_status_of_what_went_wrong(self, connect):
        ana = connect("google", "ana.demo@example.com")
        with pytest.raises(Trouble) as caught:
            ana.write("demo", EVENING, MORNING, summary="Planning", description="", tzid="Europe/Berlin")
        assert str(caught.value) == "The service answered 422. Please try again."


def test_two_people_meet_and_answer_over_http(stack):
    """What the page does, in a browser without a page."""
    demo = stack["demo"]
    with httpx.Client(base_url=demo, headers={"origin": demo}, timeout=PATIENCE) as browser:

        def connect(provider, email):
            httpx.put(f"{stack[provider]}/sim/users/{email}", json={"busy": []}).raise_for_status()
            link = browser.get("/connect").headers["location"]
            brought = consented(link, f"{demo}/callback", provider, email)
            assert browser.get("/callback", params=brought).headers["location"] == "/"

        def week():
            answer = browser.get("/api/week", params={"zone": "Europe/Berlin", "minutes": 60, **chosen})
            assert answer.status_code == 200, answer.text
            return answer.json()

        chosen = {}
        connect("google", "kim.http@example.com")
        connect("microsoft", "lee.http@contoso.example")
        chosen["of"] = week()["week"]["last"]
        slot = next(start for start in week()["starts"] if len(start.get("free", ())) == 2)
        booking = {"title": "Planning", "start": slot["start"], "minutes": 60, "zone": "Europe/Berlin"}
        assert browser.post("/api/meetings", json={**booking, "participants": slot["free"]}).status_code == 201
        assert not next(start for start in week()["starts"] if start["start"] == slot["start"])["free"]
        letters = until(lambda: [each for each in week()["letters"] if "Planning" in each["subject"]])
        letter = letters[0]
        assert "Demo Planner invites you" in browser.get(f"/letters/{letter['id']}").text
        assert browser.post(f"/api/letters/{letter['id']}/answer", json={"answer": "decline"}).status_code == 204
        (meeting,) = until(lambda: [each for each in week()["meetings"] if "declined" in json.dumps(each)])
        (declined,) = [each["sub"] for each in meeting["participants"] if each["status"] == "declined"]
        assert next(start for start in week()["starts"] if start["start"] == slot["start"])["free"] == [declined]
        assert browser.post(f"/api/meetings/{meeting['id']}/cancel", json={}).status_code == 204
        assert browser.post(f"/api/people/{declined}/disconnect", json={}).status_code == 204
        assert [person["sub"] for person in week()["people"]] == [sub for sub in slot["free"] if sub != declined]
