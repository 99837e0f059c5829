"""`make demo`: two people connect, one of each provider; the slots they share are found, and one of them is booked.

Everything goes through the public HTTP API, driven by the official Python SDK of the protocol, unmodified. Invitations
arrive by mail and are answered by mail. A laptop stack that is running already is used; otherwise one is started for
the demo, on ports of its own. With UPSTREAM=cronofy it is two: people, calendars and mail are at the one that stands in
for Cronofy, and the application talks to the other.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pycronofy

from local.browser import visit
from local.stack import CannotStart, port_base

ROOT = Path(__file__).resolve().parent.parent
RUNNING = Path(os.environ.get("STACK_FILE") or ROOT / ".local" / "stack.json")
OWN = ROOT / ".local" / "demo" / "stack.json"
OWN_PORTS = 18080
BEHIND = ROOT / ".local" / "demo" / "upstream.json"
PORTS_BETWEEN = 10
MAIL_LIMIT = 30
"""Seconds until mail must have arrived. It takes a fraction of one, and the first a cold start longer."""

FIRST_HOUR, LAST_HOUR = 8, 18
MINUTES_PER_CELL = 30


@dataclass(frozen=True)
class Person:
    """``busy`` in hours of the day shown; ``mail_client`` is what they answer invitations with."""

    name: str
    email: str
    provider: str
    mail_client: str
    busy: tuple[tuple[float, float], ...]


PEOPLE = (
    Person("Ana", "ana@example.com", "google", "gmail", ((8, 9.5), (11, 12), (13, 13.5), (16, 18))),
    Person("Ben", "ben@contoso.example", "microsoft", "outlook", ((9, 10), (12, 13), (15, 15.5))),
)
SUMMARY = "Planning"
READABLE_LINES = 10
PROVIDER_NAME = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}


T = TypeVar("T")


@dataclass
class Connected:
    person: Person
    client: pycronofy.Client
    sub: str

    @property
    def managed_calendar(self) -> str:
        """The one calendar that the application may write to."""
        calendars = self.client.list_calendars()
        return str(next(each["calendar_id"] for each in calendars if not each["calendar_readonly"]))


def next_working_day(now: datetime) -> datetime:
    day = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    while day.weekday() > 4:  # noqa: PLR2004 - Saturday and Sunday
        day += timedelta(days=1)
    return day


def hours(day: datetime, hour: float) -> str:
    return (day + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")


def simulate(stack: dict[str, Any], person: Person, day: datetime) -> None:
    """The person's calendar at the simulated provider."""
    busy = [{"start": hours(day, start), "end": hours(day, end)} for start, end in person.busy]
    answer = httpx.put(f"{stack[person.provider]}/sim/users/{person.email}", json={"busy": busy})
    answer.raise_for_status()


def connect(stack: dict[str, Any], person: Person) -> Connected:
    """The whole way of an application: link, consent, code, tokens."""
    client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
    redirect_uri = stack["redirect_uris"][0]
    link = client.user_auth_link(
        redirect_uri, scope="free_busy_write", state="demo", provider_name=PROVIDER_NAME[person.provider]
    )
    brought = visit(link, until=redirect_uri, consent={"sim_user": person.email})
    client.get_authorization_from_code(brought["code"])
    return Connected(person, client, client.userinfo()["sub"])


def timeline(day: datetime, periods: list[dict[str, Any]], mark: str) -> str:
    """One character for each half hour of the day shown."""
    cells = []
    cell = day + timedelta(hours=FIRST_HOUR)
    while cell < day + timedelta(hours=LAST_HOUR):
        until = cell + timedelta(minutes=MINUTES_PER_CELL)
        touched = any(_moment(period["start"]) < until and cell < _moment(period["end"]) for period in periods)
        cells.append(mark if touched else "·")
        cell = until
    return "".join(cells)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def show(stack: dict[str, Any]) -> None:
    pycronofy.settings.API_BASE_URL = pycronofy.settings.APP_BASE_URL = stack["url"]
    day = next_working_day(datetime.now(UTC))
    connected = []
    for person in PEOPLE:
        simulate(stack, person, day)
        connected.append(connect(stack, person))
        connected[-1].client.delete_all_events()  # what an earlier demo booked
        print(f"{person.name} connected {person.email} ({PROVIDER_NAME[person.provider]}) as {connected[-1].sub}")

    print(f"\n{day:%A %d %B %Y}, UTC; what the application sees:\n")
    ruler = "".join(f"{hour:<2}" for hour in range(FIRST_HOUR, LAST_HOUR))
    print(f"            {ruler}")
    for each in connected:
        read = each.client.read_free_busy(from_date=hours(day, 0), to_date=hours(day, 24)).all()
        print(f"  {each.person.name:<8}  {timeline(day, read, '█')}  {len(read)} busy periods, no titles")

    slots = shared_slots(connected, day)
    print(f"  {'shared':<8}  {timeline(day, slots, '░')}  one-hour slots when both are free\n")
    for slot in slots:
        names = [each.person.name for each in connected if {"sub": each.sub} in slot["participants"]]
        print(f"  {_moment(slot['start']):%H:%M} to {_moment(slot['end']):%H:%M}   {' and '.join(names)}")
    book(stack, connected, slots, day)


def shared_slots(connected: list[Connected], day: datetime) -> list[dict[str, Any]]:
    slots: list[dict[str, Any]] = connected[0].client.availability(
        participants={"members": [each.sub for each in connected], "required": "all"},
        required_duration=60,
        available_periods=[{"start": hours(day, FIRST_HOUR), "end": hours(day, LAST_HOUR)}],
        response_format="slots",
    )
    return slots


def book(stack: dict[str, Any], connected: list[Connected], slots: list[dict[str, Any]], day: datetime) -> None:
    """Ana's event, to which Ben is invited: the mail that brings it, the answers, and what is free afterwards."""
    host, guest = connected
    slot = slots[0]
    seen = {each["id"] for each in mail_to(stack, host.person) + mail_to(stack, guest.person)}
    event_id, calendar_id = f"demo-{uuid4()}", host.managed_calendar
    invited = {"email": guest.person.email, "display_name": guest.person.name}
    host.client.upsert_event(
        calendar_id,
        {
            "event_id": event_id,
            "summary": SUMMARY,
            "description": "What the next weeks bring.",
            "start": slot["start"],
            "end": slot["end"],
            "location": {"description": "Room 4"},
            "attendees": {"invite": [invited], "remove": []},
        },
    )
    start = f"{_moment(slot['start']):%H:%M}"
    print(f"\nThe application books {start} for {host.person.name} and invites {guest.person.name}. At once:\n")
    print(f"  {'before':<8}  {timeline(day, slots, '░')}")
    print(f"  {'after':<8}  {timeline(day, shared_slots(connected, day), '░')}")

    invitations = [eventually(partial(invitation, stack, each.person, seen)) for each in connected]
    print(f"\nMail for {host.person.email}, from {invitations[0]['from']}:\n")
    for line in [invitations[0]["subject"], "", *readable_lines(invitations[0])]:
        print(f"  │ {line}".rstrip())

    for each, message in zip(connected, invitations, strict=True):
        answer = {"partstat": "ACCEPTED", "client": each.person.mail_client}
        httpx.post(f"{stack['mailbox']}/messages/{message['id']}/reply", json=answer).raise_for_status()
    event = eventually(partial(answered, host, calendar_id, event_id))
    print(f"\n{host.person.name} accepts in Gmail, {guest.person.name} in Outlook; the application reads:\n")
    print(f"  participation_status   {event['participation_status']}")
    for attendee in event["attendees"]:
        print(f"  {attendee['email']:<21}  {attendee['status']}")


def mail_to(stack: dict[str, Any], person: Person) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = httpx.get(f"{stack['mailbox']}/messages", params={"to": person.email}).json()
    return messages


def invitation(stack: dict[str, Any], person: Person, seen: set[str]) -> dict[str, str] | None:
    """The message that asks the person to come, among those that were not there before."""
    new = (each for each in mail_to(stack, person) if each["id"] not in seen)
    return next((each for each in new if asks(parsed(each))), None)


def asks(message: EmailMessage) -> bool:
    return any(part.get_param("method") == "REQUEST" for part in message.walk())


def readable_lines(message: dict[str, str]) -> list[str]:
    """How the text of a message begins."""
    body = parsed(message).get_body(("plain",))
    text = str(body.get_content()) if body else ""
    return text.strip().splitlines()[:READABLE_LINES]


def parsed(message: dict[str, str]) -> EmailMessage:
    return email.message_from_string(message["raw"], policy=email.policy.default)


def answered(host: Connected, calendar_id: str, event_id: str) -> dict[str, Any] | None:
    """The event, once nobody's answer is missing."""
    events = host.client.read_events(calendar_ids=(calendar_id,), only_managed=True).all()
    event: dict[str, Any] = next(each for each in events if each.get("event_id") == event_id)
    answers = [event["participation_status"], *(each["status"] for each in event["attendees"])]
    return event if "needs_action" not in answers else None


def eventually(look: Callable[[], T | None]) -> T:
    """What ``look`` finds, as soon as it finds it."""
    deadline = time.monotonic() + MAIL_LIMIT
    while (found := look()) is None:
        if time.monotonic() > deadline:
            sys.exit("No mail arrived; the logs of the stack may say why.")
        time.sleep(0.05)
    return found


@contextmanager
def some_stack() -> Iterator[dict[str, Any]]:
    """What stack.json says of a stack that runs, for as long as the block lasts."""
    if stack := _answering(RUNNING):
        if not {"google", "microsoft", "mailbox"} <= stack.keys():
            sys.exit("The running stack talks to real providers; the demo needs the simulated ones.")
        print(f"Using the stack at {stack['url']}\n")
        yield stack
        return
    print("Starting the service on this machine ...", flush=True)
    with _started(OWN, port_base(OWN_PORTS)) as stack:
        yield stack


@contextmanager
def through_cronofy() -> Iterator[dict[str, Any]]:
    """Two stacks: the application's address is that of the one in front, all else that of the one behind it."""
    print("Starting the service twice on this machine, once in Cronofy's place ...", flush=True)
    base = port_base(OWN_PORTS)
    with (
        _started(BEHIND, base + PORTS_BETWEEN) as behind,
        _started(OWN, base, UPSTREAM_STACK_FILE=str(BEHIND)) as front,
    ):
        print(f"The application talks to {front['url']}, which asks Cronofy's stand-in at {behind['url']}\n")
        yield {**front, **{name: behind[name] for name in (*PROVIDER_NAME, "mailbox")}}


@contextmanager
def _started(file: Path, ports: int, **more: str) -> Iterator[dict[str, Any]]:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    started = subprocess.Popen(
        [sys.executable, "-m", "local.stack"],
        cwd=ROOT,
        env={**_without_real_providers(), **more, "STACK_FILE": str(file), "PORT_BASE": str(ports)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _ready(started, file)
    finally:
        started.terminate()
        started.communicate()


def _without_real_providers() -> dict[str, str]:
    """The demo is about simulated people."""
    real = ("GOOGLE_", "MICROSOFT_", "CRONOFY_", "UPSTREAM_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(real)}
    return {**kept, "STOP_WITH_PARENT": "1"}


def _ready(started: subprocess.Popen[str], file: Path) -> dict[str, Any]:
    """What the stack says of itself once it is ready. Otherwise it ends, and has told people why on standard error."""
    while not file.exists():
        if started.poll() is not None:
            sys.exit("The demo needs the service, which did not start.")
        time.sleep(0.1)
    stack: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return stack


def _answering(file: Path) -> dict[str, Any] | None:
    """The stack that wrote this file, unless it is gone."""
    try:
        stack: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        httpx.get(f"{stack['url']}/.well-known/oauth-authorization-server", timeout=10).raise_for_status()
    except (OSError, httpx.HTTPError):
        return None
    return stack


def main() -> None:
    upstream = os.environ.get("UPSTREAM") or "direct"
    if upstream not in {"direct", "cronofy"}:
        sys.exit("UPSTREAM is direct or cronofy")
    try:
        with through_cronofy() if upstream == "cronofy" else some_stack() as stack:
            show(stack)
    except CannotStart as error:
        sys.exit(f"The demo cannot run: {error}")


if __name__ == "__main__":
    main()
