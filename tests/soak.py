"""Many events that change while mail fails and functions crash, and what everybody's calendar must show in the end.

A calendar is right when it shows, of all that was ever mailed, exactly what the application last wrote: nothing lost,
nothing left behind, every time and title the newest one. What is written is drawn from a seed; which sends fail and
which processes are killed is left to the machine, and so to its timing.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_string
from functools import partial
from http import HTTPStatus
from os import kill
from pathlib import Path
from typing import Any

import httpx
import pycronofy
from icalendar import Calendar
from pycronofy.exceptions import PyCronofyRequestError

from tests.e2e.days import at

SHARE = 0.2
FAILURES: tuple[Mapping[str, Any], ...] = (
    {"status": 503},
    {"status": 503, "taken": True},  # The mail goes out and nobody is told: a crash between sending and marking.
    {"status": 429},
)
FAILURES_CHANGE = 10.0
"""Seconds. Each begins with the same throws of the dice, so that they must not change all the time."""

KILLED = ("on_event_changed", "on_invitation_due")
GUESTS = 12
CHANGES = 2
"""To each event, on average, beside its creation."""

REPEATS = 3
LOOK = 0.5
"""Seconds between two looks at the calendars."""

PROCESSES = Path("/proc")
"""Where Linux shows processes and their environment, by which those of a stack are known."""

Shown = tuple[str, str, str]
"""An event in somebody's calendar: its summary, start and end."""


# --- What the application writes -------------------------------------------------------------------


@dataclass
class Booking:
    """One event as the application last wrote it. No other event ever has its ``summary``."""

    number: int
    owner: str
    guests: frozenset[str]
    hour: int
    title: int = 0
    deleted: bool = False

    @property
    def event_id(self) -> str:
        return f"soak-{self.number}"

    @property
    def shown(self) -> Shown:
        return f"Soak {self.number}, title {self.title}", at(self.hour), at(self.hour + 1)

    @property
    def invited(self) -> frozenset[str]:
        return frozenset() if self.deleted else self.guests | {self.owner}


class Writer:
    """One account's events, created and changed through the official SDK, in an order drawn from a seed."""

    def __init__(self, client: pycronofy.Client, email: str, numbers: Sequence[int], guests: Sequence[str]) -> None:
        self._client = client
        calendars = client.list_calendars()
        self._calendar_id = next(each["calendar_id"] for each in calendars if not each["calendar_readonly"])
        self._email, self._numbers, self._guests = email, numbers, guests
        self._dice = random.Random(numbers[0])  # noqa: S311 - chance that can be repeated
        self._kinds = (self._move, self._rename, self._invite, self._uninvite, self._delete)
        self.bookings: list[Booking] = []
        self.writes = self.repeated = 0

    def run(self) -> None:
        for number in self._numbers:
            self._create(number)
            for _ in range(CHANGES):
                self._change(self._dice.choice(self.bookings))

    def _create(self, number: int) -> None:
        guests = frozenset(self._dice.sample(self._guests, 1 + number % 2))
        booking = Booking(number, self._email, guests, hour=number % 200)
        self.bookings.append(booking)
        self._upsert(booking, invite=guests)

    def _change(self, booking: Booking) -> None:
        if booking.deleted:
            self._create_again(booking)
        else:
            self._dice.choice(self._kinds)(booking)

    def _move(self, booking: Booking) -> None:
        booking.hour += 1
        self._upsert(booking)

    def _rename(self, booking: Booking) -> None:
        booking.title += 1
        self._upsert(booking)

    def _invite(self, booking: Booking) -> None:
        guest = frozenset({self._dice.choice(self._guests)})
        booking.guests |= guest
        self._upsert(booking, invite=guest)

    def _uninvite(self, booking: Booking) -> None:
        gone = frozenset(sorted(booking.guests)[:1])
        booking.guests -= gone
        self._upsert(booking, remove=gone)

    def _delete(self, booking: Booking) -> None:
        booking.deleted = True
        self._write(partial(self._client.delete_event, self._calendar_id, booking.event_id))

    def _create_again(self, booking: Booking) -> None:
        """Under the same id, and for the account's person alone."""
        booking.deleted, booking.guests = False, frozenset()
        self._upsert(booking)

    def _upsert(
        self, booking: Booking, *, invite: frozenset[str] = frozenset(), remove: frozenset[str] = frozenset()
    ) -> None:
        summary, start, end = booking.shown
        attendees = {name: [{"email": email} for email in emails] for name, emails in _named(invite, remove)}
        event = {"event_id": booking.event_id, "summary": summary, "start": start, "end": end, "attendees": attendees}
        self._write(partial(self._client.upsert_event, self._calendar_id, event))

    def _write(self, write: Callable[[], object]) -> None:
        """Again, as applications do, when the service is too busy to answer: an upsert is the same made twice."""
        self.writes += 1
        for _ in range(REPEATS):
            try:
                write()
            except PyCronofyRequestError as error:
                if error.response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                self.repeated += 1
            else:
                return
        write()


def _named(invite: frozenset[str], remove: frozenset[str]) -> Iterator[tuple[str, list[str]]]:
    yield "invite", sorted(invite)
    yield "remove", sorted(remove)


# --- Trouble ---------------------------------------------------------------------------------------


class Trouble:
    """Failing sends, of one kind after the other, and processes of the stack that are killed while they work."""

    def __init__(self, stack: Mapping[str, Any], *, kill_every: float) -> None:
        self._endpoint = f"AWS_ENDPOINT_URL={stack['aws']}"
        self._faults = f"{stack['mailbox']}/sim/faults"
        self._kill_every = kill_every
        self._over = threading.Event()
        self._dice = random.Random(0)  # noqa: S311 - whom it strikes depends on timing all the same
        self.killed = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        with ThreadPoolExecutor(2) as pool:
            struck = [pool.submit(self._fail_sends), pool.submit(self._kill_processes)]
            try:
                yield
            finally:
                self._over.set()
        for each in struck:
            each.result()

    def _fail_sends(self) -> None:
        turn = 0
        while not self._over.is_set():
            fault = {**FAILURES[turn % len(FAILURES)], "share": SHARE}
            httpx.put(self._faults, json={"send": fault}).raise_for_status()
            self._over.wait(FAILURES_CHANGE)
            turn += 1
        httpx.delete(self._faults).raise_for_status()

    def _kill_processes(self) -> None:
        while not self._over.wait(self._kill_every):
            if living := self._sandboxes():
                with suppress(ProcessLookupError):
                    kill(self._dice.choice(living), signal.SIGKILL)
                    self.killed += 1

    def _sandboxes(self) -> list[int]:
        return [int(folder.name) for folder in PROCESSES.glob("[0-9]*") if self._is_ours(folder)]

    def _is_ours(self, process: Path) -> bool:
        try:
            environment = (process / "environ").read_text(encoding="utf-8", errors="replace").split("\0")
        except OSError:  # of somebody else, or gone
            return False
        functions = {f"AWS_LAMBDA_LOG_STREAM_NAME={name}" for name in KILLED}
        return self._endpoint in environment and not functions.isdisjoint(environment)


# --- The judge -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """``wrong`` says of each person whose calendar is not right what is ``missing`` and what is ``left_over``."""

    events: int
    people: int
    writes: int
    repeated: int
    messages: int
    duplicates: int
    killed: int
    writing_seconds: float
    all_seconds: float
    wrong: Mapping[str, Mapping[str, list[Shown]]]


def soak(
    stack: Mapping[str, Any],
    accounts: Mapping[str, pycronofy.Client],
    *,
    events: int,
    kill_every: float,
    patience: float,
    until_right: bool = False,
) -> Verdict:
    """Writes ``events`` events of these accounts, which are given by their address, and waits for all calendars.

    ``patience`` is how many seconds that may take from the last write on. Trouble ends with the last write, or goes on
    ``until_right``.
    """
    guests = [f"guest-{number}-{time.monotonic_ns()}@soak.example" for number in range(GUESTS)]
    shares = [range(events)[first :: len(accounts)] for first in range(len(accounts))]
    writers = [
        Writer(client, email, numbers, guests)
        for (email, client), numbers in zip(accounts.items(), shares, strict=True)
    ]
    people = [*accounts, *guests]
    trouble = Trouble(stack, kill_every=kill_every)
    began = time.monotonic()
    with trouble.going_on():
        with ThreadPoolExecutor(len(writers)) as pool:
            for done in [pool.submit(writer.run) for writer in writers]:
                done.result()
        written = time.monotonic()
        expected = _expected(writers)
        if until_right:
            _settled(stack, people, expected, until=written + patience)
    wrong = _settled(stack, people, expected, until=written + patience)
    ended = time.monotonic()
    messages = _messages(stack, people)
    return Verdict(
        events=events,
        people=len(people),
        writes=sum(writer.writes for writer in writers),
        repeated=sum(writer.repeated for writer in writers),
        messages=sum(messages.values()),
        duplicates=sum(messages.values()) - len(messages),
        killed=trouble.killed,
        writing_seconds=written - began,
        all_seconds=ended - began,
        wrong=wrong,
    )


def _expected(writers: Sequence[Writer]) -> Mapping[str, Counter[Shown]]:
    calendars: defaultdict[str, Counter[Shown]] = defaultdict(Counter)
    for writer in writers:
        for booking in writer.bookings:
            for person in booking.invited:
                calendars[person][booking.shown] += 1
    return calendars


def _settled(
    stack: Mapping[str, Any], people: Sequence[str], expected: Mapping[str, Counter[Shown]], *, until: float
) -> Mapping[str, Mapping[str, list[Shown]]]:
    """What is still wrong when nothing is any more, or when time is up."""
    while (wrong := _differences(stack, people, expected)) and time.monotonic() < until:
        time.sleep(LOOK)
    return wrong


def _differences(
    stack: Mapping[str, Any], people: Sequence[str], expected: Mapping[str, Counter[Shown]]
) -> Mapping[str, Mapping[str, list[Shown]]]:
    wrong = {}
    for person in people:
        shown, wanted = _calendar(stack, person), expected.get(person, Counter())
        if shown != wanted:
            wrong[person] = {
                "missing": sorted((wanted - shown).elements()),
                "left_over": sorted((shown - wanted).elements()),
            }
    return wrong


def _calendar(stack: Mapping[str, Any], person: str) -> Counter[Shown]:
    entries = httpx.get(f"{stack['mailbox']}/calendars/{person}", timeout=30).json()
    return Counter((each["summary"], each["start"], each["end"]) for each in entries if not each["cancelled"])


def _messages(stack: Mapping[str, Any], people: Sequence[str]) -> Counter[tuple[str, ...]]:
    """How often everybody was sent each message: copies have the same UID, SEQUENCE and DTSTAMP (RFC 5546, 2.1.5)."""
    sent: Counter[tuple[str, ...]] = Counter()
    for person in people:
        for message in httpx.get(f"{stack['mailbox']}/messages", params={"to": person}, timeout=60).json():
            sent[person, *_name_of(message["raw"])] += 1
    return sent


def _name_of(raw: str) -> tuple[str, ...]:
    (part,) = (part for part in message_from_string(raw).walk() if part.get_content_type() == "text/calendar")
    content: Any = part.get_payload(decode=True)
    calendar = Calendar.from_ical(content)
    (event,) = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), str(event["UID"]), str(event["SEQUENCE"]), event.decoded("DTSTAMP").isoformat()
