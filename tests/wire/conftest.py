"""What the protocol's SDKs cannot live without, by the numbers of the contract's own list.

Everything goes over real HTTP through the laptop stack, and no number of the list is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from local.browser import visit
from tests.sdks import NODE, RUBY, Sdk

PROVIDER_NAME = {"google": "google_free_busy", "microsoft": "ms_graph_free_busy"}


@dataclass(frozen=True)
class Calendar:
    """Times relative to the midnight (UTC) that begins the first day, a week ahead."""

    midnight: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=7)
    )

    def at(self, hour: float, *, day: int = 0) -> str:
        return (self.midnight + timedelta(days=day, hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def event(self, event_id: str, hour: float = 9, **more: Any) -> dict[str, Any]:
        return {"event_id": event_id, "summary": "Interview", "start": self.at(hour), "end": self.at(hour + 1), **more}

    def busy(self, start: float, end: float, *, day: int = 0, status: str = "busy") -> dict[str, str]:
        return {"start": self.at(start, day=day), "end": self.at(end, day=day), "status": status}


@dataclass(frozen=True)
class Service:
    """The laptop stack as an application and the people who connect to it see it."""

    stack: dict[str, Any]

    @property
    def redirect_uri(self) -> str:
        return self.stack["redirect_uris"][0]

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.stack["client_id"], "client_secret": self.stack["client_secret"]}

    def url(self, path: str) -> str:
        return self.stack["url"] + path

    def authorization_link(self, provider: str = "google", **parameters: str) -> str:
        asked = {
            "response_type": "code",
            "client_id": self.stack["client_id"],
            "redirect_uri": self.redirect_uri,
            "scope": "free_busy_write",
            "provider_name": PROVIDER_NAME[provider],
            **parameters,
        }
        return self.url(f"/oauth/authorize?{urlencode(asked)}")

    def code(self, email: str, provider: str = "google", busy: Sequence[dict[str, str]] = (), **parameters: str) -> str:
        """The person, whose calendar this is, connects it."""
        person = httpx.put(f"{self.stack[provider]}/sim/users/{email}", json={"busy": list(busy)})
        person.raise_for_status()
        link = self.authorization_link(provider, **parameters)
        return visit(link, until=self.redirect_uri, consent={"sim_user": email})["code"]

    def exchanged(self, sdk: Sdk, code: str, **how: Any) -> httpx.Response:
        fields = {**self.credentials, "grant_type": "authorization_code", "code": code}
        fields |= {"redirect_uri": self.redirect_uri, **sdk.extra_in_code_exchange}
        return sdk.post_oauth(self.url("/oauth/token"), fields, **how)

    def refreshed(self, sdk: Sdk, refresh_token: str, **how: Any) -> httpx.Response:
        fields = {**self.credentials, "grant_type": "refresh_token", "refresh_token": refresh_token}
        return sdk.post_oauth(self.url("/oauth/token"), fields, **how)

    def revoked(self, sdk: Sdk, what: dict[str, Any], **how: Any) -> httpx.Response:
        return sdk.post_oauth(self.url("/oauth/token/revoke"), {**self.credentials, **what}, **how)

    def connected(self, email: str, provider: str = "google", **more: Any) -> dict[str, Any]:
        """The answer of the token endpoint for somebody who has just connected."""
        answer = self.exchanged(NODE, self.code(email, provider, **more))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def booking(self, email: str) -> Booking:
        """Somebody who has just connected and has no events."""
        token = self.connected(email)["access_token"]
        NODE.delete(self.url("/v1/events"), {"delete_all": True}, bearer=token)
        calendars = NODE.get(self.url("/v1/calendars"), bearer=token).json()["calendars"]
        return Booking(self, token, *(calendar["calendar_id"] for calendar in calendars))

    def is_recognised(self, access_token: str) -> bool:
        answer = NODE.get(self.url("/v1/account"), bearer=access_token)
        assert answer.status_code in {200, 401}
        return answer.status_code == 200


@dataclass(frozen=True)
class Booking:
    """A person's two calendars, of which applications write events into the managed one."""

    service: Service
    token: str
    google: str
    managed: str

    @property
    def path(self) -> str:
        return f"/v1/calendars/{self.managed}/events"

    def book(self, *events: dict[str, Any], sdk: Sdk = NODE) -> None:
        for event in events:
            answer = sdk.post(self.service.url(self.path), event, bearer=self.token)
            assert (answer.status_code, answer.content) == (202, b""), answer.text

    def booked(self) -> list[str]:
        everything = {"tzid": "Etc/UTC", "only_managed": True}
        events = NODE.get(self.service.url("/v1/events"), everything, bearer=self.token).json()["events"]
        return [event["event_id"] for event in events]


@dataclass(frozen=True)
class Ana:
    """An account with both providers: 250 quarters of an hour at Google, a few periods of other kinds at Microsoft."""

    token: str
    sub: str
    google: str
    microsoft: str
    managed: str


@pytest.fixture(scope="session")
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture(scope="session")
def service(stack: dict[str, Any]) -> Service:
    return Service(stack)


@pytest.fixture(scope="session")
def ana(service: Service, calendar: Calendar) -> Ana:
    quarters = [calendar.busy(quarter / 2, quarter / 2 + 0.25) for quarter in range(250)]
    at_google = [*quarters, calendar.busy(9, 10, day=20)]
    at_microsoft = [
        calendar.busy(8, 9, day=21, status="free"),
        calendar.busy(10, 11, day=21, status="tentative"),
        calendar.busy(12, 13, day=21, status="oof"),
    ]
    tokens = service.connected("ana@google.example", busy=at_google)
    token = tokens["access_token"]
    link_token = RUBY.post(service.url("/v1/link_tokens"), bearer=token).json()["link_token"]
    linked = service.connected("ana@contoso.example", "microsoft", busy=at_microsoft, link_token=link_token)
    assert linked["sub"] == tokens["sub"]
    calendars = NODE.get(service.url("/v1/calendars"), bearer=token).json()["calendars"]
    google, microsoft, managed = (calendar["calendar_id"] for calendar in calendars)
    return Ana(token, tokens["sub"], google, microsoft, managed)
