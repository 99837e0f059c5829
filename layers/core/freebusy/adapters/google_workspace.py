"""Google Workspace: an administrator's sign-in, and the calendars of everybody by domain-wide delegation."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from freebusy.adapters import google, google_calendar
from freebusy.adapters.google_calendar import CALENDAR_SCOPE, FreeBusyQueries, NoSuchCalendar
from freebusy.adapters.google_delegation import DelegatedTokens
from freebusy.adapters.kept_tokens import KeptTokens
from freebusy.adapters.provider_http import REAL_TIME, Answer, ProviderHttp, Timing, measured
from freebusy.adapters.provider_resources import MOST_RESOURCES, resources_in
from freebusy.adapters.provider_windows import Reading, read_in_pieces, read_together_in_pieces
from freebusy.adapters.token_endpoint import TokenEndpoint
from freebusy.domain.account import ProviderCredential, ProviderName
from freebusy.domain.errors import (
    CalendarUnreadable,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderError,
    ProviderUnavailable,
)
from freebusy.domain.service_account import Administrator, Delegation, Organization, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx

    from freebusy.adapters.secrets import RegistrationSource, ServiceAccountKeySource
    from freebusy.domain.free_busy import FreeBusyPeriod, Period

T = TypeVar("T")

SIGN_IN_SCOPE = "openid email"
RESOURCES_SCOPE = "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly"
RESOURCES_URL = "https://admin.googleapis.com/admin/directory/v1/customer/my_customer/resources/calendars"

RESOURCES_PER_PAGE = 500
"""The largest ``maxResults``."""

QUOTA_USER_LENGTH = 40


class GoogleWorkspaceSignIn:
    """Google does not say who is an administrator: what they can delegate, and their DNS, has to show that."""

    issuer: str | None = google.ISSUER

    def __init__(
        self,
        http: httpx.Client,
        registration: RegistrationSource,
        *,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        provider_http = ProviderHttp(http, origin=origin, timing=timing)
        self._sign_in = google.sign_in(TokenEndpoint(provider_http, google.TOKEN_URL, registration, timing))

    def consent_url(self, *, redirect_uri: str, state: str) -> str | None:  # noqa: ARG002 - there is no such screen
        return None

    def sign_in_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, login_hint: str | None = None
    ) -> str:
        """``hd=*`` has Google offer Workspace accounts alone, which the claim ``hd`` then has to confirm."""
        return self._sign_in.url(
            scope=SIGN_IN_SCOPE,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            code_challenge=code_challenge,
            prompt="select_account",
            hd="*",
            login_hint=login_hint,
        )

    @measured("google")
    def sign_in(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Administrator:
        claims = self._sign_in.identify(code, redirect_uri=redirect_uri, code_verifier=code_verifier, nonce=nonce)
        identity = google.identity(claims)
        match claims:
            case {"hd": str(hosted)} if hosted:
                domains = (hosted.lower(), _domain_of(identity.email))
                organization = Organization(ProviderName.GOOGLE, domains[0], tuple(dict.fromkeys(domains)))
                return Administrator(identity, organization)
        raise IdentityRejected("this is no Google Workspace account")


class GoogleWorkspaceCalendars:
    most_together = google_calendar.MOST_TOGETHER

    def __init__(
        self,
        http: httpx.Client,
        key: ServiceAccountKeySource,
        *,
        origin: str | None,
        timing: Timing = REAL_TIME,
    ) -> None:
        self._key = key
        self._timing = timing
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._tokens = DelegatedTokens(self._http, key, timing=timing)
        self._kept = KeptTokens(timing)

    def delegation(self) -> Delegation:
        return Delegation(self._key().client_id, free_busy=CALENDAR_SCOPE, resources=RESOURCES_SCOPE)

    @measured("google")
    def credential(self, organization: Organization, speaker: str, *, deadline: float) -> ProviderCredential:
        _require_member(organization, speaker)
        ask = self._asking(speaker, CALENDAR_SCOPE, deadline)
        return self._kept.new((speaker, CALENDAR_SCOPE), ask)

    @measured("google")
    def free_busy(
        self, credential: ProviderCredential, mailboxes: Sequence[str], window: Period, *, deadline: float
    ) -> Mapping[str, Reading]:
        queries = FreeBusyQueries(self._http, credential.access_token, deadline, _quota_user(mailboxes))

        def read(piece: Period) -> Mapping[str, Reading]:
            try:
                return queries.read_together(mailboxes, piece)
            except CalendarUnreadable as error:  # what is wrong with the whole question may be one mailbox's fault
                return dict.fromkeys(mailboxes, error)

        return read_together_in_pieces(window, mailboxes, read, deadline=deadline, timing=self._timing)

    @measured("google")
    def own_free_busy(
        self, organization: Organization, mailbox: str, window: Period, *, deadline: float
    ) -> Sequence[FreeBusyPeriod]:
        if organization.may_be_resource(mailbox):
            raise CalendarUnreadable("nobody can speak for a room")

        def read(access_token: str) -> list[FreeBusyPeriod]:
            queries = FreeBusyQueries(self._http, access_token, deadline, _quota_user([mailbox]))
            return read_in_pieces(window, queries.own, deadline=deadline, timing=self._timing)

        try:
            return self._speaking(organization, mailbox, CALENDAR_SCOPE, read, deadline)
        except NoSuchCalendar as error:
            raise MailboxWithoutCalendar(str(error)) from None

    @measured("google")
    def resources(self, organization: Organization, speaker: str, *, deadline: float) -> Sequence[Resource]:
        def read(access_token: str) -> list[Resource]:
            return list(self._resources(access_token, deadline))

        return self._speaking(organization, speaker, RESOURCES_SCOPE, read, deadline)

    def _resources(self, access_token: str, deadline: float) -> Iterator[Resource]:
        """https://developers.google.com/workspace/admin/directory/reference/rest/v1/resources.calendars/list."""
        page_token = ""
        for _ in range(MOST_RESOURCES // RESOURCES_PER_PAGE):
            answer = self._http.send(
                "GET",
                RESOURCES_URL,
                deadline=deadline,
                throttled=google_calendar.throttled,
                headers={"Authorization": f"Bearer {access_token}"},
                params={"maxResults": RESOURCES_PER_PAGE, **({"pageToken": page_token} if page_token else {})},
            )
            if answer.status != HTTPStatus.OK:
                raise _resources_refusal(answer)
            yield from resources_in(answer.body.get("items"), email="resourceEmail", name="resourceName")
            if not (page_token := str(answer.body.get("nextPageToken") or "")):
                return
        raise ProviderUnavailable("more rooms than we list")

    def _speaking(
        self, organization: Organization, speaker: str, scope: str, read: Callable[[str], T], deadline: float
    ) -> T:
        _require_member(organization, speaker)
        ask = self._asking(speaker, scope, deadline)
        return self._kept.reading((speaker, scope), ask, read, deadline=deadline)

    def _asking(self, speaker: str, scope: str, deadline: float) -> Callable[[], ProviderCredential]:
        return lambda: self._tokens.token(speaker, scope, deadline=deadline)


def _require_member(organization: Organization, mailbox: str) -> None:
    """Other organizations have let the same service account in, so Google would not refuse their mailboxes."""
    if _domain_of(mailbox) not in organization.domains:
        raise MailboxUnknown("the address is of no domain of the organization")


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _quota_user(mailboxes: Sequence[str]) -> str:
    """Whom Google charges: the mailboxes of a call, and not our service account for all organizations together.

    https://developers.google.com/workspace/calendar/api/guides/quota
    """
    named = "\n".join(sorted(mailbox.lower() for mailbox in mailboxes))
    return hashlib.sha256(named.encode()).hexdigest()[:QUOTA_USER_LENGTH]


def _resources_refusal(answer: Answer) -> ProviderError:
    """Only administrators are answered: a 403 may also mean that the speaker is none any more."""
    error = google_calendar.refusal(answer, "resources.calendars.list")
    if not isinstance(error, CalendarUnreadable):
        return error
    return (DelegationMissing if answer.status == HTTPStatus.FORBIDDEN else ProviderUnavailable)(str(error))
