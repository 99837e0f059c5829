"""The demo front end among people and letters that are not really there."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from local.demo_site.bands import Band, Kind, moment, written
from local.demo_site.inbox import Inbox
from local.demo_site.people import Kept, Reading, Trouble
from local.demo_site.site import Site
from local.simulators.server import Request, Response

ORIGIN = "http://127.0.0.1:8085"


def at(hour: float, day: int = 0) -> datetime:
    """That hour of a Monday to come, or of a later day of its week."""
    return datetime(2030, 1, 7, tzinfo=UTC) + timedelta(days=day, hours=hour)


def busy(start: float, end: float, kind: Kind = Kind.BUSY) -> Band:
    return Band(at(start), at(end), kind)


@dataclass
class FakePerson:
    """Somebody with a calendar, whose availability is what the calendar says. ``trouble`` is what every call raises."""

    sub: str
    bands: Sequence[Band] = ()
    unreadable: str | None = None
    trouble: Exception | None = None
    provider: str = "google_free_busy"
    world: dict[str, FakePerson] = field(default_factory=dict, repr=False)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)
    connected: bool = True

    def __post_init__(self) -> None:
        self.world[self.sub] = self

    @property
    def email(self) -> str:
        return f"{self.sub}@example.com"

    @property
    def name(self) -> str:
        return self.sub.capitalize()

    def read(self, start: datetime, end: datetime) -> Reading:
        self._check()
        return Reading(tuple(band for band in self.bands if band.start < end and start < band.end), self.unreadable)

    def events(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        self._check()
        events = [self.event(event_id) for event_id in self.written]
        return [event for event in events if moment(event["start"]) < end and start < moment(event["end"])]

    def event(self, event_id: str) -> dict[str, Any]:
        event = self.written[event_id]
        attendee = {"email": self.email, "status": event["participation_status"], **event["told"]}
        return {**event, "event_id": event_id, "attendees": [attendee]}

    def kept(self, subs: Collection[str], starts: Sequence[datetime], minutes: int) -> dict[datetime, Kept]:
        self._check()
        length = timedelta(minutes=minutes)
        causes = {start: {sub: self.world[sub].causes(start, start + length) for sub in subs} for start in starts}
        return {start: {sub: why for sub, why in each.items() if why} for start, each in causes.items()}

    def causes(self, start: datetime, end: datetime) -> list[str]:
        if self.unreadable:
            return ["unreadable_calendar"]
        events = [event for event in self.events(start, end) if event["participation_status"] != "declined"]
        taken = {"busy": self.read(start, end).bands, "managed_event": events}
        return [cause for cause, those in taken.items() if those]

    def write(self, event_id: str, start: datetime, end: datetime, **details: str) -> None:
        self._check()
        times = {"start": written(start), "end": written(end), "participation_status": "needs_action", "told": {}}
        self.written[event_id] = {**details, **times}

    def answer(self, event_id: str, status: str, **told: Any) -> None:
        self.written[event_id] |= {"participation_status": status, "told": told}

    def delete(self, event_id: str) -> None:
        self._check()
        self.written.pop(event_id, None)

    def relink_url(self) -> str | None:
        return f"https://calendar.example.com/oauth/relink/{self.sub}"

    def disconnect(self) -> None:
        self.connected = False

    def _check(self) -> None:
        if self.trouble:
            raise self.trouble


@dataclass
class FakeApplication:
    """Every code is that of the person it names."""

    world: dict[str, FakePerson]

    def authorization_link(self, state: str) -> str:
        return f"https://calendar.example.com/oauth/authorize?state={state}"

    def connect(self, code: str) -> FakePerson:
        if code not in self.world:
            raise Trouble("the service did not take the code")
        return self.world[code]


class FakeMailbox:
    """Delivered letters, and the replies that people sent."""

    def __init__(self) -> None:
        self.letters: list[dict[str, str]] = []
        self.calendars: dict[str, list[dict[str, Any]]] = {}
        self.replies: list[tuple[str, dict[str, Any]]] = []

    def deliver(self, to: str, raw: bytes) -> str:
        letter_id = str(len(self.letters) + 1)
        self.letters.append({"id": letter_id, "to": to, "raw": raw.decode()})
        return letter_id

    def answer(self, request: httpx.Request) -> httpx.Response:
        match request.url.path.split("/")[1:]:
            case ["messages"]:
                wanted = parse_qs(urlsplit(str(request.url)).query)["to"]
                return httpx.Response(200, json=[each for each in self.letters if each["to"] in wanted])
            case ["calendars", person]:
                return httpx.Response(200, json=self.calendars.get(unquote(person), []))
            case ["messages", letter_id, "reply"]:
                self.replies.append((letter_id, json.loads(request.content)))
                return httpx.Response(200, json={})
        return httpx.Response(404)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url="http://mailbox.test", transport=httpx.MockTransport(self.answer))


class Browser:
    """One browser at the site: keeps the cookie, and says where its requests come from."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.cookie = ""

    def get(self, target: str, **headers: str) -> Response:
        return self.send("GET", target, b"", headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Response:
        given = {"origin": ORIGIN, "content-type": "application/json", **headers}
        return self.send("POST", path, json.dumps(body or {}).encode(), given)

    def send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Response:
        path, _, query = target.partition("?")
        sent = {"host": "127.0.0.1:8085", **({"cookie": self.cookie} if self.cookie else {}), **headers}
        answer = self._site.respond(Request(method, path, query, sent, body))
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    def connect(self, *subs: str) -> None:
        for sub in subs:
            link = self.get("/connect").headers["Location"]
            (state,) = parse_qs(urlsplit(link).query)["state"]
            assert self.get(f"/callback?code={sub}&state={state}").headers["Location"] == "/"

    def week(self, query: str = "") -> dict[str, Any]:
        answer = self.get(f"/api/week?zone=Etc/UTC&minutes=60{query}")
        assert answer.status == 200, answer.body
        seen: dict[str, Any] = json.loads(answer.body)
        return seen


def site_of(world: dict[str, FakePerson], mailbox: FakeMailbox) -> Site:
    application: Any = FakeApplication(world)
    return Site(application, Inbox(mailbox.client()), origin=ORIGIN, simulated={"google": ["Ana"]}, clock=lambda: at(7))
