"""`make demo`: two people connect, one of each provider, and the slots they share are found.

Everything goes through the public HTTP API, driven by the official Python SDK of the protocol, unmodified. A laptop
stack that is running already is used; otherwise one is started for the demo, on ports of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pycronofy

from local.browser import visit

ROOT = Path(__file__).resolve().parent.parent
RUNNING = Path(os.environ.get("STACK_FILE") or ROOT / ".local" / "stack.json")
OWN = ROOT / ".local" / "demo" / "stack.json"
OWN_PORTS = 18080
START_LIMIT = 120

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


@contextmanager
def some_stack() -> Iterator[dict[str, Any]]:
    """What stack.json says of a stack that runs, for as long as the block lasts."""
    if stack := _answering(RUNNING):
        if "google" not in stack or "microsoft" not in stack:
            sys.exit("The running stack talks to real providers; the demo needs the simulated ones.")
        print(f"Using the stack at {stack['url']}\n")
        yield stack
        return
    OWN.parent.mkdir(parents=True, exist_ok=True)
    OWN.unlink(missing_ok=True)
    started = subprocess.Popen(
        [sys.executable, "-m", "local.stack"], cwd=ROOT, env=_own_environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        print("Starting the service on this machine ...", flush=True)
        yield _ready(started)
    finally:
        started.terminate()
        started.communicate()


def _own_environment() -> dict[str, str]:
    """Without the client ids of real providers: the demo is about simulated people."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "MICROSOFT_"))}
    return {**kept, "STACK_FILE": str(OWN), "PORT_BASE": str(OWN_PORTS), "STOP_WITH_PARENT": "1"}


def _ready(started: subprocess.Popen[str]) -> dict[str, Any]:
    deadline = time.monotonic() + START_LIMIT
    while not (stack := _answering(OWN)):
        if started.poll() is not None or time.monotonic() > deadline:
            started.terminate()
            sys.exit(f"The service did not start:\n{started.communicate()[0]}")
        time.sleep(0.1)
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
    with some_stack() as stack:
        show(stack)


if __name__ == "__main__":
    main()
