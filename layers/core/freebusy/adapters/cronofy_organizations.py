"""Whole organizations at Cronofy: its service accounts, and their mailboxes, of which it tells us in callbacks."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from freebusy.adapters.cronofy import SCOPE, covers, identity_of
from freebusy.adapters.cronofy_api import CronofyApi, refusal
from freebusy.adapters.provider_http import REAL_TIME, Answer, ProviderHttp, Timing, measured
from freebusy.adapters.provider_resources import resources_in
from freebusy.adapters.provider_sign_in import EXCHANGE_SECONDS
from freebusy.adapters.token_endpoint import TokenEndpoint
from freebusy.domain.account import Identity, ProviderCredential, ProviderName, Upstream
from freebusy.domain.errors import (
    CalendarUnreadable,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.service_account import MANAGE_ACCOUNTS, Administrator, Organization, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from freebusy.adapters.secrets import RegistrationSource


class CronofyOrganizations:
    """Implements ``ports.UpstreamOrganizations``."""

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

    # --- The service account -----------------------------------------------------------------------

    def authorization_url(self, *, redirect_uri: str, state: str, scope: str, kind: ProviderName | None) -> str:
        query = {
            "response_type": "code",
            "client_id": self._registration().client_id,
            "redirect_uri": redirect_uri,
            "scope": scope,
            "delegated_scope": SCOPE,
            "state": state,
            "avoid_linking": "true",
            **({"provider_name": kind.value} if kind else {}),
        }
        page = self._api.page_for_browsers("/enterprise_connect/oauth/authorize")
        return f"{self._http.address(page)}?{urlencode(query)}"

    @measured("cronofy")
    def connect(self, code: str, *, redirect_uri: str) -> tuple[Administrator, ProviderCredential]:
        """Who the administrator is, the tokens do not say."""
        deadline = self._timing.monotonic() + EXCHANGE_SECONDS
        tokens = self._tokens(_manages_accounts)
        answer = tokens.exchange(code, redirect_uri=redirect_uri, code_verifier=None, deadline=deadline)
        key = answer.body.get("service_account_id")
        if not isinstance(key, str) or not key:
            raise IdentityRejected("the tokens are those of no service account")
        told = self._api.get("/v1/userinfo", answer.credential, deadline=deadline)
        return _administrator(key, told), answer.credential

    @measured("cronofy")
    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        """What it covers was looked at before: Cronofy's documentation shows scopes of people in this answer."""
        return self._tokens(lambda _: True).refresh(credential, deadline=deadline)

    # --- Its mailboxes -----------------------------------------------------------------------------

    @measured("cronofy")
    def ask(
        self, credential: ProviderCredential, mailbox: str, *, callback_url: str, state: str, deadline: float
    ) -> None:
        wanted = {"email": mailbox, "callback_url": callback_url, "scope": SCOPE, "state": state}
        path = "/v1/service_account_authorizations"
        answer = self._api.write("POST", path, credential, wanted, deadline=deadline)
        if not answer.ok:
            raise _refusal_of_mailbox(answer)

    @measured("cronofy")
    def mailbox(self, code: str, *, redirect_uri: str) -> tuple[Identity, ProviderCredential]:
        deadline = self._timing.monotonic() + EXCHANGE_SECONDS
        answer = self._tokens(covers).exchange(code, redirect_uri=redirect_uri, code_verifier=None, deadline=deadline)
        return identity_of(answer.body, _kind_of), answer.credential

    @measured("cronofy")
    def resources(self, credential: ProviderCredential, *, deadline: float) -> Sequence[Resource]:
        try:
            listed = self._api.get("/v1/resources", credential, deadline=deadline).get("resources")
        except CalendarUnreadable as error:
            raise DelegationMissing("Cronofy lists no resources for this service account") from error
        if not isinstance(listed, list):
            raise ProviderUnavailable("the answer lists no resources")
        return list(resources_in(listed, email="email", name="name"))

    def _tokens(self, are_enough: Callable[[str], bool]) -> TokenEndpoint:
        url = self._api.address("/oauth/token")
        return TokenEndpoint(self._http, url, self._registration, self._timing, covers=are_enough)


def _manages_accounts(scope: str) -> bool:
    return not scope or MANAGE_ACCOUNTS in scope.split()


def _kind_of(name: str) -> ProviderName:
    """Of an organization nobody chooses the access on Cronofy's pages, and the scope says which it is. What is not
    Google's is Exchange's, in one of its forms.
    """
    return ProviderName.GOOGLE if name.startswith("google") else ProviderName.MICROSOFT


def _administrator(key: str, told: Mapping[str, Any]) -> Administrator:
    """Some are known by a user name instead of an address (https://docs.cronofy.com/developers/api/identity/account).

    Raises IdentityRejected.
    """
    match told:
        case {
            "email": str(name),
            "cronofy.data": {"service_account": {"provider_name": str(provider), "domain": str(domain)}},
        } if name:
            kind, email = _kind_of(provider), name if "@" in name else f"{name}@{domain}"
            identity = Identity(kind, key, email, upstream=Upstream.CRONOFY)
            return Administrator(identity, Organization(kind, key, upstream=Upstream.CRONOFY))
    raise IdentityRejected("userinfo does not say whose organization it is")


def _refusal_of_mailbox(answer: Answer) -> ProviderError:
    """For what Cronofy will not even try. What is wrong with our own part of the request is the operator's business."""
    errors = answer.body.get("errors")
    match answer.status:
        case HTTPStatus.FORBIDDEN:
            return DelegationMissing("the service account may not ask for mailboxes")
        case HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(errors, dict) and "email" in errors:
            return MailboxUnknown("Cronofy does not take the address")
        case HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(errors, dict) and "scope" in errors:
            return DelegationMissing("the administrator delegated less than free_busy_write")
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            return ProviderMisconfigured("Cronofy does not take our callback URL")
    return refusal(answer, "asking for a mailbox")
