"""Cronofy's HTTP API as its own client: hosts, bearer calls, pages, and refusals in our words.

The hosts are fixed: each data centre has one for browsers and one for servers, and whatever an answer says, an access
token goes to the latter alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

from freebusy.domain.callback import is_signed
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ProviderError,
    ProviderMisconfigured,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from freebusy.adapters.provider_http import Answer, ProviderHttp
    from freebusy.adapters.secrets import RegistrationSource
    from freebusy.domain.account import ProviderCredential

DATA_CENTERS = {"us": "", **{name: f"-{name}" for name in ("au", "ca", "de", "sg", "uk")}}
"""What each adds to the names of its hosts. Clients and tokens belong to one of them."""

MOST_PAGES = 100
"""Of one answer; more than a calendar fills in the window that Cronofy shows."""

OWN_EVENT = "fbc_"
"""How the ids of events begin that were written from here; the rest is the event's ``uid``."""


@dataclass(frozen=True, slots=True)
class CronofyApi:
    """Everything raises ProviderMisconfigured or ProviderUnavailable, and what ``refusal`` has for refusals."""

    http: ProviderHttp
    registration: RegistrationSource

    def page_for_browsers(self, path: str) -> str:
        return f"https://app{self._suffix()}.cronofy.com{path}"

    def address(self, path: str) -> str:
        return f"https://api{self._suffix()}.cronofy.com{path}"

    def get(self, path: str, credential: ProviderCredential, *, deadline: float, **query: str) -> Mapping[str, Any]:
        return self._read(self.address(path), credential, deadline, query)

    def write(
        self, method: str, path: str, credential: ProviderCredential, body: Mapping[str, Any], *, deadline: float
    ) -> Answer:
        """The answer, whatever it is but "come back later" or a rejected token."""
        answer = self.http.send(
            method, self.address(path), deadline=deadline, bodyless=True, headers=_bearer(credential), json=body
        )
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED}:
            raise refusal(answer, path)
        return answer

    def pages(
        self, path: str, rows: str, credential: ProviderCredential, *, deadline: float, **query: str
    ) -> Iterator[dict[str, Any]]:
        """The rows of every page. What is not complete raises CalendarUnreadable: a missing page is no free time."""
        body = self._read(self.address(path), credential, deadline, query)
        for number in range(1, MOST_PAGES + 1):
            yield from _rows(body, rows)
            following = self._following(body, number, path)
            if following is None:
                return
            body = self._read(following, credential, deadline, {})
        raise CalendarUnreadable(f"{path} has too many pages")

    def _following(self, body: Mapping[str, Any], number: int, path: str) -> str | None:
        match body.get("pages"):
            case {"current": int(current), "total": int(total), **rest} if current == number and total >= number:
                following = rest.get("next_page") or None
            case _:
                raise CalendarUnreadable(f"{path} does not say which page this is")
        if following is None and current < total:
            raise CalendarUnreadable(f"{path} leaves pages out")
        if following is None or self._is_page(following, path):
            return following
        raise CalendarUnreadable(f"{path} goes on elsewhere")

    def _is_page(self, url: object, path: str) -> TypeGuard[str]:
        """At the data centre's own host, or whatever stands in for it."""
        if not isinstance(url, str):
            return False
        own, given = urlsplit(self.http.address(self.address(path))), urlsplit(url)
        return given[:2] == own[:2] and given.path.startswith(f"{path}/pages/")

    def _read(
        self, url: str, credential: ProviderCredential, deadline: float, query: Mapping[str, str]
    ) -> Mapping[str, Any]:
        answer = self.http.send("GET", url, deadline=deadline, headers=_bearer(credential), params=query or None)
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, "reading")
        return answer.body

    def _suffix(self) -> str:
        data_center = self.registration().data_center
        if data_center not in DATA_CENTERS:
            raise ProviderMisconfigured(f"the secret's data_center must be one of {', '.join(DATA_CENTERS)}")
        return DATA_CENTERS[data_center]


def refusal(answer: Answer, call: str) -> ProviderError:
    """402 says that our plan lacks the feature. A refresh mends 401 alone."""
    told = f"{call} was answered with {answer.status}"
    match answer.status:
        case HTTPStatus.UNAUTHORIZED:
            return AccessTokenRejected(told)
        case HTTPStatus.PAYMENT_REQUIRED:
            return ProviderMisconfigured(f"{told}: the plan does not cover it")
    return CalendarUnreadable(told)


def has_signed(body: bytes, signature: str, registration: RegistrationSource) -> bool:
    """The operator may have renewed our secrets within the time that we keep them."""
    return any(is_signed(body, signature, registration(fresh=fresh).live_secrets) for fresh in (False, True))


def _bearer(credential: ProviderCredential) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential.access_token}"}


def _rows(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = body.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CalendarUnreadable(f"the answer lists no {name}")
    return rows
