"""`make demo`: two people connect, one of each provider, and the slots they share are found.

Everything goes through the public HTTP API, driven by the official Python SDK of the protocol, unmodified.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pycronofy

from local.browser import visit

STACK_FILE = Path(os.environ.get("STACK_FILE", ".local/stack.json"))
FIRST_HOUR, LAST_HOUR = 8, 18
MINUTES_PER_CELL = 30


@dataclass(frozen=True)
class Person:
    """``busy`` in hours of the day shown."""

    name: str
    email: str
    provider: str
    busy: tuple[tuple[float, float], ...]


PEOPLE = (
    Person("Ana", "ana@example.com", "google", ((8, 9.5), (11, 12), (13, 13.5), (16, 18))),
    Person("Ben", "ben@contoso.example", "microsoft", ((9, 10), (12, 13), (15, 15.5))),
)
PROVIDER_NAME = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}


@dataclass
class Connected:
    person: Person
    client: pycronofy.Client
    sub: str


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
        print(f"{person.name} connected {person.email} ({PROVIDER_NAME[person.provider]}) as {connected[-1].sub}")

    print(f"\n{day:%A %d %B %Y}, UTC; what the application sees:\n")
    ruler = "".join(f"{hour:<2}" for hour in range(FIRST_HOUR, LAST_HOUR))
    print(f"            {ruler}")
    for each in connected:
        read = each.client.read_free_busy(from_date=hours(day, 0), to_date=hours(day, 24)).all()
        print(f"  {each.person.name:<8}  {timeline(day, read, '█')}  {len(read)} busy periods, no titles")

    window = [{"start": hours(day, FIRST_HOUR), "end": hours(day, LAST_HOUR)}]
    slots = connected[0].client.availability(
        participants={"members": [each.sub for each in connected], "required": "all"},
        required_duration=60,
        available_periods=window,
        response_format="slots",
    )
    print(f"  {'shared':<8}  {timeline(day, slots, '░')}  one-hour slots when both are free\n")
    for slot in slots:
        names = [each.person.name for each in connected if {"sub": each.sub} in slot["participants"]]
        print(f"  {_moment(slot['start']):%H:%M} to {_moment(slot['end']):%H:%M}   {' and '.join(names)}")
