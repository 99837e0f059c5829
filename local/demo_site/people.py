"""Connected people, through the official Python SDK of the protocol.

Errors of the SDK are translated here; nothing else of the demo knows it. What it raises is never logged or shown,
since its messages hold the whole request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from threading import Lock
from typing import Any, TypeVar

import pycronofy
from pycronofy.exceptions import PyCronofyRequestError

from local.demo_site.bands import Band, Kind, moment, written

SCOPE = "free_busy_write"
MANAGED = "cronofy"
"""``provider_name`` of the profile whose one calendar holds what this application writes."""

_ENDED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.BAD_REQUEST}
"""401 of the API; only the token endpoint answers 400, to a refresh that is refused."""

Kept = dict[str, list[str]]
"""What keeps whom, by ``sub``: the causes of the API. Whoever is not in it is free."""

T = TypeVar("T")


class Trouble(Exception):
    """The service does not do it now; the message is for people."""


class Disconnected(Exception):
    """The person's authorization is gone: revoked by them, or by this application in another browser."""


@dataclass(frozen=True, slots=True)
class Application:
    """This demo as it is registered at the service."""

    client_id: str
    client_secret: str
    redirect_uri: str

    def authorization_link(self, state: str) -> str:
        """Where a browser goes to connect a calendar; the service asks which provider it is at."""
        return str(self._client().user_auth_link(self.redirect_uri, scope=SCOPE, state=state))

    def connect(self, code: str) -> Person:
        """Redeems the code that came to the redirect URI. Raises Trouble."""
        client = self._client()
        try:
            client.get_authorization_from_code(code, self.redirect_uri)
            return Person(client, client.userinfo())
        except (PyCronofyRequestError, OSError):
            raise Trouble("the service did not take the code") from None

    def _client(self) -> pycronofy.Client:
        return pycronofy.Client(client_id=self.client_id, client_secret=self.client_secret)


@dataclass(frozen=True, slots=True)
class Reading:
    """``unreadable`` is why the calendar could not be read, if it could not: the whole time is then unknown."""

    bands: tuple[Band, ...]
    unreadable: str | None


class Person:
    """One account, known by its ``sub``. The tokens stay in memory, inside of ``client``."""

    def __init__(self, client: pycronofy.Client, userinfo: dict[str, Any]) -> None:
        self._client = client
        self._renewing = Lock()
        profiles = userinfo["cronofy.data"]["profiles"]
        profile = next(each for each in profiles if each["provider_name"] != MANAGED)
        managed = next(each for each in profiles if each["provider_name"] == MANAGED)
        self.sub: str = userinfo["sub"]
        self.email: str = profile["profile_name"]
        self.name: str = userinfo.get("name") or self.email
        self.provider: str = profile["provider_name"]
        self._calendar: str = managed["profile_calendars"][0]["calendar_id"]

    def read(self, start: datetime, end: datetime) -> Reading:
        """The person's own calendar, without what this application wrote."""
        pages = self._ask(lambda client: client.read_free_busy(from_date=start, to_date=end, include_managed=False))
        unreadable = pages.json().get("unreadable_calendars", [])
        rows = self._ask(lambda _: pages.all())
        bands = [Band(moment(row["start"]), moment(row["end"]), Kind(row["free_busy_status"])) for row in rows]
        return Reading(tuple(bands), unreadable[0]["reason"] if unreadable else None)

    def events(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """What this application wrote, as ``GET /v1/events`` shows it."""
        return self._ask(lambda client: client.read_events(from_date=start, to_date=end, only_managed=True).all())

    def kept(self, subs: Collection[str], starts: Sequence[datetime], minutes: int) -> dict[datetime, Kept]:
        """Whom of these people something keeps from meeting for that long, for each of the starts.

        Any member's access token may ask about other accounts of the same application. With everybody required, what
        is explained of a start names all who are not free then. An explanation has its limits, and says where it ends.
        """
        kept: dict[datetime, Kept] = {start: {} for start in starts}
        left = sorted(starts)
        while left:
            explanation = self._explained(subs, left, minutes)
            for row in explanation["missing"]:
                first, last = moment(row["first_start"]), moment(row["last_start"])
                away = {each["sub"]: each["causes"] for group in row["groups"] for each in group["members"]}
                kept |= {start: away for start in left if first <= start <= last}
            until = explanation.get("explained_until")
            left = [start for start in left if until and moment(until) <= start]
        return kept

    def _explained(self, subs: Collection[str], starts: Sequence[datetime], minutes: int) -> dict[str, Any]:
        """Asked as the SDK asks for availability, whose method does not know ``explain``."""
        query = {
            "participants": [{"members": [{"sub": sub} for sub in subs], "required": "all"}],
            "required_duration": {"minutes": minutes},
            "query_slots": [{"start": written(start)} for start in starts],
            "response_format": "slots",
            "explain": True,
        }
        answer = self._ask(lambda client: client.request_handler.post(endpoint="availability", data=query))
        return dict(answer.json()["explanation"])

    def write(self, event_id: str, start: datetime, end: datetime, **details: str) -> None:
        """Creates or changes an event; whoever it belongs to gets an invitation, or an update, by mail."""
        event = {"event_id": event_id, "start": written(start), "end": written(end), **details}
        self._ask(lambda client: client.upsert_event(self._calendar, event))

    def delete(self, event_id: str) -> None:
        self._ask(lambda client: client.delete_event(self._calendar, event_id))

    def relink_url(self) -> str | None:
        """Where the person connects a lapsed profile again."""
        profiles = self._ask(lambda client: client.list_profiles())
        return next((each["profile_relink_url"] for each in profiles if "profile_relink_url" in each), None)

    def disconnect(self) -> None:
        """Ends the account's whole authorization; the service forgets the provider's credential at once."""
        with suppress(Disconnected):
            self._ask(lambda client: client.revoke_authorization())

    def _ask(self, question: Callable[[pycronofy.Client], T]) -> T:
        """Raises Disconnected and Trouble, and nothing else of the SDK."""
        try:
            with self._renewing:
                if self._client.is_authorization_expired():
                    self._client.refresh_authorization()
            return question(self._client)
        except PyCronofyRequestError as error:
            if error.response.status_code in _ENDED:
                raise Disconnected(self.sub) from None
            raise Trouble(f"The service answered {error.response.status_code}. Please try again.") from None
        except OSError:  # every error of requests is one
            raise Trouble("The service cannot be reached. Please try again.") from None
