"""Cronofy itself as the upstream of free/busy profiles: its consent screen, its tokens, and what it knows of calendars.

Cronofy has neither PKCE nor nonces nor id_tokens. What holds a trip together is the ``state``, bound to the browser
that set out, and that the code goes at once, from here, to Cronofy together with our client secret.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from freebusy.adapters.cronofy_api import OWN_EVENT, CronofyApi, refusal
from freebusy.adapters.provider_http import REAL_TIME, Answer, ProviderHttp, Timing, measured
from freebusy.adapters.provider_sign_in import EXCHANGE_SECONDS
from freebusy.adapters.provider_times import first_second, last_second, rfc3339
from freebusy.adapters.provider_windows import read_in_pieces
from freebusy.adapters.token_endpoint import TokenEndpoint, error_of
from freebusy.domain.account import Identity, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    CredentialRevoked,
    IdentityRejected,
    OtherAccessMode,
    ProviderError,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from freebusy.adapters.secrets import ProviderRegistration, RegistrationSource

SCOPE = "free_busy_write"

PAST_DAYS = 42
FUTURE_DAYS = 201
"""How far back and ahead of today Cronofy shows free/busy. What it leaves out beyond that is not free."""

CHECKED_SECONDS = 60
"""So long it is remembered that the profiles behind an access token were connected: each look costs a request."""
MOST_CHECKED = 1000

_DAY = 86400
_EASTERNMOST = 14 * 3600
_WESTERNMOST = 12 * 3600
"""How far, in seconds, a date begins before midnight UTC, and ends after it, somewhere on earth."""


class Cronofy:
    issuer: str | None = None

    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._timing = timing
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._registration = registration
        self._api = CronofyApi(self._http, registration)
        self._checked: dict[str, float] = {}

    # --- Consent and tokens ------------------------------------------------------------------------

    def authorization_url(
        self,
        *,
        redirect_uri: str,
        state: str,
        nonce: str,  # noqa: ARG002 - Cronofy knows none
        code_challenge: str,  # noqa: ARG002 - Cronofy knows none
        kind: ProviderName | None = None,
    ) -> str:
        """``avoid_linking``, or two people who share a browser would become one account at Cronofy, by its cookie."""
        query = {
            "response_type": "code",
            "client_id": self._registration().client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": state,
            "avoid_linking": "true",
            **({"provider_name": kind.value} if kind else {}),
        }
        return f"{self._http.address(self._api.page_for_browsers('/oauth/authorize'))}?{urlencode(query)}"

    @measured("cronofy")
    def exchange_code(
        self,
        code: str,
        *,
        redirect_uri: str,
        code_verifier: str,  # noqa: ARG002 - as above
        nonce: str,  # noqa: ARG002
    ) -> tuple[Identity, ProviderCredential]:
        deadline = self._timing.monotonic() + EXCHANGE_SECONDS
        answer = self._tokens().exchange(code, redirect_uri=redirect_uri, code_verifier=None, deadline=deadline)
        return identity_of(answer.body, _KINDS.get), answer.credential

    @measured("cronofy")
    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        """A calendar that lost its connection to Cronofy needs its person as much as a dead token does.

        Where that cannot be found out the renewed credential counts: the one before it may be used up.
        """
        renewed = self._tokens().refresh(credential, deadline=deadline)
        try:
            connected = self._is_connected(renewed, deadline)
        except ProviderError:
            return renewed
        if not connected:
            raise CredentialRevoked("Cronofy lost its connection to the calendar")
        return renewed

    @measured("cronofy")
    def revoke(self, credential: ProviderCredential, *, deadline: float) -> None:
        """Ends the whole authorization of this person at Cronofy. Raises ProviderError."""
        answer = self._revoking(self._registration(), credential, deadline)
        if error_of(answer) == "invalid_client":
            answer = self._revoking(self._registration(fresh=True), credential, deadline)
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, "revoking")

    def _revoking(self, registration: ProviderRegistration, credential: ProviderCredential, deadline: float) -> Answer:
        form = {
            "client_id": registration.client_id,
            "client_secret": registration.client_secret,
            "token": credential.refresh_token,
        }
        return self._http.send(
            "POST", self._api.address("/oauth/token/revoke"), deadline=deadline, bodyless=True, data=form
        )

    def _tokens(self) -> TokenEndpoint:
        """Where it is, the registration says."""
        url = self._api.address("/oauth/token")
        return TokenEndpoint(self._http, url, self._registration, self._timing, covers=covers)

    # --- Free/busy ---------------------------------------------------------------------------------

    @measured("cronofy")
    def free_busy(
        self,
        credential: ProviderCredential,
        mailbox: str,  # noqa: ARG002 - the access token says whose calendars they are
        window: Period,
        *,
        deadline: float,
    ) -> Sequence[FreeBusyPeriod]:
        """Of all calendars of the account there: the person's own, and Cronofy's calendar with what was written to it.

        Events that were written from here are left out: their application's count from its own store, and what another
        application of this deployment wrote counts as soon as it is in the person's calendar, as everywhere.
        """
        shown = self._shown(window)
        rows: list[FreeBusyPeriod] = []
        if shown.start < shown.end:
            self._require_connected(credential, deadline)

            def read(piece: Period) -> list[FreeBusyPeriod]:
                return self._query(credential, piece, deadline)

            rows = read_in_pieces(shown, read, deadline=deadline, timing=self._timing)
        beyond = (Period(window.start, min(shown.start, window.end)), Period(max(shown.end, window.start), window.end))
        unknown = [FreeBusyPeriod(*each, FreeBusyStatus.UNKNOWN) for each in beyond if each.start < each.end]
        return sorted([*rows, *unknown]) if unknown else rows

    def _shown(self, window: Period) -> Period:
        """The part of the window that Cronofy shows."""
        now = int(self._timing.now())
        today = now - now % _DAY
        return Period(max(window.start, today - PAST_DAYS * _DAY), min(window.end, today + FUTURE_DAYS * _DAY))

    def _query(self, credential: ProviderCredential, window: Period, deadline: float) -> list[FreeBusyPeriod]:
        """Also of what is only on the dates before and after, since those may be meant somewhere else on earth."""
        asked = self._shown(Period(window.start - _WESTERNMOST, window.end + _EASTERNMOST))
        rows = self._api.pages(
            "/v1/free_busy",
            "free_busy",
            credential,
            deadline=deadline,
            **{"tzid": "Etc/UTC", "from": rfc3339(asked.start), "to": rfc3339(asked.end)},
            include_managed="true",
            include_ids="true",
        )
        return [_period(row) for row in rows if not _is_left_out(row)]

    def _require_connected(self, credential: ProviderCredential, deadline: float) -> None:
        """Raises AccessTokenRejected for a calendar that lost its connection: refreshing the token tells the rest."""
        now = self._timing.monotonic()
        if self._checked.get(credential.access_token, now) > now:
            return
        if not self._is_connected(credential, deadline):
            raise AccessTokenRejected("Cronofy lost its connection to the calendar")
        if len(self._checked) >= MOST_CHECKED:
            self._checked.clear()
        self._checked[credential.access_token] = now + CHECKED_SECONDS

    def _is_connected(self, credential: ProviderCredential, deadline: float) -> bool:
        """Whether Cronofy still sees the person's own calendars. Raises CalendarUnreadable while it has yet to look.

        ``/v1/free_busy`` does not tell: a calendar that Cronofy cannot see, or did not see yet, has no rows there.
        """
        match self._api.get("/v1/userinfo", credential, deadline=deadline):
            case {"cronofy.data": {"profiles": [*profiles]}} if all(isinstance(each, dict) for each in profiles):
                own = [each for each in profiles if each.get("provider_name") != ProviderName.MANAGED]
            case _:
                own = []
        if not own or not all(isinstance(each.get("profile_connected"), bool) for each in own):
            raise CalendarUnreadable("userinfo lists no calendars of the person's own")
        if not all(each["profile_connected"] for each in own):
            return False
        if any(each.get("profile_initial_sync_required", False) is not False for each in own):
            raise CalendarUnreadable("Cronofy has not seen the calendar yet")
        return True


_KINDS = {name.value: name for name in (ProviderName.GOOGLE, ProviderName.MICROSOFT)}


def identity_of(body: Mapping[str, Any], kind_of: Callable[[str], ProviderName | None]) -> Identity:
    """Whose tokens they are. ``account_id`` is the same as ``sub``, and older.

    ``kind_of`` knows Cronofy's names of the calendars that are served. Raises OtherAccessMode or IdentityRejected.
    """
    subject = body.get("sub") or body.get("account_id")
    match body.get("linking_profile"):
        case {"provider_name": str(name), "profile_name": str(email)} if email and isinstance(subject, str):
            if kind := kind_of(name):
                return Identity(kind, subject, email, upstream=Upstream.CRONOFY)
            raise OtherAccessMode("the person chose another access than free/busy")
    raise IdentityRejected("the tokens do not say whose calendar they are for")


def covers(scope: str) -> bool:
    return not scope or SCOPE in scope.split()


# --- Rows ------------------------------------------------------------------------------------------


def _is_left_out(row: Mapping[str, Any]) -> bool:
    event_id = row.get("event_id")
    return row.get("deleted") is True or (isinstance(event_id, str) and event_id.startswith(OWN_EVENT))


def _period(row: Mapping[str, Any]) -> FreeBusyPeriod:
    """Raises ProviderUnavailable."""
    try:
        return FreeBusyPeriod(_first(row["start"]), _last(row["end"]), _status(row.get("free_busy_status")))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ProviderUnavailable("/v1/free_busy answered with something that is not a period") from None


def _status(told: object) -> FreeBusyStatus:
    """A status that nobody knows is unknown, which is not free."""
    return next((each for each in FreeBusyStatus if each == told), FreeBusyStatus.UNKNOWN)


def _first(told: Any) -> int:
    text = _text(told)
    return _midnight(text) - _EASTERNMOST if _is_date(text) else first_second(text)


def _last(told: Any) -> int:
    """Of dates, whose zone is not told, the last second that may be meant."""
    text = _text(told)
    return _midnight(text) + _WESTERNMOST if _is_date(text) else last_second(text)


def _text(told: Any) -> str:
    """A time is text, or an object with its zone beside. A series may be said to begin in the year 0, which we lack."""
    text: str = told["time"] if isinstance(told, dict) else told
    return f"0001-01-02{text[len('0000-00-00') :]}" if text.startswith("0000-") else text


def _is_date(text: str) -> bool:
    return len(text) == len("2030-01-07")


def _midnight(text: str) -> int:
    day = date.fromisoformat(text)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
