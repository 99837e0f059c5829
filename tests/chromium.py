"""Somebody in front of the distribution's Chromium, with a mouse and a keyboard."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import ConsoleMessage, Error, Locator, Page, Request, expect

from tests.npm import installed
from tests.waiting import PATIENCE

CHROMIUM = shutil.which("chromium")
IN_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.stack,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian's package is called chromium)"),
]

MILLISECONDS = 1000 * PATIENCE

ZONE = "Europe/Berlin"
PHONE, DESKTOP = (390, 844), (1280, 900)
PROVIDERS = {"google": "Google Calendar", "microsoft": "Microsoft 365"}

WCAG_22_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
MOST_BYTES = 50_000
"""Of a page for people."""
_MOST_STOPS = 200
_HAS_FOCUS = "element => element === document.activeElement"

expect.set_options(timeout=MILLISECONDS)


@dataclass
class Visitor:
    """``trouble`` is what no page may do: break, offend its own policy, or ask anybody but the stack."""

    page: Page
    stack: dict[str, Any]
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(MILLISECONDS)
        self.page.on("console", self._notice_message)
        self.page.on("pageerror", self._notice_error)
        self.page.on("request", self._notice_request)

    def _notice_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.trouble.append(message.text)

    def _notice_error(self, error: Error) -> None:
        self.trouble.append(str(error))

    def _notice_request(self, request: Request) -> None:
        origins = {self.stack[name] for name in ("url", "demo", "google", "microsoft")}
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" not in origins:
            self.trouble.append(f"asks {request.url}")

    @contextmanager
    def expecting(self, status: str) -> Iterator[None]:
        """Chromium reports every page that is not a 200, also those that are meant to be one; such a page may come."""
        yield
        meant = f"the server responded with a status of {status} "
        self.trouble[:] = [trouble for trouble in self.trouble if meant not in trouble]

    # At the demo.

    def open(self) -> None:
        self.page.goto(self.stack["demo"])

    def connect(self, provider: str, email: str) -> None:
        self.go_to_consent_of(provider)
        self.sign_in(email)
        self.allow()

    def go_to_consent_of(self, provider: str) -> None:
        self.link("Connect").click()
        self.link(f"Connect {PROVIDERS[provider]}").click()

    def sign_in(self, email: str) -> None:
        self.page.get_by_label("Somebody else").or_(self.page.get_by_label("E-mail")).fill(email)

    def allow(self) -> None:
        self.button("Allow").click()
        expect(self.page).to_have_url(f"{self.stack['demo']}/")

    def next_week(self, act: Callable[[Locator], None] = Locator.click) -> None:
        """Turns the page, and waits until it is turned: days and hours look the same in every week."""
        heading = self.page.get_by_role("heading", name="Week of")
        before = heading.inner_text()
        act(self.button("Next week"))
        expect(heading).not_to_have_text(before)

    def link(self, name: str) -> Locator:
        """The first of that name."""
        return self.page.get_by_role("link", name=name).first

    def button(self, name: str, **options: Any) -> Locator:
        return self.page.get_by_role("button", name=name, **options)

    def start(self, day: str, hours: str) -> Locator:
        """The button of a time in the week; ``hours`` as the page writes them."""
        return self.page.get_by_role("button", name=re.compile(rf"^{day} [^,]*, {hours}\. "))

    def sees(self, text: str) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def looks_right(self) -> None:
        """In every way that people look at a page: axe finds nothing, nothing sticks out, and it is light to load."""
        for width, height in (DESKTOP, PHONE, (320, 640)):
            self.page.set_viewport_size({"width": width, "height": height})
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                assert violations(self.page) == []
        assert len(self.page.content().encode()) < MOST_BYTES
        assert self.page.locator("html").get_attribute("lang") == "en"

    # By keyboard.

    def tab_to(self, target: Locator) -> None:
        """Presses Tab until it is there, as whoever has no mouse."""
        target.wait_for()
        for _ in range(_MOST_STOPS):
            if target.evaluate(_HAS_FOCUS):
                return
            self.press("Tab")
        raise AssertionError(f"the Tab key does not lead to {target}")

    def press_until(self, key: str, said: str) -> None:
        """Presses an arrow key until what has the focus is called something with this in it."""
        for _ in range(_MOST_STOPS):
            if said in self.page.evaluate("document.activeElement.ariaLabel ?? ''"):
                return
            self.press(key)
        raise AssertionError(f"{key} does not lead to {said}")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.press("Control+a")
        self.page.keyboard.type(text)


@cache
def axe() -> str:
    """The script of axe-core."""
    return (installed("axe-core@4.14.1") / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe finds on the page as it is now; by default its best practices count, too."""
    page.evaluate(axe())
    asked: dict[str, Any] = {"iframes": False, "resultTypes": ["violations"]}
    asked["runOnly"] = rules or [*WCAG_22_AA, "best-practice"]
    found = page.evaluate("asked => axe.run(asked)", asked)
    return [f"{each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]


def put_person(stack: dict[str, Any], provider: str, email: str, **described: Any) -> None:
    httpx.put(f"{stack[provider]}/sim/users/{email}", json=described).raise_for_status()
