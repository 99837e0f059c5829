"""Chromium, and people in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, sync_playwright

from local.demo_site.week import Reach
from tests.chromium import CHROMIUM, DESKTOP, ZONE, Visitor, put_person
from tests.command_line import CommandLine
from tests.pictures import png

NEXT_WEEK = Reach.at(datetime.now(UTC), ZoneInfo(ZONE)).current + timedelta(weeks=1)
TUESDAY = NEXT_WEEK + timedelta(days=1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with the tests of a file: while Playwright runs, nothing else in this thread can run an event loop."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def register(stack: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Registers an application at the command line, with a logo and a home page; returns its client id.

    People come back to the demo, which ignores them.
    """
    folder = tmp_path_factory.mktemp("cli")
    (folder / "logo.png").write_bytes(png(width=64, height=64))

    freebusy = CommandLine.on(stack, folder)

    def made(name: str) -> str:
        created = freebusy("applications", "create", name, "--redirect-uri", f"{stack['demo']}/")
        client_id: str = created["client_id"]
        freebusy("applications", "logo", "set", client_id, str(folder / "logo.png"))
        freebusy("applications", "home-page", "set", client_id, "https://planner.example/about")
        return client_id

    return made


@pytest.fixture
def visitor(browser: Browser, stack: dict[str, Any]) -> Iterator[Visitor]:
    """Somebody with a browser of their own, in Berlin. Whatever they did, no page may have been in trouble."""
    width, height = DESKTOP
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="en-GB", timezone_id=ZONE, reduced_motion="reduce"
    )
    someone = Visitor(context.new_page(), stack)
    yield someone
    context.close()
    assert someone.trouble == []


NUMBERS = count(1)


@pytest.fixture
def kim(stack: dict[str, Any]) -> str:
    """Somebody new at Google: on Tuesday of next week busy from nine to ten, and from two to three."""
    return newcomer(stack, "google", "kim", "example.com", (9, 10), (14, 15))


@pytest.fixture
def lee(stack: dict[str, Any]) -> str:
    """Somebody new at Microsoft: on that Tuesday busy from noon to one."""
    return newcomer(stack, "microsoft", "lee", "contoso.example", (12, 13))


def newcomer(stack: dict[str, Any], provider: str, name: str, domain: str, *busy: tuple[float, float]) -> str:
    email = f"{name}.{next(NUMBERS)}@{domain}"
    put_person(stack, provider, email, busy=[{"start": at(start), "end": at(end)} for start, end in busy], zone=ZONE)
    return email


def at(hour: float) -> str:
    """That hour of Tuesday in Berlin."""
    midnight = datetime.combine(TUESDAY, datetime.min.time(), ZoneInfo(ZONE))
    return (midnight + timedelta(hours=hour)).isoformat()
