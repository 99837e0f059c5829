"""Google Calendar: OpenID Connect, and ``freeBusy.query`` on the person's own calendar.

Google knows no tentative: its busy is busy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx

from freebusy.adapters.provider_http import REAL_TIME, Answer, ProviderHttp, Timing
from freebusy.adapters.provider_times import first_second, last_second, rfc3339
from freebusy.adapters.provider_windows import read_in_pieces
from freebusy.adapters.secrets import RegistrationSource
from freebusy.adapters.token_endpoint import TokenEndpoint
from freebusy.domain.account import Identity, ProviderCredential, ProviderName
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    IdentityRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

if TYPE_CHECKING:
    from freebusy.adapters.identity_token import Claims, IdentityTokens

ISSUER = "https://accounts.google.com"
ISSUERS = (ISSUER, "accounts.google.com")
AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
KEYS_URL = "https://www.googleapis.com/oauth2/v3/certs"
FREE_BUSY_URL = "https://www.googleapis.com/calendar/v3/freeBusy"

CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.freebusy"
SCOPE = f"openid email {CALENDAR_SCOPE}"

EXCHANGE_SECONDS = 15.0

# Reasons of a 403: https://developers.google.com/workspace/calendar/api/guides/errors. The capitals are
# those of the newer error model (google.rpc.ErrorInfo), which arrives beside the old one.
THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED"})
API_SWITCHED_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
SCOPE_MISSING = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})


class Google:
    issuer: str | None = ISSUER

    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._timing = timing
        self._registration = registration
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._tokens = TokenEndpoint(self._http, TOKEN_URL, registration, covers=_covers, timing=timing)

    def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str) -> str:
        """``prompt=consent``, since only a shown consent screen yields a refresh token each time."""
        query = {
            "client_id": self._registration().client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",
        }
        return f"{self._http.address(AUTHORIZE_URL)}?{urlencode(query)}"

    def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Identity, ProviderCredential]:
        deadline = self._timing.monotonic() + EXCHANGE_SECONDS
        answer = self._tokens.exchange(code, redirect_uri=redirect_uri, code_verifier=code_verifier, deadline=deadline)
        claims = self._identity_tokens.claims(
            answer.id_token, client_id=answer.client_id, nonce=nonce, deadline=deadline
        )
        return _identity(claims), answer.credential

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        return self._tokens.refresh(credential, deadline=deadline)

    def free_busy(
        self,
        credential: ProviderCredential,
        mailbox: str,  # noqa: ARG002 - the person's own calendar is "primary", whatever its address
        window: Period,
        *,
        deadline: float,
    ) -> Sequence[FreeBusyPeriod]:
        def read(piece: Period) -> list[FreeBusyPeriod]:
            return self._query(credential.access_token, piece, deadline)

        return read_in_pieces(window, read, deadline=deadline, timing=self._timing)

    def _query(self, access_token: str, window: Period, deadline: float) -> list[FreeBusyPeriod]:
        answer = self._http.send(
            "POST",
            FREE_BUSY_URL,
            deadline=deadline,
            throttled=lambda answer: not THROTTLED.isdisjoint(_reasons(answer)),
            headers={"Authorization": f"Bearer {access_token}"},
            json={"timeMin": rfc3339(window.start), "timeMax": rfc3339(window.end), "items": [{"id": "primary"}]},
        )
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer)
        return busy_periods(answer.body, window)

    @cached_property
    def _identity_tokens(self) -> IdentityTokens:
        from freebusy.adapters.identity_token import IdentityTokens  # only the sign-in needs JOSE

        return IdentityTokens(self._http, KEYS_URL, issuers=lambda _: ISSUERS, timing=self._timing)


def busy_periods(body: Mapping[str, Any], window: Period) -> list[FreeBusyPeriod]:
    """What a ``freeBusy.query`` says about the calendar that was asked for.

    Google answers 200 for calendars it could not read, with ``errors`` and possibly an empty ``busy``:
    that is not free. Nor is time that the answer, which repeats what was asked, does not reach.
    Raises CalendarUnreadable, or ProviderUnavailable when the shape is not Google's.
    """
    match body:
        case {"calendars": {"primary": {"busy": list(busy)} as calendar}} if not calendar.get("errors"):
            pass
        case _:
            raise CalendarUnreadable("freeBusy.query left the calendar out, or reported an error for it")
    status = FreeBusyStatus.BUSY
    try:
        if not _covers_window(body, window):
            raise CalendarUnreadable("freeBusy.query answered for another time")
        return [FreeBusyPeriod(first_second(item["start"]), last_second(item["end"]), status) for item in busy]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ProviderUnavailable("freeBusy.query answered with something that is not a period") from None


def _covers_window(body: Mapping[str, Any], window: Period) -> bool:
    """Raises ValueError or AttributeError when the answer's bounds are no times."""
    since, until = body.get("timeMin"), body.get("timeMax")
    return (since is None or last_second(since) <= window.start) and (
        until is None or first_second(until) >= window.end
    )


def _refusal(answer: Answer) -> ProviderError:
    """A 403 for want of a scope is left to the next refresh, whose answer names the scopes that are left."""
    reasons = _reasons(answer)
    told = f"freeBusy.query answered {answer.status}"
    if answer.status == HTTPStatus.UNAUTHORIZED or reasons & SCOPE_MISSING:
        return AccessTokenRejected(told)
    if reasons & API_SWITCHED_OFF:
        return ProviderMisconfigured(f"{told}: the Calendar API is not enabled in our project")
    return CalendarUnreadable(told)


def _reasons(answer: Answer) -> frozenset[str]:
    """Of a refusal in either of Google's error models."""
    error = answer.body.get("error")
    if answer.ok or not isinstance(error, dict):
        return frozenset()
    lists = [error.get("errors"), error.get("details")]
    entries = [entry for each in lists if isinstance(each, list) for entry in each if isinstance(entry, dict)]
    return frozenset(str(entry.get("reason")) for entry in entries)


def _covers(scope: str) -> bool:
    """People can untick single permissions; an answer without ``scope`` granted what was asked."""
    return not scope or CALENDAR_SCOPE in scope.split()


def _identity(claims: Claims) -> Identity:
    """An address that Google did not verify could be anybody's, and applications would take it for theirs."""
    match claims:
        case {"sub": str(subject), "email": str(email), "email_verified": True} if subject and email:
            name = claims.get("name")
            return Identity(ProviderName.GOOGLE, subject, email, name if isinstance(name, str) and name else None)
    raise IdentityRejected("the id_token names no verified address")
