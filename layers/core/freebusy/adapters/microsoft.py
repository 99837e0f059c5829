"""Microsoft 365: the Microsoft identity platform, and Graph's ``getSchedule`` on the person's own mailbox.

``getSchedule`` covers the mailbox's default calendar, and is not offered to personal Microsoft accounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from uuid import UUID

import httpx

from freebusy.adapters.provider_http import REAL_TIME, Answer, ProviderHttp, Timing
from freebusy.adapters.provider_times import (
    first_second,
    first_second_in,
    last_second,
    last_second_in,
    wall_clock,
)
from freebusy.adapters.provider_windows import joined, read_in_pieces
from freebusy.adapters.secrets import RegistrationSource
from freebusy.adapters.token_endpoint import TokenEndpoint, Verdict
from freebusy.domain.account import Identity, ProviderCredential, ProviderName
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ConsentRefused,
    CredentialRevoked,
    IdentityRejected,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from freebusy.adapters.identity_token import Claims, IdentityTokens

SIGN_IN = "https://login.microsoftonline.com"
GRAPH = "https://graph.microsoft.com"
SCHEDULE_URL = f"{GRAPH}/v1.0/me/calendar/getSchedule"

CALENDAR_SCOPE = f"{GRAPH}/Calendars.ReadBasic"
SCOPE = f"openid email profile offline_access {CALENDAR_SCOPE}"

PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal accounts (id-token claims reference, ``tid``)."""

EXCHANGE_SECONDS = 15.0
SMALLEST_INTERVAL = 5
LARGEST_INTERVAL = 1440
"""Bounds of ``availabilityViewInterval``, in minutes. A window may not be shorter than the interval."""
MOST_HALVINGS = 8

WRONG_SECRET = frozenset({7000215, 7000222})

# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
VERDICTS_BY_CODE: Mapping[int, Verdict] = {
    **dict.fromkeys((*WRONG_SECRET, 700016, 7000112, 50011, 50194, 90002), ProviderMisconfigured),
    # 50196 is throttling, although it comes as invalid_grant: "a loop while processing a request".
    50196: ProviderUnavailable,
    # The consent is missing or declined, an administrator must give it, multi-factor or Conditional Access
    # asks for the person, or the account may not use this application.
    **dict.fromkeys((65001, 65004, 90094, 90095), ConsentRefused),
    **dict.fromkeys((50074, 50076, 50078, 50079, 53003), ConsentRefused),
    **dict.fromkeys((50020, 50034, 50057, 50105, 500208), ConsentRefused),
    # The code or the refresh token is used up, expired, revoked or not ours.
    **dict.fromkeys((50173, 54005, 70000, 70008, 70043, 700082, 700084, 501481), CredentialRevoked),
}

TOO_MANY_ENTRIES = frozenset({"5006", "ErrorResultSetTooBig"})
"""More than 1000 entries in one answer (getSchedule, limits): a shorter window has fewer."""

_STATUSES = {
    "free": FreeBusyStatus.FREE,
    "workingelsewhere": FreeBusyStatus.FREE,
    "tentative": FreeBusyStatus.TENTATIVE,
    "busy": FreeBusyStatus.BUSY,
    "oof": FreeBusyStatus.BUSY,
}
_FREE_IN_VIEW = frozenset("04")
"""Digits of ``availabilityView``: 0 free, 4 working elsewhere; the others count as busy."""


class _TooManyEntries(CalendarUnreadable):
    """Microsoft does not list so many entries at once."""


class Microsoft:
    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        tenant: str,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._timing = timing
        self._registration = registration
        self._tenant = tenant
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._tokens = TokenEndpoint(
            self._http,
            self._sign_in_url("oauth2/v2.0/token"),
            registration,
            covers=_covers,
            timing=timing,
            extra={"scope": SCOPE},
            codes=VERDICTS_BY_CODE,
            wrong_secret=WRONG_SECRET,
        )

    @property
    def issuer(self) -> str | None:
        """Known beforehand only where one tenant's people sign in; the id_token is checked in any case."""
        return _issuer(self._tenant) if _is_uuid(self._tenant) else None

    def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str) -> str:
        """``prompt=select_account``, since a browser that is signed in would otherwise choose for the person.

        ``response_mode=query``, since a cross-site form post carries no SameSite=Lax cookie.
        """
        query = {
            "client_id": self._registration().client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "response_mode": "query",
            "scope": SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
            "prompt": "select_account",
        }
        return f"{self._http.address(self._sign_in_url('oauth2/v2.0/authorize'))}?{urlencode(query)}"

    def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Identity, ProviderCredential]:
        deadline = self._timing.monotonic() + EXCHANGE_SECONDS
        answer = self._tokens.exchange(code, redirect_uri=redirect_uri, code_verifier=code_verifier, deadline=deadline)
        claims = self._identity_tokens.claims(
            answer.id_token, client_id=answer.client_id, nonce=nonce, deadline=deadline
        )
        return self._identity(claims), answer.credential

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        return self._tokens.refresh(credential, deadline=deadline)

    def free_busy(
        self, credential: ProviderCredential, mailbox: str, window: Period, *, deadline: float
    ) -> Sequence[FreeBusyPeriod]:
        def read(piece: Period) -> list[FreeBusyPeriod]:
            return self._read(credential.access_token, mailbox, piece, deadline, MOST_HALVINGS)

        return read_in_pieces(window, read, deadline=deadline, timing=self._timing)

    def _read(
        self, access_token: str, mailbox: str, window: Period, deadline: float, halvings: int
    ) -> list[FreeBusyPeriod]:
        """One after the other, so that no mailbox ever sees more calls at once than there are pieces."""
        try:
            return self._schedule(access_token, mailbox, window, deadline)
        except _TooManyEntries:
            middle = (window.start + window.end) // 2
            if not halvings or middle == window.start:
                raise
        halves = (Period(window.start, middle), Period(middle, window.end))
        answers = [self._read(access_token, mailbox, half, deadline, halvings - 1) for half in halves]
        return joined(answers, seams={middle})

    def _schedule(self, access_token: str, mailbox: str, window: Period, deadline: float) -> list[FreeBusyPeriod]:
        interval = LARGEST_INTERVAL if window.end - window.start >= LARGEST_INTERVAL * 60 else SMALLEST_INTERVAL
        end = max(window.end, window.start + SMALLEST_INTERVAL * 60)
        answer = self._http.send(
            "POST",
            SCHEDULE_URL,
            deadline=deadline,
            headers={"Authorization": f"Bearer {access_token}", "Prefer": 'outlook.timezone="UTC"'},
            json={
                "schedules": [mailbox],
                "startTime": {"dateTime": wall_clock(window.start), "timeZone": "UTC"},
                "endTime": {"dateTime": wall_clock(end), "timeZone": "UTC"},
                "availabilityViewInterval": interval,
            },
        )
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer)
        whole_intervals = (end - window.start) // (interval * 60)
        return busy_periods(answer.body, mailbox, Period(window.start, end), whole_intervals=whole_intervals)

    @cached_property
    def _identity_tokens(self) -> IdentityTokens:
        from freebusy.adapters.identity_token import IdentityTokens  # only the sign-in needs JOSE

        return IdentityTokens(
            self._http,
            self._sign_in_url("discovery/v2.0/keys"),
            issuers=lambda claims: [_issuer(str(claims.get("tid")))],
            timing=self._timing,
        )

    def _sign_in_url(self, path: str) -> str:
        return f"{SIGN_IN}/{quote(self._tenant, safe='')}/{path}"

    def _identity(self, claims: Claims) -> Identity:
        match claims:
            case {"tid": str(tenant), "oid": str(oid)} if tenant and oid:
                pass
            case _:
                raise IdentityRejected("the id_token does not say who signed in")
        if tenant == PERSONAL_ACCOUNTS:
            raise IdentityRejected("personal Microsoft accounts have no free/busy to ask for")
        if _is_uuid(self._tenant) and tenant != self._tenant.lower():
            raise IdentityRejected("this deployment serves another tenant")
        email = _text(claims, "email") or _text(claims, "preferred_username")
        if not email:
            raise IdentityRejected("the id_token names no mailbox")
        return Identity(ProviderName.MICROSOFT, f"{tenant}.{oid}", email, _text(claims, "name"))


def busy_periods(
    body: Mapping[str, Any], mailbox: str, window: Period, *, whole_intervals: int
) -> list[FreeBusyPeriod]:
    """What ``getSchedule`` says about one mailbox, and nothing of what its entries are about.

    Microsoft answers 200 for mailboxes it could not read, with ``error`` and without entries: that is not
    free. ``whole_intervals`` is how many digits of ``availabilityView`` lie within the window.
    Raises CalendarUnreadable, or ProviderUnavailable when the shape is not Microsoft's.
    """
    schedule = _schedule_of(body, mailbox)
    if (error := schedule.get("error")) is not None:
        raise _unreadable(error, "getSchedule reported an error for the mailbox")
    items = schedule.get("scheduleItems")
    if not isinstance(items, list):
        raise CalendarUnreadable("getSchedule left the entries out")
    try:
        periods = [_period(item) for item in items]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ProviderUnavailable("getSchedule answered with something that is not an entry") from None
    view = str(schedule.get("availabilityView") or "")[:whole_intervals]
    if not _FREE_IN_VIEW.issuperset(view) and not any(_blocks(period, window) for period in periods):
        raise CalendarUnreadable("getSchedule says busy, but not when")
    return periods


def _blocks(period: FreeBusyPeriod, window: Period) -> bool:
    """An entry without length counts too: it shows in the view."""
    return period.status is not FreeBusyStatus.FREE and period.start <= window.end and period.end >= window.start


def _schedule_of(body: Mapping[str, Any], mailbox: str) -> Mapping[str, Any]:
    value = body.get("value")
    for schedule in value if isinstance(value, list) else ():
        if isinstance(schedule, dict) and str(schedule.get("scheduleId")).casefold() == mailbox.casefold():
            return schedule
    raise CalendarUnreadable("getSchedule left the mailbox out")


def _period(item: Mapping[str, Any]) -> FreeBusyPeriod:
    status = _STATUSES.get(str(item.get("status")).lower(), FreeBusyStatus.UNKNOWN)
    start, end = item["start"], item["end"]
    if start["timeZone"] == end["timeZone"] == "UTC":
        return FreeBusyPeriod(first_second(f"{start['dateTime']}Z"), last_second(f"{end['dateTime']}Z"), status)
    return FreeBusyPeriod(
        first_second_in(_zone(start["timeZone"]), start["dateTime"]),
        last_second_in(_zone(end["timeZone"]), end["dateTime"]),
        status,
    )


def _zone(name: str) -> ZoneInfo:
    """For a server that does not honour ``Prefer``. Windows' own zone names are not IANA's and not guessed."""
    from zoneinfo import ZoneInfo  # rarely needed

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise CalendarUnreadable("getSchedule answered in a time zone that we do not know") from None


def _refusal(answer: Answer) -> CalendarUnreadable | AccessTokenRejected:
    told = f"getSchedule answered {answer.status}"
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return AccessTokenRejected(told)
    return _unreadable(answer.body.get("error"), told)


def _unreadable(error: Any, told: str) -> CalendarUnreadable:
    """The code stands under ``responseCode`` in a schedule, under ``code`` in a refusal, and was seen the other way."""
    codes = {str(error.get(name)) for name in ("responseCode", "code")} if isinstance(error, dict) else set()
    return _TooManyEntries(told) if codes & TOO_MANY_ENTRIES else CalendarUnreadable(told)


def _covers(scope: str) -> bool:
    """Graph's scopes come back with or without its address, in any case; an answer without ``scope`` granted all."""
    granted = {name.removeprefix(f"{GRAPH}/") for name in scope.lower().split()}
    return not scope or CALENDAR_SCOPE.removeprefix(f"{GRAPH}/").lower() in granted


def _issuer(tenant: str) -> str:
    return f"{SIGN_IN}/{tenant.lower()}/v2.0"


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
