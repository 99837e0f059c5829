"""How each provider says what the contract suite is about, over ``httpx.MockTransport``.

Another provider joins the suite by one more subclass of ``Harness``, added to ``HARNESSES``.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from freebusy.adapters.cronofy import Cronofy
from freebusy.adapters.google import Google
from freebusy.adapters.microsoft import Microsoft
from freebusy.adapters.provider_http import Timing
from freebusy.adapters.secrets import ProviderRegistration
from freebusy.domain.account import ProviderCredential
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.ports import CalendarProvider
from tests.fakes.clock import NOW

CREDENTIAL = ProviderCredential("access-1", "refresh-1", expires_at=NOW + 3600, scope="")
DAY = Period(NOW, NOW + 86400)
CLIENT_ID = "our-client-id"
NONCE = "nonce-of-this-sign-in"
CANARY = "Divorce lawyer, room 4"

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def busy(start: int, end: int, status: FreeBusyStatus = FreeBusyStatus.BUSY) -> FreeBusyPeriod:
    return FreeBusyPeriod(start, end, status)


@cache
def signing_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


class FakeTime:
    """Passes only while somebody sleeps, or when a reply takes its time; and on the wall while we are ``frozen``."""

    def __init__(self) -> None:
        self.elapsed = self.frozen = 0.0
        self.sleeps: list[float] = []
        self.timing = Timing(monotonic=lambda: self.elapsed, now=self.now, sleep=self.sleep)

    def now(self) -> float:
        return NOW + self.elapsed + self.frozen

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.elapsed += seconds


class Registration:
    """Our registration at the provider; ``current`` is what a fresh look finds."""

    def __init__(self) -> None:
        self.kept = self.current = ProviderRegistration(CLIENT_ID, "secret-1", "de")

    def __call__(self, *, fresh: bool = False) -> ProviderRegistration:
        if fresh:
            self.kept = self.current
        return self.kept


class Harness(ABC):
    """One provider with scripted upstream replies: queued ones are used up first, then the usual one."""

    scopes: frozenset[str]
    granted_scope: str
    hosts: frozenset[str]
    token_path: str
    keys_path: str
    busy_path: str
    subject: str
    email = "ana@example.com"
    signs_in = True
    """Whether identity comes in an id_token, and the trip is bound by PKCE and a nonce (OpenID Connect)."""
    beginning = NOW
    reach_days = 10_000
    """Where long windows begin, and how many days can be seen from there."""

    def __init__(self, origin: str | None = None) -> None:
        self.time = FakeTime()
        self.registration = Registration()
        self.requests: list[httpx.Request] = []
        self.busy_replies: deque[Reply] = deque()
        self.token_replies: deque[Reply] = deque()
        self.keys_replies: deque[Reply] = deque()
        self.usual_busy: Reply = self.periods()
        self.usual_tokens: Reply = self.tokens()
        self.published = [signing_key("key-1")]
        self._lock = Lock()
        self.http = httpx.Client(transport=httpx.MockTransport(self._reply))
        self.provider = self.connect(origin)

    # --- what a provider's harness has to say ---------------------------------------------------------

    @abstractmethod
    def connect(self, origin: str | None) -> CalendarProvider:
        """The adapter on ``self.http``, ``self.registration`` and ``self.time.timing``."""

    @abstractmethod
    def periods(self, *periods: FreeBusyPeriod) -> Callable[[httpx.Request], httpx.Response]:
        """A success that lists these periods, each carrying ``CANARY`` as its title."""

    @abstractmethod
    def times(self, start: str, end: str) -> httpx.Response:
        """A success with one busy period, written as the provider writes UTC, with these wall-clock times."""

    @abstractmethod
    def unreadable(self) -> Iterable[Any]:
        """Bodies of a 200 that do not say when the person is busy."""

    @abstractmethod
    def claims(self) -> dict[str, Any]:
        """What a good id_token says."""

    @abstractmethod
    def window_of(self, request: httpx.Request) -> Period:
        """The window that a free/busy request asks about."""

    @abstractmethod
    def error(self, code: str) -> Any:
        """The body of a refused free/busy request."""

    dead_refresh_token: ClassVar[Any]
    wrong_secret: ClassVar[Any]

    # --- shared ---------------------------------------------------------------------------------------

    def tokens(self, **changes: Any) -> httpx.Response:
        """What the token endpoint grants; ``changes`` of ``None`` leave a member out."""
        granted = {
            "access_token": "access-2",
            "token_type": "Bearer",
            "expires_in": 3599,
            "scope": self.granted_scope,
            "refresh_token": "refresh-2",
            "id_token": self.id_token(),
        }
        changed = {**granted, **changes}
        return httpx.Response(200, json={name: value for name, value in changed.items() if value is not None})

    def id_token(self, *, key: str = "key-1", header: dict[str, Any] | None = None, **changes: Any) -> str:
        claims = {name: value for name, value in {**self.claims(), **changes}.items() if value is not None}
        header = header or {"alg": "RS256", "kid": "key-1"}
        return jwt.encode(header, claims, signing_key(key), algorithms=[header["alg"]])

    def free_busy(self, window: Period = DAY, *, deadline: float = 10.0) -> list[FreeBusyPeriod]:
        return list(self.provider.free_busy(CREDENTIAL, self.email, window, deadline=deadline))

    def refresh(self, *, deadline: float = 10.0) -> ProviderCredential:
        return self.provider.refresh(CREDENTIAL, deadline=deadline)

    def exchange(self) -> Any:
        return self.provider.exchange_code(
            "code-1", redirect_uri="https://us.example/callback", code_verifier="verifier-1", nonce=NONCE
        )

    def asked(self, path: str) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path == path]

    def long_window(self, days: int) -> Period:
        """So many days, or as many as can be seen."""
        return Period(self.beginning, self.beginning + min(days, self.reach_days) * 86400)

    def routes(self) -> dict[str, tuple[deque[Reply], Reply]]:
        """By path: the queued replies, and the usual one."""
        usual_keys = httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.published]})
        return {
            self.busy_path: (self.busy_replies, self.usual_busy),
            self.token_path: (self.token_replies, self.usual_tokens),
            self.keys_path: (self.keys_replies, usual_keys),
        }

    def _reply(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.requests.append(request)
            queued, usual = self.routes()[request.url.path]
            reply = queued.popleft() if queued else usual
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else reply(request)


def form_of(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def json_of(request: httpx.Request) -> Any:
    return json.loads(request.content)


def overlapping(periods: Iterable[FreeBusyPeriod], window: Period) -> list[FreeBusyPeriod]:
    return [period for period in periods if period.start < window.end and period.end > window.start]


def utc(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def second_of(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


JUNK = (None, 7, 1e999, True, "", "soon", "2026-02-30T00:00:00Z", "\ud800", [], [7], {}, {"dateTime": 5})
"""What may stand anywhere in an answer instead of what should."""


def paths_of(value, path=()):
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    yield from ((*path, key) for key, _ in children)
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths_of(child, (*path, key))


def replaced(value, path, junk):
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], junk)
    return copy


def told(error):
    """All that a log would show of an error and what led to it."""
    messages = []
    while error is not None:
        messages.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(messages)


class GoogleHarness(Harness):
    scopes = frozenset({"openid", "email", "https://www.googleapis.com/auth/calendar.freebusy"})
    # Google spells ``email`` out in its answers.
    granted_scope = (
        "https://www.googleapis.com/auth/userinfo.email openid https://www.googleapis.com/auth/calendar.freebusy"
    )
    hosts = frozenset({"accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"})
    token_path = "/token"
    keys_path = "/oauth2/v3/certs"
    busy_path = "/calendar/v3/freeBusy"
    subject = "1077-google"
    dead_refresh_token: ClassVar = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    wrong_secret: ClassVar = {"error": "invalid_client", "error_description": "Unauthorized"}

    def connect(self, origin: str | None) -> CalendarProvider:
        return Google(self.http, self.registration, origin=origin, timing=self.time.timing)

    def periods(self, *periods: FreeBusyPeriod) -> Callable[[httpx.Request], httpx.Response]:
        def reply(request: httpx.Request) -> httpx.Response:
            seen = overlapping(periods, self.window_of(request))
            return self._calendar(
                [{"start": utc(each.start), "end": utc(each.end), "summary": CANARY} for each in seen]
            )

        return reply

    def times(self, start: str, end: str) -> httpx.Response:
        return self._calendar([{"start": f"{start}Z", "end": f"{end}Z"}])

    def unreadable(self) -> Iterable[Any]:
        not_found = [{"domain": "global", "reason": "notFound"}]
        return (
            {"calendars": {"primary": {"errors": not_found, "busy": []}}},
            {"calendars": {"primary": {"errors": not_found}}},
            {"calendars": {"primary": {"errors": [{"reason": "internalError"}], "busy": []}}},
            {"calendars": {"primary": {"errors": "a word", "busy": []}}},
            {"calendars": {"primary": {}}},
            {"calendars": {"primary": {"busy": None}}},
            {"calendars": {"somebody@example.com": {"busy": []}}},
            {"calendars": {}},
            {"kind": "calendar#freeBusy"},
        )

    def claims(self) -> dict[str, Any]:
        return {
            "iss": "https://accounts.google.com",
            "aud": CLIENT_ID,
            "azp": CLIENT_ID,
            "sub": self.subject,
            "email": self.email,
            "email_verified": True,
            "nonce": NONCE,
            "iat": NOW,
            "exp": NOW + 3600,
        }

    def window_of(self, request: httpx.Request) -> Period:
        asked = json_of(request)
        return Period(second_of(asked["timeMin"]), second_of(asked["timeMax"]))

    def error(self, code: str) -> Any:
        return {"error": {"code": 400, "message": CANARY, "errors": [{"domain": "global", "reason": code}]}}

    def _calendar(self, periods: list[Any]) -> httpx.Response:
        return httpx.Response(200, json={"kind": "calendar#freeBusy", "calendars": {"primary": {"busy": periods}}})


class MicrosoftHarness(Harness):
    scopes = frozenset(
        {"openid", "email", "profile", "offline_access", "https://graph.microsoft.com/Calendars.ReadBasic"}
    )
    granted_scope = "openid profile email https://graph.microsoft.com/Calendars.ReadBasic"
    hosts = frozenset({"login.microsoftonline.com", "graph.microsoft.com"})
    token_path = "/organizations/oauth2/v2.0/token"
    keys_path = "/organizations/discovery/v2.0/keys"
    busy_path = "/v1.0/me/calendar/getSchedule"
    tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f"
    subject = f"{tenant}.00000000-0000-0000-66f3-3332eca7ea81"
    dead_refresh_token: ClassVar = {
        "error": "invalid_grant",
        "error_description": "AADSTS700082: The refresh token has expired due to inactivity.",
        "error_codes": [700082],
    }
    wrong_secret: ClassVar = {"error": "invalid_client", "error_description": "AADSTS7000215", "error_codes": [7000215]}

    def connect(self, origin: str | None) -> CalendarProvider:
        return Microsoft(self.http, self.registration, tenant="organizations", origin=origin, timing=self.time.timing)

    def periods(self, *periods: FreeBusyPeriod) -> Callable[[httpx.Request], httpx.Response]:
        def reply(request: httpx.Request) -> httpx.Response:
            return self.items(*(self._item(each) for each in overlapping(periods, self.window_of(request))))

        return reply

    def times(self, start: str, end: str) -> httpx.Response:
        return self.items(
            {
                "status": "busy",
                "start": {"dateTime": start, "timeZone": "UTC"},
                "end": {"dateTime": end, "timeZone": "UTC"},
            }
        )

    def unreadable(self) -> Iterable[Any]:
        not_found = {"message": CANARY, "responseCode": "ErrorMailRecipientNotFound"}
        schedule = {"scheduleId": self.email, "availabilityView": "", "scheduleItems": []}
        return (
            {"value": [{"scheduleId": self.email, "error": not_found}]},
            {"value": [{**schedule, "error": not_found}]},
            {"value": [{**schedule, "error": {"code": "ErrorMailRecipientNotFound"}}]},
            {"value": [{**schedule, "error": {}}]},
            {"value": [{**schedule, "error": "a word"}]},
            {"value": [{"scheduleId": self.email}]},
            {"value": [{**schedule, "scheduleItems": None}]},
            {"value": [{**schedule, "availabilityView": "2"}]},
            {"value": [{**schedule, "scheduleId": "somebody@example.com"}]},
            {"value": []},
            {"@odata.context": "https://graph.microsoft.com/v1.0/$metadata"},
        )

    def claims(self) -> dict[str, Any]:
        tenant, _, oid = self.subject.partition(".")
        return {
            "iss": f"https://login.microsoftonline.com/{tenant}/v2.0",
            "aud": CLIENT_ID,
            "sub": "pairwise",
            "tid": tenant,
            "oid": oid,
            "preferred_username": self.email,
            "name": "Ana",
            "nonce": NONCE,
            "iat": NOW,
            "nbf": NOW,
            "exp": NOW + 3600,
        }

    def window_of(self, request: httpx.Request) -> Period:
        asked = json_of(request)
        return Period(
            second_of(asked["startTime"]["dateTime"] + "Z"),
            second_of(asked["endTime"]["dateTime"] + "Z"),
        )

    def error(self, code: str) -> Any:
        return {"error": {"code": code, "message": CANARY, "innerError": {"request-id": "1"}}}

    def items(self, *items: Any, mailbox: str | None = None) -> httpx.Response:
        schedule = {"scheduleId": mailbox or self.email, "availabilityView": "", "scheduleItems": items}
        return httpx.Response(200, json={"value": [schedule]})

    def _item(self, period: FreeBusyPeriod) -> Any:
        return {
            "status": period.status.value,
            "isPrivate": False,
            "subject": CANARY,
            "location": CANARY,
            "start": {"dateTime": utc(period.start).replace("+00:00", ".0000000"), "timeZone": "UTC"},
            "end": {"dateTime": utc(period.end).replace("+00:00", ".0000000"), "timeZone": "UTC"},
        }


class CronofyHarness(Harness):
    """Shapes and quirks as their clients and docs have them; whatever a row carries beside times is not ours to see."""

    scopes = frozenset({"free_busy_write"})
    granted_scope = "free_busy_write"
    hosts = frozenset({"app-de.cronofy.com", "api-de.cronofy.com"})
    token_path = "/oauth/token"
    keys_path = "/no/keys"
    busy_path = "/v1/free_busy"
    userinfo_path = "/v1/userinfo"
    subject = "acc_0123456789abcdef01234567"
    signs_in = False
    beginning = NOW - 41 * 86400
    reach_days = 241
    dead_refresh_token: ClassVar = {"error": "invalid_grant"}
    wrong_secret: ClassVar = {"error": "invalid_client"}

    def __init__(self, origin: str | None = None) -> None:
        self.userinfo_replies: deque[Reply] = deque()
        self.usual_userinfo: Reply = self.userinfo()
        super().__init__(origin)

    def connect(self, origin: str | None) -> CalendarProvider:
        return Cronofy(self.http, self.registration, origin=origin, timing=self.time.timing)

    def routes(self) -> dict[str, tuple[deque[Reply], Reply]]:
        return {**super().routes(), self.userinfo_path: (self.userinfo_replies, self.usual_userinfo)}

    def tokens(self, **changes: Any) -> httpx.Response:
        """``linking_profile`` says whose calendar it is; ``account_id`` is the same as ``sub``."""
        profile = {
            "provider_name": "google_free_busy",
            "provider_service": "google_free_busy",
            "profile_id": "pro_Ab3dEf",
            "profile_name": self.email,
        }
        told = {"token_type": "bearer", "account_id": self.subject, "sub": self.subject, "linking_profile": profile}
        return super().tokens(**{**told, **changes})

    def id_token(self, **_: Any) -> None:  # type: ignore[override]
        """There are none."""

    def userinfo(self, **changes: Any) -> httpx.Response:
        """The two profiles of a free/busy account; ``changes`` are of the person's own."""
        own = {
            "provider_name": "google_free_busy",
            "profile_id": "pro_Ab3dEf",
            "profile_name": self.email,
            "profile_connected": True,
            "profile_initial_sync_required": False,
            "profile_calendars": [{"calendar_id": "cal_Ab3dEf_1", "calendar_name": CANARY, "calendar_readonly": True}],
        }
        managed = {
            "provider_name": "cronofy",
            "profile_id": "pro_Zz9yXx",
            "profile_name": self.email,
            "profile_connected": True,
            "profile_initial_sync_required": False,
            "profile_calendars": [
                {"calendar_id": "cal_Zz9yXx_1", "calendar_readonly": False, "calendar_primary": True}
            ],
        }
        profiles = [{**own, **changes}, managed]
        return httpx.Response(200, json={"sub": self.subject, "cronofy.data": {"profiles": profiles}})

    def periods(self, *periods: FreeBusyPeriod) -> Callable[[httpx.Request], httpx.Response]:
        def reply(request: httpx.Request) -> httpx.Response:
            seen = overlapping(periods, self.window_of(request))
            return self.page(
                *({**self.row(utc(each.start), utc(each.end), each.status), "summary": CANARY} for each in seen)
            )

        return reply

    def times(self, start: str, end: str) -> httpx.Response:
        return self.page(self.row(f"{start}Z", f"{end}Z"))

    def unreadable(self) -> Iterable[Any]:
        page = {"pages": {"current": 1, "total": 1}, "free_busy": []}
        own_host = "https://api-de.cronofy.com"
        return (
            {"free_busy": []},
            {**page, "free_busy": None},
            {**page, "free_busy": {}},
            {**page, "free_busy": [CANARY]},
            {"pages": {"current": 1, "total": 1}},
            {**page, "pages": {"current": 1}},
            {**page, "pages": {"current": 2, "total": 2}},
            {**page, "pages": {"current": 1, "total": 2}},
            {**page, "pages": {"current": 1, "total": 2, "next_page": None}},
            {**page, "pages": {"current": 1, "total": 2, "next_page": 7}},
            {**page, "pages": {"current": 1, "total": 2, "next_page": "https://evil.example/v1/free_busy/pages/1"}},
            {**page, "pages": {"current": 1, "total": 2, "next_page": "https://api.cronofy.com/v1/free_busy/pages/1"}},
            {
                **page,
                "pages": {"current": 1, "total": 2, "next_page": "http://api-de.cronofy.com/v1/free_busy/pages/1"},
            },
            {**page, "pages": {"current": 1, "total": 2, "next_page": f"{own_host}/v1/events/pages/1"}},
            {**page, "pages": {"current": 1, "total": 2, "next_page": "/v1/free_busy/pages/1"}},
        )

    def claims(self) -> dict[str, Any]:
        raise AssertionError("there are no id_tokens")

    def window_of(self, request: httpx.Request) -> Period:
        """Without the hours that are asked for beside it, for dates that are meant somewhere else on earth."""
        asked = request.url.params
        return Period(second_of(asked["from"]) + 12 * 3600, second_of(asked["to"]) - 14 * 3600)

    def error(self, code: str) -> Any:
        return {"errors": {"tzid": [{"key": f"errors.{code}", "description": CANARY}]}}

    def page(self, *rows: Any, current: int = 1, total: int = 1, next_page: str | None = None) -> httpx.Response:
        pages = {"current": current, "total": total, **({"next_page": next_page} if next_page else {})}
        return httpx.Response(200, json={"pages": pages, "free_busy": rows})

    def row(self, start: str, end: str, status: str = "busy", **more: Any) -> dict[str, Any]:
        return {"calendar_id": "cal_Ab3dEf_1", "start": start, "end": end, "free_busy_status": status, **more}


HARNESSES: tuple[type[Harness], ...] = (GoogleHarness, MicrosoftHarness, CronofyHarness)
