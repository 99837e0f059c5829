"""The web application: which address does what, for whoever is connected in the browser that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx

from local.demo_site import asked, files, guard, meetings
from local.demo_site.asked import body_of, refused, reply_of, week_asked
from local.demo_site.inbox import MAIL_CLIENTS, Inbox, Letter
from local.demo_site.people import Application, Disconnected, Person, Trouble
from local.demo_site.picture import Painter, Question
from local.demo_site.sessions import MOST_PEOPLE, Session, Sessions
from local.demo_site.week import Reach, TooFarAway
from local.simulators.server import Refusal, Request, Response, Route, route_of

T = TypeVar("T")

_DONE = Response(HTTPStatus.NO_CONTENT)


def _now() -> datetime:
    return datetime.now(UTC)


class Site:
    """The application that the server serves, at ``origin``. ``simulated`` names who waits at which provider."""

    def __init__(
        self,
        application: Application,
        inbox: Inbox,
        *,
        origin: str,
        simulated: Mapping[str, list[str]],
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._application = application
        self._inbox = inbox
        self._painter = Painter(inbox)
        self._guard = guard.Guard(origin)
        # Cookies know no ports (RFC 6265, 8.5): two stacks side by side need names of their own.
        self._cookie = f"planner_{urlsplit(origin).port}"
        self._simulated = simulated
        self._clock = clock
        self._sessions = Sessions()
        self._routes = [
            Route("GET", "/", lambda _: files.file("index.html")),
            Route("GET", "/static/{name}", lambda _, name: files.file(name)),
            Route("GET", "/connect", self._connect),
            Route("GET", "/callback", self._callback),
            Route("GET", "/letters/{letter_id}", self._letter),
            Route("GET", "/api/week", self._week),
            Route("POST", "/api/meetings", self._book),
            Route("POST", "/api/meetings/{event_id}/move", self._move),
            Route("POST", "/api/meetings/{event_id}/cancel", self._cancel),
            Route("POST", "/api/people/{sub}/disconnect", self._disconnect),
            Route("POST", "/api/letters/{letter_id}/answer", self._answer),
        ]

    async def __call__(self, request: Request) -> Response:
        """The SDK blocks, so every request has a thread."""
        return await asyncio.to_thread(self.respond, request)

    def respond(self, request: Request) -> Response:
        try:
            self._guard.check(request)
            route, parts = route_of(request, self._routes)
            response = route.answer(request, parts)
        except Refusal as refusal:
            response = refusal.response
        return Response(response.status, response.body, {**guard.HEADERS, **response.headers})

    # Connecting.

    def _connect(self, request: Request) -> Response:
        name, session = self._named_session(request) or self._sessions.begin()
        answer = Response.to(self._application.authorization_link(session.set_out()))
        # Lax, not Strict: the way back may lead through another site, a real provider's.
        cookie = f"{self._cookie}={name}; Path=/; HttpOnly; SameSite=Lax"
        return Response(answer.status, answer.body, {**answer.headers, "Set-Cookie": cookie})

    def _callback(self, request: Request) -> Response:
        """The redirect URI: brings a code, or the reason why there is none (RFC 6749, 4.1.2)."""
        session = self._session(request)
        known = set(session.people)
        brought = {name: values[-1] for name, values in request.parameters.items()}
        try:
            person = self._connected(session, brought)
            session.say("good", f"{person.name} is connected{' already' if person.sub in known else ''}.")
        except Trouble as trouble:
            session.say("bad", f"Nobody was connected: {trouble}.")
        return Response.to("/")

    def _connected(self, session: Session, brought: Mapping[str, str]) -> Person:
        if not session.returns(brought.get("state", "")):
            raise Trouble("this trip did not begin in this browser, or is over")
        if "code" not in brought:
            raise Trouble(brought.get("error_description") or brought.get("error") or "no reason was given")
        person = self._application.connect(brought["code"])
        if person.sub not in session.people and len(session.people) >= MOST_PEOPLE:
            person.disconnect()
            raise Trouble(f"there is room for {MOST_PEOPLE} people")
        session.people[person.sub] = person
        return person

    def _disconnect(self, request: Request, sub: str) -> Response:
        session = self._session(request)
        _doing(session, _one_of(session.people, sub).disconnect)
        session.people.pop(sub, None)
        return _DONE

    # The picture.

    def _week(self, request: Request) -> Response:
        session, query, now = self._session(request), week_asked(request), self._clock()
        zone = ZoneInfo(query.zone)
        reach = Reach.at(now, zone)
        try:
            week = reach.week_of(query.of, zone)
        except TooFarAway:
            raise refused(HTTPStatus.BAD_REQUEST, "That week is too far away.") from None
        question = Question(week, query.minutes, query.without, now)
        picture = self._picture(session, question)
        mondays = {"monday": week.monday, "first": reach.first, "current": reach.current, "last": reach.last}
        return Response.of_json(
            {
                **picture,
                "week": {name: monday.isoformat() for name, monday in mondays.items()},
                "simulated": self._simulated,
                "room": MOST_PEOPLE,
                "notice": session.heard(),
            }
        )

    def _picture(self, session: Session, question: Question) -> dict[str, Any]:
        """Whoever turns out to be disconnected is left out, and the page says so."""
        while True:
            try:
                return self._painter.picture(list(session.people.values()), question)
            except Disconnected as gone:
                session.forget(str(gone))
            except Trouble as trouble:
                raise refused(HTTPStatus.BAD_GATEWAY, str(trouble)) from None
            except httpx.HTTPError:
                raise refused(HTTPStatus.BAD_GATEWAY, "The mailbox cannot be reached.") from None

    # Meetings.

    def _book(self, request: Request) -> Response:
        session, new = self._session(request), body_of(asked.NewMeeting, request)
        if not new.participants <= session.people.keys():
            raise refused(HTTPStatus.NOT_FOUND, "Somebody of these is not connected here.")
        people = [person for sub, person in session.people.items() if sub in new.participants]
        booking = meetings.Booking(new.title, new.start, new.minutes, new.zone)
        try:
            event_id = _doing(session, lambda: meetings.book(booking, people))
        except meetings.NoLongerFree:
            raise refused(HTTPStatus.CONFLICT, "Somebody is busy at that time by now. Please choose another.") from None
        return Response.of_json({"id": event_id}, HTTPStatus.CREATED)

    def _move(self, request: Request, event_id: str) -> Response:
        session, new = self._session(request), body_of(asked.NewTime, request)
        moved = meetings.Move(new.start, new.end, new.zone)
        _doing(session, lambda: meetings.move(event_id, session.people.values(), moved, self._clock()))
        return _DONE

    def _cancel(self, request: Request, event_id: str) -> Response:
        session = self._session(request)
        _doing(session, lambda: meetings.cancel(event_id, session.people.values()))
        return _DONE

    # Mail.

    def _letter(self, request: Request, letter_id: str) -> Response:
        """The letter's HTML, for a frame in which it can do nothing."""
        letter, _ = self._letter_of(self._session(request), letter_id)
        headers = {"Content-Type": files.HTML, "Content-Security-Policy": guard.LETTER_POLICY}
        return Response(HTTPStatus.OK, (letter.html or "").encode(), headers)

    def _answer(self, request: Request, letter_id: str) -> Response:
        reply = reply_of(request).reply
        letter, person = self._letter_of(self._session(request), letter_id)
        try:
            self._inbox.answer(letter, MAIL_CLIENTS.get(person.provider, "apple"), reply)
        except httpx.HTTPError:
            raise refused(HTTPStatus.CONFLICT, "This message cannot be answered, or not any more.") from None
        return _DONE

    def _letter_of(self, session: Session, letter_id: str) -> tuple[Letter, Person]:
        """The letter, and whose it is. Raises a refusal for those of others."""
        readers = {person.email.lower(): person for person in session.people.values()}
        letter = self._inbox.find(letter_id, readers)
        if letter is None:
            raise refused(HTTPStatus.NOT_FOUND, "There is no such letter here.")
        return letter, readers[letter.to]

    # Sessions.

    def _session(self, request: Request) -> Session:
        """That of the browser. One that never connected anybody has nothing to remember, and gets an empty one."""
        named = self._named_session(request)
        return named[1] if named else Session()

    def _named_session(self, request: Request) -> tuple[str, Session] | None:
        try:
            cookies = SimpleCookie(request.headers.get("cookie", ""))
        except CookieError:
            return None
        name = cookies[self._cookie].value if self._cookie in cookies else ""
        session = self._sessions.find(name)
        return (name, session) if session else None


def _one_of(people: Mapping[str, Person], sub: str) -> Person:
    if sub not in people:
        raise refused(HTTPStatus.NOT_FOUND, "Nobody of that name is connected here.")
    return people[sub]


def _doing(session: Session, what: Callable[[], T]) -> T:
    """Whatever the service says is told to the person."""
    try:
        return what()
    except Disconnected as gone:
        session.forget(str(gone))
        raise refused(HTTPStatus.CONFLICT, "Somebody is no longer connected.") from None
    except Trouble as trouble:
        raise refused(HTTPStatus.BAD_GATEWAY, str(trouble)) from None
