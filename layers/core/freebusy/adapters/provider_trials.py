"""Whether a provider takes what we would be known by, asked in a way that nothing comes of.

Everything raises ProviderMisconfigured where it does not or where that cannot be told, and ProviderUnavailable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.adapters import google, microsoft
from freebusy.adapters.cronofy_api import CronofyApi
from freebusy.adapters.google_calendar import CALENDAR_SCOPE
from freebusy.adapters.google_delegation import DelegatedTokens
from freebusy.adapters.microsoft_tenant import DEFAULT_SCOPE
from freebusy.adapters.provider_http import REAL_TIME, ProviderHttp, Timing
from freebusy.adapters.secrets import (
    ProviderRegistration,
    RegistrationSource,
    ServiceAccountKey,
    registration_in,
    service_account_key_in,
)
from freebusy.adapters.token_endpoint import TokenEndpoint
from freebusy.domain.account import ProviderCredential
from freebusy.domain.errors import CredentialRevoked, ProviderError, ProviderMisconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

TRIAL_SECONDS = 20.0

ANY_TENANT = frozenset({"common", "organizations", "consumers"})

_NOBODYS = ProviderCredential("", "a refresh token that nobody was given", 0)


class ProviderTrials:
    """``origin`` stands in for the provider's own hosts on the laptop."""

    def __init__(self, http: httpx.Client, *, origin: str | None, timing: Timing = REAL_TIME) -> None:
        self._http = ProviderHttp(http, origin=origin, timing=timing)
        self._timing = timing

    def google(self, held: Mapping[str, Any]) -> None:
        self._refresh(google.TOKEN_URL, _always(held))

    def cronofy(self, held: Mapping[str, Any]) -> None:
        registration = _always(held)
        self._refresh(CronofyApi(self._http, registration).address("/oauth/token"), registration)

    def microsoft(self, held: Mapping[str, Any], *, tenant: str) -> None:
        """By a token of the application's own, in the tenant that it is registered in.

        A refresh token of nobody's would not do: nothing says that Microsoft looks at the secret before it looks at the
        token, and the same error might come either way.
        """
        if tenant.lower() in ANY_TENANT:
            raise ProviderMisconfigured("it is tried out in the tenant that the registration is in: say which")
        endpoint = TokenEndpoint(
            self._http,
            microsoft.address(tenant, "oauth2/v2.0/token"),
            _always(held),
            self._timing,
            extra={"scope": DEFAULT_SCOPE},
            codes=microsoft.VERDICTS_BY_CODE,
            wrong_secret=microsoft.WRONG_SECRET,
        )
        try:
            endpoint.for_ourselves(deadline=self._deadline())
        except ProviderError as error:
            raise ProviderMisconfigured(str(error)) from None

    def google_service_account(self, held: Mapping[str, Any]) -> None:
        key = service_account_key_in(held)

        def source(*, fresh: bool = False) -> ServiceAccountKey:  # noqa: ARG001 - there is no other
            if key is None:
                raise ProviderMisconfigured("no key file of a service account")
            return key

        DelegatedTokens(self._http, source, timing=self._timing).try_out(CALENDAR_SCOPE, deadline=self._deadline())

    def _refresh(self, url: str, registration: RegistrationSource) -> None:
        """A client that is known is told that the refresh token is not, any other that it is not itself (RFC 6749, 5.2:
        ``invalid_grant`` and ``invalid_client``).
        """
        try:
            TokenEndpoint(self._http, url, registration, self._timing).refresh(_NOBODYS, deadline=self._deadline())
        except CredentialRevoked:
            return

    def _deadline(self) -> float:
        return self._timing.monotonic() + TRIAL_SECONDS


def _always(held: Mapping[str, Any]) -> RegistrationSource:
    registration = registration_in(held)

    def source(*, fresh: bool = False) -> ProviderRegistration:  # noqa: ARG001 - there is no other
        if registration is None:
            raise ProviderMisconfigured("no client_id with a client_secret")
        return registration

    return source
