"""A Microsoft tenant: an administrator's sign-in and consent, and everybody's calendars by application permission."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from freebusy.adapters import graph_schedule, microsoft
from freebusy.adapters.graph_schedule import GRAPH, GraphSchedules, ScheduleRefused
from freebusy.adapters.kept_tokens import KeptTokens
from freebusy.adapters.provider_http import REAL_TIME, Answer, ProviderHttp, Timing, measured
from freebusy.adapters.provider_resources import MOST_RESOURCES, resources_in
from freebusy.adapters.provider_windows import Reading, read_in_pieces, read_together_in_pieces
from freebusy.adapters.token_endpoint import VERDICTS, TokenEndpoint, Verdict
from freebusy.domain.account import ProviderCredential, ProviderName
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ConsentRefused,
    CredentialRevoked,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    MailboxWithoutCalendar,
    NotAnAdministrator,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.service_account import Administrator, Delegation, Organization, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx

    from freebusy.adapters.secrets import RegistrationSource
    from freebusy.domain.free_busy import FreeBusyPeriod, Period

T = TypeVar("T")

SIGN_IN_SCOPE = "openid email profile"
DEFAULT_SCOPE = f"{GRAPH}/.default"
"""All application permissions that our registration lists: which ones is up to it (docs/deploy.md)."""

FREE_BUSY_ROLE, RESOURCES_ROLE = "Calendars.ReadBasic.All", "Place.Read.All"
"""The least that it takes (https://learn.microsoft.com/graph/permissions-reference)."""

MAY_LET_US_IN: Mapping[str, str] = {
    "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
    "e8611ab8-c189-46e8-94e1-60213ab1f814": "Privileged Role Administrator",
    # They grant the same for some mailboxes alone, in Exchange (RBAC for Applications).
    "29232cdf-9323-42fd-ade2-1d097af3e4de": "Exchange Administrator",
}
"""Directory roles that can give an application the calendars, by the ids of their templates.

(Cloud) Application Administrators are none of them: they consent to other permissions, but to no application permission
of Graph (https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference).
"""

# What client credentials are refused with: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
TOKEN_CODES: Mapping[int, Verdict] = {
    **dict.fromkeys(microsoft.WRONG_SECRET, ProviderMisconfigured),
    50196: ProviderUnavailable,
    # Nobody there consented, somebody took it back, or the application is disabled there or not assigned.
    **dict.fromkeys((65001, 90094, 90095, 700016, 7000112, 7000229, 50105, 501051, 53003), DelegationMissing),
    # There was such a tenant, since its administrator signed in: it has been deleted.
    90002: DelegationMissing,
}
_IN_OTHER_WORDS: Mapping[Verdict, Verdict] = {
    ConsentRefused: DelegationMissing,
    CredentialRevoked: ProviderUnavailable,  # there is nothing that could have been revoked
}
TOKEN_ERRORS: Mapping[str, Verdict] = {
    error: _IN_OTHER_WORDS.get(verdict, verdict) for error, verdict in VERDICTS.items()
}
"""Where no code of the answer is known."""

MAILBOX_VERDICTS: Mapping[str, type[CalendarUnreadable]] = {
    # There is no such address in the tenant: at the door of the mailbox, in the directory, and within an answer.
    "ErrorInvalidUser": MailboxUnknown,
    "Request_ResourceNotFound": MailboxUnknown,
    "ResourceNotFound": MailboxUnknown,
    "ErrorNonExistentMailbox": MailboxUnknown,
    "ErrorMailRecipientNotFound": MailboxUnknown,
    # The address is known, and its mailbox is on the organization's own servers, deleted, or without a licence.
    "MailboxNotEnabledForRESTAPI": MailboxWithoutCalendar,
    "MailboxNotSupportedForRESTAPI": MailboxWithoutCalendar,
}
"""By Graph's code; any other says no more than that the calendar is unreadable."""

MOST_ANCHORS = 3
"""Mailboxes of a call that it may be asked through, one after the other, until one lets us in."""

PLACES_URL = f"{GRAPH}/v1.0/places/microsoft.graph.room"
PLACES_PER_PAGE = 100


class MicrosoftTenantSignIn:
    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        tenant: str,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._registration = registration
        self._tenant = tenant
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        tokens = TokenEndpoint(
            self._http,
            microsoft.address(tenant, "oauth2/v2.0/token"),
            registration,
            timing,
            extra={"scope": SIGN_IN_SCOPE},
            codes=microsoft.VERDICTS_BY_CODE,
            wrong_secret=microsoft.WRONG_SECRET,
        )
        self._sign_in = microsoft.sign_in(tokens, tenant)

    @property
    def issuer(self) -> str | None:
        return microsoft.known_issuer(self._tenant)

    def consent_url(self, *, redirect_uri: str, state: str) -> str | None:
        """https://learn.microsoft.com/entra/identity-platform/v2-admin-consent."""
        query = {
            "client_id": self._registration().client_id,
            "scope": DEFAULT_SCOPE,
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{self._http.address(microsoft.address(self._tenant, 'v2.0/adminconsent'))}?{urlencode(query)}"

    def sign_in_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, login_hint: str | None = None
    ) -> str:
        return self._sign_in.url(
            scope=SIGN_IN_SCOPE,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            login_hint=login_hint,
            **microsoft.SHOWN,
        )

    @measured("microsoft")
    def sign_in(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Administrator:
        """The claim ``wids`` comes only where our registration asks for it, and then to everybody.

        Applications take the administrator's domain for the organization's. The claim ``email`` is whatever a tenant
        wrote down, also another's domain; a user name is of a domain that the tenant has proven to be its own:
        https://learn.microsoft.com/entra/identity-platform/claims-validation.
        """
        claims = self._sign_in.identify(code, redirect_uri=redirect_uri, code_verifier=code_verifier, nonce=nonce)
        identity = microsoft.identity(claims, tenant=self._tenant)
        match claims.get("preferred_username"):
            case str(user_name) if "@" in user_name:
                identity = replace(identity, email=user_name)
            case _:
                raise IdentityRejected("the id_token has no user name")
        match claims.get("wids"):
            case None:
                raise ProviderMisconfigured("the id_token has no wids: set groupMembershipClaims to DirectoryRole")
            case [*roles]:
                if not any(isinstance(role, str) and role.lower() in MAY_LET_US_IN for role in roles):
                    raise NotAnAdministrator("none of the roles that can let us in")
            case _:
                raise IdentityRejected("the id_token's wids are no list")
        return Administrator(identity, Organization(ProviderName.MICROSOFT, claims["tid"]))


class MicrosoftTenantCalendars:
    most_together = graph_schedule.MOST_TOGETHER

    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._registration = registration
        self._timing = timing
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._kept = KeptTokens(timing)

    def delegation(self) -> Delegation:
        return Delegation(self._registration().client_id, free_busy=FREE_BUSY_ROLE, resources=RESOURCES_ROLE)

    @measured("microsoft")
    def credential(
        self,
        organization: Organization,
        speaker: str,  # noqa: ARG002 - the application speaks for itself
        *,
        deadline: float,
    ) -> ProviderCredential:
        return self._kept.new(organization.key, lambda: self._token(organization, deadline))

    @measured("microsoft")
    def free_busy(
        self, credential: ProviderCredential, mailboxes: Sequence[str], window: Period, *, deadline: float
    ) -> Mapping[str, Reading]:
        """Asked through one of the mailboxes themselves, since each bears only so many calls at once."""
        closed: dict[str, ScheduleRefused] = {}

        def read(piece: Period) -> Mapping[str, Reading]:
            for anchor in mailboxes[:MOST_ANCHORS]:
                if anchor in closed:
                    continue
                schedules = GraphSchedules(self._http, _user(anchor), credential.access_token, deadline)
                try:
                    readings = schedules.read_together(mailboxes, piece)
                except ScheduleRefused as error:
                    if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                        return dict.fromkeys(mailboxes, error)  # about the question, and not about the anchor
                    closed[anchor] = error
                else:
                    return {mailbox: _told(closed.get(mailbox, readings[mailbox])) for mailbox in mailboxes}
            return _through_nobody(mailboxes, closed)

        return read_together_in_pieces(window, mailboxes, read, deadline=deadline, timing=self._timing)

    @measured("microsoft")
    def own_free_busy(
        self, organization: Organization, mailbox: str, window: Period, *, deadline: float
    ) -> Sequence[FreeBusyPeriod]:
        """Where an administrator let us into some mailboxes alone, the others are DelegationMissing."""

        def read(access_token: str) -> list[FreeBusyPeriod]:
            schedules = GraphSchedules(self._http, _user(mailbox), access_token, deadline)
            try:
                return read_in_pieces(window, partial(schedules.read, mailbox), deadline=deadline, timing=self._timing)
            except ScheduleRefused as error:
                if error.status == HTTPStatus.FORBIDDEN:
                    raise DelegationMissing(str(error)) from None
                raise _verdict(error) from None

        return self._reading(organization, read, deadline)

    @measured("microsoft")
    def resources(
        self,
        organization: Organization,
        speaker: str,  # noqa: ARG002 - the application speaks for itself
        *,
        deadline: float,
    ) -> Sequence[Resource]:
        return self._reading(organization, lambda token: list(self._rooms(token, deadline)), deadline)

    def _rooms(self, access_token: str, deadline: float) -> Iterator[Resource]:
        """https://learn.microsoft.com/graph/api/place-list."""
        url = f"{PLACES_URL}?$top={PLACES_PER_PAGE}"
        for _ in range(MOST_RESOURCES // PLACES_PER_PAGE):
            answer = self._http.send("GET", url, deadline=deadline, headers={"Authorization": f"Bearer {access_token}"})
            if answer.status != HTTPStatus.OK:
                raise _places_refusal(answer)
            yield from resources_in(answer.body.get("value"), email="emailAddress", name="displayName")
            if not (url := str(answer.body.get("@odata.nextLink") or "")):
                return
            if not url.startswith(f"{GRAPH}/"):
                raise ProviderUnavailable("the next page of rooms is somewhere else")
        raise ProviderUnavailable("more rooms than we list")

    def _reading(self, organization: Organization, read: Callable[[str], T], deadline: float) -> T:
        return self._kept.reading(
            organization.key, lambda: self._token(organization, deadline), read, deadline=deadline
        )

    def _token(self, organization: Organization, deadline: float) -> ProviderCredential:
        """https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow."""
        endpoint = TokenEndpoint(
            self._http,
            microsoft.address(organization.key, "oauth2/v2.0/token"),
            self._registration,
            self._timing,
            extra={"scope": DEFAULT_SCOPE},
            errors=TOKEN_ERRORS,
            codes=TOKEN_CODES,
            wrong_secret=microsoft.WRONG_SECRET,
        )
        return endpoint.for_ourselves(deadline=deadline)


def _user(mailbox: str) -> str:
    return f"users/{quote(mailbox, safe='@')}"


def _through_nobody(mailboxes: Sequence[str], closed: Mapping[str, ScheduleRefused]) -> dict[str, Reading]:
    """Raises DelegationMissing when it was for want of permission each time."""
    tried = [closed[anchor] for anchor in mailboxes[:MOST_ANCHORS]]
    if all(error.status == HTTPStatus.FORBIDDEN for error in tried):
        raise DelegationMissing(str(tried[0]))
    other = CalendarUnreadable("none of the mailboxes that were tried lets us ask about others")
    return {mailbox: _told(closed.get(mailbox, other)) for mailbox in mailboxes}


def _told(reading: Reading) -> Reading:
    return _verdict(reading) if isinstance(reading, ScheduleRefused) else reading


def _verdict(error: ScheduleRefused) -> CalendarUnreadable:
    verdicts = (MAILBOX_VERDICTS[code] for code in error.codes if code in MAILBOX_VERDICTS)
    return next(verdicts, CalendarUnreadable)(str(error))


def _places_refusal(answer: Answer) -> ProviderError:
    told = f"places answered {answer.status}"
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return AccessTokenRejected(told)
    return (DelegationMissing if answer.status == HTTPStatus.FORBIDDEN else ProviderUnavailable)(told)
