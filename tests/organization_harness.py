"""How each provider says what the contract of organizations is about: scripted over ``httpx.MockTransport``, and as the
simulators say it over HTTP.

The scripted ones answer from the same description of an organization as the simulators do; queued replies go before.
"""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError

from freebusy.adapters.google_workspace import GoogleWorkspaceCalendars, GoogleWorkspaceSignIn
from freebusy.adapters.microsoft_tenant import MicrosoftTenantCalendars, MicrosoftTenantSignIn
from freebusy.adapters.provider_http import Timing
from freebusy.adapters.secrets import ProviderRegistration, ProviderSecrets, ServiceAccountKey
from freebusy.domain.account import ProviderCredential, ProviderName
from freebusy.domain.free_busy import FreeBusyPeriod, Period
from freebusy.domain.pkce import challenge_of
from freebusy.domain.service_account import Administrator, Organization
from freebusy.ports import OrganizationCalendars, OrganizationSignIn
from local.simulators import running
from local.simulators.entra import tenant_id
from tests.fakes.clock import NOW
from tests.provider_harness import (
    CANARY,
    CLIENT_ID,
    NONCE,
    FakeTime,
    Registration,
    Reply,
    form_of,
    json_of,
    overlapping,
    second_of,
    signing_key,
    utc,
)

DOMAIN = "example.com"
ADMIN = f"admin@{DOMAIN}"
REDIRECT_URI = "http://127.0.0.1:9999/callback"
VERIFIER = "v" * 43
UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Reading the usual certificates for each client takes a while.

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
EVERY_USER = "b79fbf4d-3ef9-4689-8143-76b194e85509"


@dataclass
class World:
    """One organization at the provider: its people, in lower case, and what the administrator gave us."""

    busy: dict[str, list[FreeBusyPeriod]] = field(default_factory=lambda: {ADMIN: []})
    hidden: set[str] = field(default_factory=set)
    suspended: set[str] = field(default_factory=set)
    without_calendar: set[str] = field(default_factory=set)
    rooms: dict[str, str] = field(default_factory=dict)
    delegated: bool = True
    rooms_allowed: bool = True

    def employee(self, address: str) -> str | None:
        address = address.lower()
        return address if address in self.busy and address not in self.suspended else None

    def readable(self, address: str, *, by: str | None) -> list[FreeBusyPeriod] | None:
        address = address.lower()
        if address in self.rooms:
            return self.busy.get(address, [])
        if self.employee(address) is None or address in self.without_calendar:
            return None
        return None if address in self.hidden and address != by else self.busy[address]


class OrganizationHarness(ABC):
    """The two adapters of one provider, before an organization that tests describe."""

    calendars: OrganizationCalendars
    sign_in: OrganizationSignIn
    organization: Organization

    def __init__(self) -> None:
        self.world = World()
        self.context = ExitStack()

    def put(self, *mailboxes: str, busy: list[FreeBusyPeriod] | None = None) -> None:
        for mailbox in mailboxes:
            self.world.busy[mailbox] = busy or []
        self.changed()

    @abstractmethod
    def changed(self) -> None:
        """Has to be called after the world was changed, so that the provider hears of it."""

    @abstractmethod
    def calls(self, kind: str) -> int:
        """How many ``token``, ``busy`` or ``rooms`` calls there were."""

    @abstractmethod
    def deadline(self, seconds: float = 10.0) -> float: ...

    @abstractmethod
    def administrator(self, email: str = ADMIN) -> Administrator:
        """Who the adapter says it is that signed in with this address."""

    def credential(self) -> ProviderCredential:
        return self.calendars.credential(self.organization, ADMIN, deadline=self.deadline())

    def together(self, *mailboxes: str, window: Period, credential: ProviderCredential | None = None) -> dict[str, Any]:
        credential = credential or self.credential()
        return dict(self.calendars.free_busy(credential, mailboxes, window, deadline=self.deadline()))

    def alone(self, mailbox: str, *, window: Period) -> list[FreeBusyPeriod]:
        found = self.calendars.own_free_busy(self.organization, mailbox, window, deadline=self.deadline())
        return list(found)

    def resources(self) -> list[Any]:
        return list(self.calendars.resources(self.organization, ADMIN, deadline=self.deadline()))


# --- Scripted ------------------------------------------------------------------------------------------------


class ScriptedHarness(OrganizationHarness):
    """``usual`` replaces what the organization would have answered, ``replies`` go before either; both by kind."""

    hosts: frozenset[str]
    sign_in_scopes: frozenset[str]

    def __init__(self, origin: str | None = None) -> None:
        super().__init__()
        self.time = FakeTime()
        self.registration = Registration()
        self.requests: list[httpx.Request] = []
        self.replies: dict[str, deque[Reply]] = defaultdict(deque)
        self.usual: dict[str, Reply] = {}
        self.claims: dict[str, Any] = {}
        self._lock = Lock()
        self.http = httpx.Client(transport=httpx.MockTransport(self._reply))
        self.connect(origin, self.time.timing)

    @abstractmethod
    def connect(self, origin: str | None, timing: Timing) -> None:
        """Makes both adapters on ``self.http``."""

    @abstractmethod
    def answer(self, kind: str, request: httpx.Request) -> httpx.Response:
        """What the described organization's provider says."""

    @abstractmethod
    def kind(self, request: httpx.Request) -> str: ...

    @abstractmethod
    def usual_claims(self, email: str) -> dict[str, Any]:
        """What a good id_token of this person says."""

    @abstractmethod
    def error(self, code: str) -> Any:
        """The body of a refused call for calendars."""

    def changed(self) -> None:
        """Nothing to do: the answers are made from the world itself."""

    def calls(self, kind: str) -> int:
        return len(self.asked(kind))

    def asked(self, kind: str) -> list[httpx.Request]:
        return [request for request in self.requests if self.kind(request) == kind]

    def deadline(self, seconds: float = 10.0) -> float:
        return self.time.elapsed + seconds

    def sign_in_url(self, **more: Any) -> str:
        return self.sign_in.sign_in_url(
            redirect_uri="https://us.example/callback",
            state="state-1",
            nonce=NONCE,
            code_challenge="challenge-1",
            **more,
        )

    def administrator(self, email: str = ADMIN) -> Administrator:
        claims = {**self.usual_claims(email), **self.claims}
        self.id_token = jwt.encode(
            {"alg": "RS256", "kid": "key-1"},
            {name: value for name, value in claims.items() if value is not None},
            signing_key("key-1"),
            algorithms=["RS256"],
        )
        return self.sign_in.sign_in(
            "code-1", redirect_uri="https://us.example/callback", code_verifier="verifier-1", nonce=NONCE
        )

    def signed_in(self) -> httpx.Response:
        granted = {"access_token": "sign-in-token", "token_type": "Bearer", "expires_in": 3599}
        return httpx.Response(200, json={**granted, "id_token": self.id_token})

    def keys(self) -> httpx.Response:
        return httpx.Response(200, json={"keys": [signing_key("key-1").as_dict(private=False)]})

    def _reply(self, request: httpx.Request) -> httpx.Response:
        kind = self.kind(request)
        with self._lock:
            self.requests.append(request)
            queued = self.replies[kind]
            reply = queued.popleft() if queued else self.usual.get(kind)
        if reply is None:
            return self.answer(kind, request)
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else reply(request)


class ScriptedGoogle(ScriptedHarness):
    hosts = frozenset({"accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com", "admin.googleapis.com"})
    sign_in_scopes = frozenset({"openid", "email"})
    organization = Organization(ProviderName.GOOGLE, DOMAIN, (DOMAIN,))
    resources_scope = "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly"

    def connect(self, origin: str | None, timing: Timing) -> None:
        self.signer = "service-key-1"
        self.key = self.kept_key = self.key_called(self.signer)
        self.calendars = GoogleWorkspaceCalendars(self.http, self.current_key, origin=origin, timing=timing)
        self.sign_in = GoogleWorkspaceSignIn(self.http, self.registration, origin=origin, timing=timing)

    def key_called(self, key_id: str) -> ServiceAccountKey:
        private_key = signing_key(key_id).as_pem(private=True).decode()
        return ServiceAccountKey("freebusy@project.iam.gserviceaccount.com", "1077", key_id, private_key)

    def current_key(self, *, fresh: bool = False) -> ServiceAccountKey:
        """``key`` is what a fresh look finds; ``signer`` is the one that Google takes."""
        if fresh:
            self.kept_key = self.key
        return self.kept_key

    def kind(self, request: httpx.Request) -> str:
        if request.url.path == "/token":
            return "token" if b"jwt-bearer" in request.content else "sign in"
        return {
            "/calendar/v3/freeBusy": "busy",
            "/oauth2/v3/certs": "keys",
            "/admin/directory/v1/customer/my_customer/resources/calendars": "rooms",
        }[request.url.path]

    def answer(self, kind: str, request: httpx.Request) -> httpx.Response:
        match kind:
            case "token":
                return self.granted(request)
            case "busy":
                return self.free_busy(request)
            case "rooms":
                items = [{"resourceEmail": email, "resourceName": name} for email, name in self.world.rooms.items()]
                return httpx.Response(200, json={"items": items})
            case "keys":
                return self.keys()
        return self.signed_in()

    def claims_of(self, request: httpx.Request) -> dict[str, Any]:
        """Of an assertion, signed by whichever key."""
        assertion = form_of(request)["assertion"]
        key_id = jws.extract_compact(assertion.encode()).headers()["kid"]
        return dict(jwt.decode(assertion, signing_key(key_id), algorithms=["RS256"]).claims)

    def granted(self, request: httpx.Request) -> httpx.Response:
        assertion = form_of(request)["assertion"]
        try:
            claims = jwt.decode(assertion, signing_key(self.signer), algorithms=["RS256"]).claims
        except JoseError:
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        person = claims.get("sub")
        if person and self.world.employee(person) is None:
            description = "Invalid email or User ID"
            return httpx.Response(400, json={"error": "invalid_grant", "error_description": description})
        allowed = self.world.rooms_allowed if claims["scope"] == self.resources_scope else True
        if person and not (self.world.delegated and allowed):
            return httpx.Response(401, json={"error": "unauthorized_client"})
        body = {"access_token": f"token.of/{person}", "expires_in": 3599, "token_type": "Bearer"}
        return httpx.Response(200, json=body)

    def free_busy(self, request: httpx.Request) -> httpx.Response:
        speaker = request.headers["authorization"].removeprefix("Bearer token.of/")
        if not self.world.delegated:
            return httpx.Response(401, json=self.error("authError"))
        asked = json_of(request)
        window = Period(second_of(asked["timeMin"]), second_of(asked["timeMax"]))
        calendars = {}
        for name in (item["id"] for item in asked["items"]):
            found = self.world.readable(speaker if name == "primary" else name, by=speaker)
            calendars[name] = (
                {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
                if found is None
                else {"busy": [self.shown(period) for period in overlapping(found, window)]}
            )
        return httpx.Response(200, json={"kind": "calendar#freeBusy", "calendars": calendars})

    def shown(self, period: FreeBusyPeriod) -> dict[str, str]:
        return {"start": utc(period.start), "end": utc(period.end), "summary": CANARY}

    def usual_claims(self, email: str) -> dict[str, Any]:
        domain = email.partition("@")[2]
        return {
            "iss": "https://accounts.google.com",
            "aud": CLIENT_ID,
            "sub": f"subject of {email}",
            "email": email,
            "email_verified": True,
            "hd": None if domain == "gmail.com" else domain,
            "nonce": NONCE,
            "iat": NOW,
            "exp": NOW + 3600,
        }

    def error(self, code: str) -> Any:
        return {"error": {"code": 400, "message": CANARY, "errors": [{"domain": "global", "reason": code}]}}


class ScriptedMicrosoft(ScriptedHarness):
    hosts = frozenset({"login.microsoftonline.com", "graph.microsoft.com"})
    sign_in_scopes = frozenset({"openid", "email", "profile"})
    tenant = "6babcaad-604b-40ac-a9d7-9fd97c0b779f"
    organization = Organization(ProviderName.MICROSOFT, tenant)
    deployed_for = "organizations"

    def connect(self, origin: str | None, timing: Timing) -> None:
        self.narrowed_to: set[str] | None = None
        self.calendars = MicrosoftTenantCalendars(self.http, self.registration, origin=origin, timing=timing)
        self.sign_in = MicrosoftTenantSignIn(
            self.http, self.registration, tenant=self.deployed_for, origin=origin, timing=timing
        )

    def kind(self, request: httpx.Request) -> str:
        path = request.url.path
        if path.endswith("/token"):
            return "token" if b"client_credentials" in request.content else "sign in"
        return "keys" if path.endswith("/keys") else "rooms" if "/places/" in path else "busy"

    def answer(self, kind: str, request: httpx.Request) -> httpx.Response:
        match kind:
            case "token":
                body = {"access_token": "application-token", "expires_in": 3599, "token_type": "Bearer"}
                return httpx.Response(200, json=body)
            case "busy":
                return self.schedules(request)
            case "rooms" if not (self.world.delegated and self.world.rooms_allowed):
                return httpx.Response(403, json=self.error("Authorization_RequestDenied"))
            case "rooms":
                value = [{"emailAddress": email, "displayName": name} for email, name in self.world.rooms.items()]
                return httpx.Response(200, json={"value": value})
            case "keys":
                return self.keys()
        return self.signed_in()

    def anchor_of(self, request: httpx.Request) -> str:
        return unquote(request.url.path.removeprefix("/v1.0/users/").removesuffix("/calendar/getSchedule"))

    def schedules(self, request: httpx.Request) -> httpx.Response:
        anchor = self.anchor_of(request).lower()
        if not self.world.delegated or (self.narrowed_to is not None and anchor not in self.narrowed_to):
            return httpx.Response(403, json=self.error("ErrorAccessDenied"))
        if self.world.employee(anchor) is None and anchor not in self.world.rooms:
            return httpx.Response(404, json=self.error("ErrorInvalidUser"))
        if anchor in self.world.without_calendar:
            return httpx.Response(404, json=self.error("MailboxNotEnabledForRESTAPI"))
        asked = json_of(request)
        window = Period(*(second_of(asked[bound]["dateTime"] + "Z") for bound in ("startTime", "endTime")))
        return httpx.Response(200, json={"value": [self.schedule(name, anchor, window) for name in asked["schedules"]]})

    def schedule(self, name: str, anchor: str, window: Period) -> dict[str, Any]:
        found = self.world.readable(name, by=anchor)
        if found is None:
            known = self.world.employee(name) and name.lower() not in self.world.without_calendar
            code = "ErrorNoFreeBusyAccess" if known else "ErrorMailRecipientNotFound"
            return {"scheduleId": name, "error": {"message": CANARY, "responseCode": code}}
        items = [self.item(period) for period in overlapping(found, window)]
        return {"scheduleId": name, "availabilityView": "", "scheduleItems": items}

    def item(self, period: FreeBusyPeriod) -> dict[str, Any]:
        def wall(second: int) -> dict[str, str]:
            return {"dateTime": utc(second).replace("+00:00", ".0000000"), "timeZone": "UTC"}

        times = {"start": wall(period.start), "end": wall(period.end)}
        return {"status": period.status.value, "subject": CANARY, "location": CANARY, **times}

    def usual_claims(self, email: str) -> dict[str, Any]:
        return {
            "iss": f"https://login.microsoftonline.com/{self.tenant}/v2.0",
            "aud": CLIENT_ID,
            "sub": "pairwise",
            "tid": self.tenant,
            "oid": f"object of {email}",
            "preferred_username": email,
            "wids": [*([GLOBAL_ADMINISTRATOR] if email == ADMIN else []), EVERY_USER],
            "nonce": NONCE,
            "iat": NOW,
            "exp": NOW + 3600,
        }

    def error(self, code: str) -> Any:
        return {"error": {"code": code, "message": CANARY}}


# --- Simulated -----------------------------------------------------------------------------------------------


class KeyFile:
    """A Secrets Manager that holds one value."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self, **_: str) -> dict[str, Any]:
        return {"SecretString": self._text, "CreatedDate": datetime.now(UTC)}


class SimulatedHarness(OrganizationHarness):
    name: str
    organizations: str

    def __init__(self) -> None:
        super().__init__()
        self.url = self.context.enter_context(running(self.name))
        self.http = self.context.enter_context(httpx.Client(verify=UNUSED))
        registration = ProviderRegistration(f"sim-{self.name}-client", f"sim-{self.name}-secret")
        self.connect(lambda *, fresh=False: registration)
        self.changed()

    @abstractmethod
    def connect(self, registration: Any) -> None: ...

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """What only this provider's organizations have."""

    @abstractmethod
    def is_kind(self, kind: str, request: dict[str, Any]) -> bool: ...

    def changed(self) -> None:
        people = [address for address in self.world.busy if address not in self.world.rooms]
        for address, periods in self.world.busy.items():
            busy = [{"start": utc(p.start), "end": utc(p.end), "status": p.status.value} for p in periods]
            self._put(f"users/{address}", {"busy": busy, "exists": address not in self.world.without_calendar})
        described = {
            "admin": ADMIN,
            "delegated": self.world.delegated,
            "users": people,
            "hidden": sorted(self.world.hidden),
            "suspended": sorted(self.world.suspended),
            "rooms": [{"email": email, "name": name} for email, name in self.world.rooms.items()],
        }
        self._put(f"{self.organizations}/{DOMAIN}", {**described, **self.described()})

    def calls(self, kind: str) -> int:
        return sum(self.is_kind(kind, request) for request in self.http.get(f"{self.url}/sim/requests").json())

    def deadline(self, seconds: float = 10.0) -> float:
        return time.monotonic() + seconds

    def administrator(self, email: str = ADMIN) -> Administrator:
        url = self.sign_in.sign_in_url(
            redirect_uri=REDIRECT_URI, state="state-1", nonce=NONCE, code_challenge=challenge_of(VERIFIER)
        )
        answer = self.http.get(url, params={**dict(parse_qsl(urlsplit(url).query)), "sim_user": email})
        assert answer.status_code == 302, answer.text
        code = dict(parse_qsl(urlsplit(answer.headers["location"]).query))["code"]
        return self.sign_in.sign_in(code, redirect_uri=REDIRECT_URI, code_verifier=VERIFIER, nonce=NONCE)

    def _put(self, path: str, described: dict[str, Any]) -> None:
        answer = self.http.put(f"{self.url}/sim/{path}", json=described)
        assert answer.status_code == 200, answer.text


class SimulatedGoogle(SimulatedHarness):
    name = "google"
    organizations = "domains"
    organization = ScriptedGoogle.organization

    def connect(self, registration: Any) -> None:
        key_file = KeyFile(self.http.get(f"{self.url}/sim/service_account").text)
        key = ProviderSecrets(key_file).service_account_key("key file")  # type: ignore[arg-type]
        self.calendars = GoogleWorkspaceCalendars(self.http, key, origin=self.url)
        self.sign_in = GoogleWorkspaceSignIn(self.http, registration, origin=self.url)

    def described(self) -> dict[str, Any]:
        free_busy = "https://www.googleapis.com/auth/calendar.freebusy"
        return {"scopes": [free_busy, *([ScriptedGoogle.resources_scope] if self.world.rooms_allowed else [])]}

    def is_kind(self, kind: str, request: dict[str, Any]) -> bool:
        ends = {"token": "/token", "busy": "/calendar/v3/freeBusy", "rooms": "/resources/calendars"}
        return request["path"].partition("?")[0].endswith(ends[kind])


class SimulatedMicrosoft(SimulatedHarness):
    name = "microsoft"
    organizations = "tenants"
    organization = Organization(ProviderName.MICROSOFT, tenant_id(DOMAIN))

    def connect(self, registration: Any) -> None:
        self.calendars = MicrosoftTenantCalendars(self.http, registration, origin=self.url)
        self.sign_in = MicrosoftTenantSignIn(self.http, registration, tenant="organizations", origin=self.url)

    def described(self) -> dict[str, Any]:
        return {"places": self.world.rooms_allowed and self.world.delegated}

    def is_kind(self, kind: str, request: dict[str, Any]) -> bool:
        path = request["path"].partition("?")[0]
        ends = {"token": "/token", "busy": "/getSchedule", "rooms": "/microsoft.graph.room"}
        return path.endswith(ends[kind])


SCRIPTED: tuple[type[ScriptedHarness], ...] = (ScriptedGoogle, ScriptedMicrosoft)
HARNESSES: tuple[type[OrganizationHarness], ...] = (*SCRIPTED, SimulatedGoogle, SimulatedMicrosoft)


def harness_of(kind: type[OrganizationHarness]) -> Iterator[OrganizationHarness]:
    harness = kind()
    with harness.context:
        yield harness
