"""The web application: who gets in, what is remembered, and what the page is told."""

import json

import pytest

from local.demo_site.bands import Kind
from local.demo_site.people import Disconnected, Trouble
from local.demo_site.sessions import MOST_PEOPLE, MOST_SESSIONS, Sessions
from tests.letters import invitation
from tests.planner import ORIGIN, Browser, FakeMailbox, FakePerson, at, busy, site_of

POSTS = [
    "/api/meetings",
    "/api/meetings/planner-1/move",
    "/api/meetings/planner-1/cancel",
    "/api/people/ana/disconnect",
    "/api/letters/1/answer",
]
BOOKING = {
    "title": "Planning",
    "start": "2030-01-07T10:00:00Z",
    "minutes": 60,
    "zone": "Europe/Berlin",
    "participants": ["ana", "ben"],
}


@pytest.fixture
def world():
    world = {}
    FakePerson("ana", [busy(9, 10)], world=world)
    FakePerson("ben", [busy(12, 13), busy(14, 15, Kind.TENTATIVE)], provider="ms_graph_free_busy", world=world)
    return world


@pytest.fixture
def mailbox():
    return FakeMailbox()


@pytest.fixture
def site(world, mailbox):
    return site_of(world, mailbox)


@pytest.fixture
def browser(site):
    return Browser(site)


@pytest.fixture
def connected(browser):
    browser.connect("ana", "ben")
    return browser


def error(answer):
    return json.loads(answer.body)["error"]


def start(week, moment):
    return next(each for each in week["starts"] if each["start"] == f"2030-01-07T{moment}:00Z")


class TestOtherPages:
    """Every page that is open in the same browser can send requests to the loopback."""

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8085", "127.0.0.1", "127.0.0.1:8084", "[::1]:8085"])
    def test_cannot_give_us_another_name(self, browser, host):
        assert browser.get("/", host=host).status == 421

    def test_the_name_localhost_leads_to_the_number(self, browser):
        answer = browser.get("/", host="localhost:8085")
        assert (answer.status, answer.headers["Location"]) == (302, ORIGIN)

    @pytest.mark.parametrize("path", POSTS)
    @pytest.mark.parametrize(
        "origin", ["null", "https://evil.example", "http://127.0.0.1:8080", "http://localhost:8085"]
    )
    def test_cannot_post(self, connected, world, path, origin):
        assert connected.post(path, BOOKING, origin=origin).status == 403
        assert world["ana"].connected
        assert world["ana"].written == {}

    @pytest.mark.parametrize("path", POSTS)
    def test_nor_without_saying_where_they_are(self, connected, path):
        headers = {"content-type": "application/json"}
        assert connected.send("POST", path, json.dumps(BOOKING).encode(), headers).status == 403

    def test_cannot_send_a_form_in_our_name(self, connected):
        assert connected.post("/api/meetings", BOOKING, **{"content-type": "text/plain"}).status == 400

    @pytest.mark.parametrize("target", ["/", "/static/style.css", "/api/week?zone=Etc/UTC&minutes=60", "/nowhere"])
    def test_cannot_frame_us_or_be_loaded_by_us(self, browser, target):
        headers = browser.get(target).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")


class TestConnecting:
    def test_the_cookie_is_for_the_server_alone(self, browser):
        cookie = browser.get("/connect").headers["Set-Cookie"]
        assert cookie.startswith("planner_8085=")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")

    def test_whoever_came_back_with_a_code_is_in_the_picture(self, connected):
        week = connected.week()
        assert [(person["name"], person["provider"]) for person in week["people"]] == [
            ("Ana", "google_free_busy"),
            ("Ben", "ms_graph_free_busy"),
        ]
        assert week["notice"] == {"kind": "good", "text": "Ben is connected."}
        assert connected.week()["notice"] is None

    @pytest.mark.parametrize(
        ("brought", "text"),
        [
            pytest.param("error=access_denied&error_description=no%20consent", "no consent", id="refused"),
            pytest.param("error=server_error", "server_error", id="no description"),
            pytest.param("", "no reason was given", id="nothing"),
            pytest.param("code=nobody", "the service did not take the code", id="a code that is no longer good"),
        ],
    )
    def test_a_trip_that_failed_is_told(self, browser, brought, text):
        state = browser.get("/connect").headers["Location"].partition("state=")[2]
        assert browser.get(f"/callback?state={state}&{brought}").headers["Location"] == "/"
        week = browser.week()
        assert (week["people"], week["notice"]) == ([], {"kind": "bad", "text": f"Nobody was connected: {text}."})

    def test_a_trip_ends_once(self, browser):
        state = browser.get("/connect").headers["Location"].partition("state=")[2]
        browser.get(f"/callback?state={state}&code=ana")
        browser.get(f"/callback?state={state}&code=ben")
        week = browser.week()
        assert [person["name"] for person in week["people"]] == ["Ana"]
        assert week["notice"]["text"] == "Nobody was connected: this trip did not begin in this browser, or is over."

    @pytest.mark.parametrize("state", ["", "guessed"])
    def test_a_trip_that_did_not_begin_here_connects_nobody(self, browser, state):
        browser.get("/connect")
        assert browser.get(f"/callback?state={state}&code=ana").headers["Location"] == "/"
        assert browser.week()["people"] == []

    def test_a_trip_ends_in_the_browser_where_it_began(self, site, browser):
        state = Browser(site).get("/connect").headers["Location"].partition("state=")[2]
        browser.get("/connect")
        browser.get(f"/callback?state={state}&code=ana")
        assert browser.week()["people"] == []

    def test_nobody_is_in_the_picture_twice(self, connected):
        connected.connect("ana")
        week = connected.week()
        assert [person["name"] for person in week["people"]] == ["Ana", "Ben"]
        assert week["notice"]["text"] == "Ana is connected already."

    def test_who_has_no_room_is_disconnected_again(self, world, browser):
        subs = [f"p{number}" for number in range(MOST_PEOPLE + 1)]
        for sub in subs:
            FakePerson(sub, world=world)
        browser.connect(*subs)
        assert len(browser.week()["people"]) == MOST_PEOPLE
        assert [world[sub].connected for sub in subs] == [True] * MOST_PEOPLE + [False]

    def test_another_browser_sees_nobody(self, connected, site):
        assert Browser(site).week()["people"] == []

    def test_a_cookie_of_somebodys_invention_opens_nothing(self, connected, site):
        other = Browser(site)
        other.cookie = "planner_8085=invented"
        assert other.week()["people"] == []
        assert other.get("/connect").headers["Set-Cookie"] != connected.cookie

    def test_who_disconnects_is_revoked_and_gone(self, connected, world):
        assert connected.post("/api/people/ana/disconnect").status == 204
        assert not world["ana"].connected
        assert [person["name"] for person in connected.week()["people"]] == ["Ben"]

    def test_who_was_disconnected_elsewhere_is_gone_and_the_page_says_so(self, connected, world):
        world["ana"].trouble = Disconnected("ana")
        week = connected.week()
        assert [person["name"] for person in week["people"]] == ["Ben"]
        assert week["notice"] == {"kind": "bad", "text": "Ana is no longer connected."}


class TestThePicture:
    def test_shared_time_names_everybody(self, connected):
        assert start(connected.week(), "10:00") == {
            "start": "2030-01-07T10:00:00Z",
            "end": "2030-01-07T11:00:00Z",
            "free": ["ana", "ben"],
            "kept": {},
        }

    def test_other_time_says_who_is_free_and_what_keeps_the_others(self, connected):
        ten_to_nine = start(connected.week(), "08:30")
        assert ten_to_nine["free"] == ["ben"]
        assert ten_to_nine["kept"] == {"ana": ["busy"]}

    def test_who_need_not_come_keeps_nobody(self, connected):
        nine = start(connected.week("&without=ana"), "09:00")
        assert (nine["free"], nine["kept"]) == (["ben"], {})

    def test_nobody_chosen_means_nothing_shared(self, connected):
        nine = start(connected.week("&without=ana&without=ben"), "09:00")
        assert (nine["free"], nine["kept"]) == ([], {})

    def test_a_longer_meeting_needs_longer_time(self, connected):
        answer = connected.get("/api/week?zone=Etc/UTC&minutes=120")
        assert start(json.loads(answer.body), "10:30")["free"] == ["ana"]

    def test_a_meeting_must_end_within_the_hours_shown(self, connected):
        week = connected.week()
        assert start(week, "17:30")["outside"] == "late"
        assert "outside" not in start(week, "17:00")

    def test_time_that_is_over_is_not_offered(self, connected, site):
        site._clock = lambda: at(9.25)
        week = connected.week()
        assert start(week, "09:00")["outside"] == "past"
        assert "outside" not in start(week, "09:30")

    def test_a_calendar_that_cannot_be_read_keeps_its_person(self, connected, world):
        unknown = busy(0, 24 * 5, Kind.UNKNOWN)
        world["ana"].bands, world["ana"].unreadable = [unknown], "credential_revoked"
        week = connected.week()
        assert week["people"][0]["unreadable"] == "credential_revoked"
        assert week["people"][0]["relink_url"] == "https://calendar.example.com/oauth/relink/ana"
        assert start(week, "10:00")["kept"] == {"ana": ["unreadable_calendar"]}

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("", "minutes, zone"),
            ("zone=Mars&minutes=60", "zone"),
            ("zone=Etc/UTC&minutes=45", "minutes"),
            ("zone=Etc/UTC&minutes=1e9", "minutes"),
            ("zone=Etc/UTC&minutes=60&of=tomorrow", "of"),
            ("zone=Etc/UTC&minutes=60&color=red", "color"),
        ],
    )
    def test_what_cannot_be_read_is_named(self, connected, query, named):
        answer = connected.get(f"/api/week?{query}")
        assert (answer.status, error(answer)) == (400, f"This cannot be read: {named}.")

    def test_a_week_out_of_reach_is_refused(self, connected):
        assert connected.get("/api/week?zone=Etc/UTC&minutes=60&of=9999-12-31").status == 400

    def test_trouble_of_the_service_is_told(self, connected, world):
        world["ana"].trouble = Trouble("The service answered 503. Please try again.")
        answer = connected.get("/api/week?zone=Etc/UTC&minutes=60")
        assert (answer.status, error(answer)) == (502, "The service answered 503. Please try again.")


class TestMeetings:
    def test_a_booking_shows_in_the_picture(self, connected):
        assert connected.post("/api/meetings", BOOKING).status == 201
        week = connected.week()
        assert [meeting["title"] for meeting in week["meetings"]] == ["Planning"]
        assert start(week, "10:30")["kept"] == {"ana": ["managed_event"], "ben": ["managed_event"]}

    def test_a_time_that_was_taken_meanwhile_is_refused(self, connected, world):
        world["ben"].bands = [busy(10, 11)]
        assert connected.post("/api/meetings", BOOKING).status == 409
        assert world["ana"].written == {}

    @pytest.mark.parametrize(
        ("changed", "status"),
        [
            ({"participants": ["ana", "stranger"]}, 404),
            ({"participants": []}, 400),
            ({"title": "  "}, 400),
            ({"title": "x" * 201}, 400),
            ({"start": "2030-01-07T10:00"}, 400),
            ({"minutes": 0}, 400),
            ({"zone": "../etc"}, 400),
            ({"more": 1}, 400),
        ],
    )
    def test_what_is_no_booking_is_refused(self, connected, world, changed, status):
        assert connected.post("/api/meetings", {**BOOKING, **changed}).status == status
        assert world["ana"].written == {}

    @pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b'"x"'])
    def test_nor_is_what_is_no_object(self, connected, body):
        headers = {"origin": ORIGIN, "content-type": "application/json"}
        assert connected.send("POST", "/api/meetings", body, headers).status == 400

    def test_a_meeting_moves(self, connected):
        event_id = json.loads(connected.post("/api/meetings", BOOKING).body)["id"]
        moved = {"start": "2030-01-07T15:00:00Z", "end": "2030-01-07T16:00:00Z", "zone": "Etc/UTC"}
        assert connected.post(f"/api/meetings/{event_id}/move", moved).status == 204
        assert [meeting["start"] for meeting in connected.week()["meetings"]] == ["2030-01-07T15:00:00Z"]

    def test_no_meeting_ends_before_it_starts(self, connected):
        moved = {"start": "2030-01-07T15:00:00Z", "end": "2030-01-07T15:00:00Z", "zone": "Etc/UTC"}
        assert connected.post("/api/meetings/x/move", moved).status == 400

    def test_a_cancelled_meeting_is_gone(self, connected):
        event_id = json.loads(connected.post("/api/meetings", BOOKING).body)["id"]
        assert connected.post(f"/api/meetings/{event_id}/cancel").status == 204
        assert connected.week()["meetings"] == []


class TestLetters:
    @pytest.fixture
    def letter_id(self, mailbox):
        mailbox.deliver("ben@example.com", invitation("ben@example.com"))
        return mailbox.deliver("ana@example.com", invitation("ana@example.com"))

    def test_a_letter_may_do_nothing(self, connected, letter_id):
        answer = connected.get(f"/letters/{letter_id}")
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'; ")
        assert "frame-ancestors 'self'" in policy

    @pytest.mark.parametrize(
        ("said", "reply"),
        [
            ({"answer": "accept"}, {"partstat": "ACCEPTED", "comment": ""}),
            ({"answer": "decline", "comment": " Sorry "}, {"partstat": "DECLINED", "comment": "Sorry"}),
            (
                {"answer": "propose", "start": "2030-01-08T10:00:00+01:00", "end": "2030-01-08T11:00:00+01:00"},
                {
                    "counter": {"start": "2030-01-08T09:00:00+00:00", "end": "2030-01-08T10:00:00+00:00"},
                    "comment": "",
                },
            ),
        ],
    )
    def test_an_answer_goes_out_as_the_persons_mail_client_sends_it(self, connected, mailbox, letter_id, said, reply):
        assert connected.post(f"/api/letters/{letter_id}/answer", said).status == 204
        assert connected.post("/api/letters/1/answer", said).status == 204
        assert mailbox.replies == [(letter_id, {**reply, "client": "gmail"}), ("1", {**reply, "client": "outlook"})]

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"answer": "perhaps"},
            {"answer": "accept", "start": "2030-01-08T10:00:00Z"},
            {"answer": "propose"},
            {"answer": "propose", "start": "2030-01-08T10:00:00Z", "end": "2030-01-08T10:00:00Z"},
        ],
    )
    def test_what_is_no_answer_is_refused(self, connected, mailbox, letter_id, said):
        assert connected.post(f"/api/letters/{letter_id}/answer", said).status == 400
        assert mailbox.replies == []

    @pytest.mark.parametrize("subs", [[], ["ben"]])
    def test_letters_of_people_who_are_not_connected_here_are_not_shown(self, site, mailbox, letter_id, subs):
        browser = Browser(site)
        browser.connect(*subs)
        assert browser.get(f"/letters/{letter_id}").status == 404
        assert browser.post(f"/api/letters/{letter_id}/answer", {"answer": "accept"}).status == 404
        assert mailbox.replies == []


@pytest.mark.parametrize("target", ["/nowhere", "/static/site.py", "/static/..%2fsite.py", "/static/", "/letters/1"])
def test_there_is_nothing_else(browser, target):
    assert browser.get(target).status == 404


def test_the_sessions_used_last_are_kept():
    sessions = Sessions()
    first, kept = sessions.begin()
    second, _ = sessions.begin()
    for _ in range(MOST_SESSIONS - 1):
        sessions.find(first)
        sessions.begin()
    assert sessions.find(first) is kept
    assert sessions.find(second) is None
