"""People of two stacks side by side: one in Cronofy's place, one that reaches calendars through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pycronofy

from local.browser import visit
from tests.e2e.days import at

PROVIDER_NAMES = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}
T = TypeVar("T")


class Somebody:
    """One person with a calendar at a simulated provider, connected to a stack's application."""

    def __init__(self, stack: dict[str, Any], email: str, provider: str = "google") -> None:
        self.stack, self.email, self.provider = stack, email, provider
        pycronofy.settings.API_BASE_URL = pycronofy.settings.APP_BASE_URL = stack["url"]
        self.client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])

    def consent(self) -> None:
        uri = self.stack["redirect_uris"][0]
        link = self.client.user_auth_link(
            uri, scope="free_busy_write", state="s", provider_name=PROVIDER_NAMES[self.provider]
        )
        self.client.get_authorization_from_code(visit(link, until=uri, consent={"sim_user": self.email})["code"])

    @property
    def sub(self) -> str:
        return str(self.client.userinfo()["sub"])

    @property
    def calendar_id(self) -> str:
        calendars = self.client.list_calendars()
        return str(next(each["calendar_id"] for each in calendars if not each["calendar_readonly"]))

    def busy(self) -> list[tuple[str, str, str]]:
        read = self.client.read_free_busy(from_date=at(0), to_date=at(24), include_managed=True).all()
        return [(each["start"], each["end"], each["free_busy_status"]) for each in read]

    def event(self, event_id: str = "booking-7") -> dict[str, Any]:
        events = self.client.read_events(from_date=at(0), to_date=at(24), only_managed=True).all()
        event: dict[str, Any] = next(each for each in events if each["event_id"] == event_id)
        return event

    def book(self, start: float, end: float, *, event_id: str = "booking-7", **more: Any) -> None:
        wanted = {"event_id": event_id, "summary": "Interview", "start": at(start), "end": at(end), **more}
        self.client.upsert_event(self.calendar_id, wanted)

    def free(self, *others: Somebody) -> list[tuple[str, str]]:
        found = self.client.availability(
            participants={"members": [self.sub, *(other.sub for other in others)], "required": "all"},
            required_duration=60,
            available_periods=[{"start": at(8), "end": at(18)}],
        )
        return [(each["start"], each["end"]) for each in found]


def have(stack: dict[str, Any], provider: str, email: str, *busy: tuple[float, float]) -> None:
    body = {"busy": [{"start": at(start), "end": at(end)} for start, end in busy]}
    httpx.put(f"{stack[provider]}/sim/users/{email}", json=body).raise_for_status()


def hours(*periods: tuple[float, float], status: str = "busy") -> list[tuple[str, str, str]]:
    return [(at(start), at(end), status) for start, end in periods]


def assert_free_with_somebody_direct(somebody: Somebody, freebusy: Callable[..., Any]) -> None:
    """``somebody`` is busy from 9 to 10, and the other one, who is not at Cronofy, from 11 to 12."""
    stack = somebody.stack
    direct = Somebody(stack, f"{uuid4().hex[:12]}@contoso.example", "microsoft")
    have(stack, "microsoft", direct.email, (11, 12))
    freebusy("applications", "upstream", stack["client_id"], "direct")
    try:
        direct.consent()
    finally:
        freebusy("applications", "upstream", stack["client_id"], "default")
    expected = [(at(8), at(9)), (at(10), at(11)), (at(12), at(18))]
    assert somebody.free(direct) == direct.free(somebody) == expected


def follow(address: str, email: str) -> int:
    """A browser at a relink address, whose person agrees; the status of the page where it ends."""
    with httpx.Client(timeout=30) as browser:
        for _ in range(10):
            response = browser.get(address)
            if response.next_request is None:
                break
            address = str(response.next_request.url)
            if "oauth2" in address:
                address = str(httpx.URL(address).copy_merge_params({"sim_user": email}))
    return response.status_code
