"""A provider's token endpoint (RFC 6749, 4.1.3, 4.4 and 6): codes, secrets and refresh tokens in, credentials out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.domain.account import ProviderCredential
from freebusy.domain.errors import (
    ConsentIncomplete,
    ConsentRefused,
    CredentialRevoked,
    DelegationMissing,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from freebusy.adapters.provider_http import Answer, ProviderHttp, Timing
    from freebusy.adapters.secrets import ProviderRegistration, RegistrationSource

Verdict = type[ProviderError]

LONGEST_LIFETIME = 86400
"""Seconds. An access token is never trusted for longer, whatever ``expires_in`` says."""

VERDICTS: Mapping[str, Verdict] = {
    "invalid_grant": CredentialRevoked,
    # What only the person, or their administrator, can mend at the consent screen.
    "access_denied": ConsentRefused,
    "admin_policy_enforced": ConsentRefused,
    "consent_required": ConsentRefused,
    "interaction_required": ConsentRefused,
    "login_required": ConsentRefused,
    "org_internal": ConsentRefused,
    # What only the operator can mend.
    "deleted_client": ProviderMisconfigured,
    "invalid_client": ProviderMisconfigured,
    "invalid_request": ProviderMisconfigured,
    "invalid_scope": ProviderMisconfigured,
    "redirect_uri_mismatch": ProviderMisconfigured,
    "unauthorized_client": ProviderMisconfigured,
    "unsupported_grant_type": ProviderMisconfigured,
    "server_error": ProviderUnavailable,
    "temporarily_unavailable": ProviderUnavailable,
}
"""By ``error``. An error that is not listed disconnects nobody: it counts as ProviderUnavailable."""

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_GRAVEST_FIRST: tuple[Verdict, ...] = (
    ProviderMisconfigured,
    ProviderUnavailable,
    DelegationMissing,
    ConsentRefused,
    CredentialRevoked,
)
"""Of several error codes, one that is our own doing comes before one that would disconnect somebody."""


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """``client_id`` is the one that asked, to which an ``id_token`` must be addressed; ``body`` is the whole answer."""

    credential: ProviderCredential
    client_id: str
    id_token: str = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """``covers`` says whether a granted scope string holds all that is needed.

    ``extra`` joins every request. ``codes`` are verdicts by ``error_codes``, which come before those by
    ``error``; ``wrong_secret`` are the codes that mean that the client secret is wrong.
    """

    http: ProviderHttp
    url: str
    registration: RegistrationSource
    timing: Timing
    covers: Callable[[str], bool] = lambda _: True
    extra: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, Verdict] = field(default_factory=lambda: VERDICTS)
    codes: Mapping[int, Verdict] = field(default_factory=dict)
    wrong_secret: frozenset[int] = frozenset()

    def exchange(self, code: str, *, redirect_uri: str, code_verifier: str | None, deadline: float) -> TokenAnswer:
        """Raises ConsentIncomplete, ConsentRefused, CredentialRevoked, ProviderMisconfigured or ProviderUnavailable.

        A consent that leaves no refresh token is incomplete too: it would end within the hour. Without a
        ``code_verifier`` the provider knows no PKCE.
        """
        answer = self.redeem(code, redirect_uri=redirect_uri, code_verifier=code_verifier, deadline=deadline)
        if not self.covers(answer.credential.scope):
            raise ConsentIncomplete("the calendar permission was not granted")
        if not answer.credential.refresh_token:
            raise ConsentIncomplete("no lasting access was granted")
        return answer

    def redeem(self, code: str, *, redirect_uri: str, code_verifier: str | None, deadline: float) -> TokenAnswer:
        """Whatever was granted with the code: for a sign-in that is about nothing but identity.

        Raises ConsentRefused, CredentialRevoked, ProviderMisconfigured or ProviderUnavailable.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            **({"code_verifier": code_verifier} if code_verifier else {}),
        }
        return self._ask(form, deadline)

    def for_ourselves(self, *, deadline: float) -> ProviderCredential:
        """A token of the application's own, without a person. Raises as ``errors`` and ``codes`` have it."""
        return self._ask({"grant_type": "client_credentials"}, deadline).credential

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        """Keeps the refresh token and the scope that the answer does not replace (RFC 6749, 6).

        Raises CredentialRevoked, ProviderMisconfigured or ProviderUnavailable.
        """
        form = {"grant_type": "refresh_token", "refresh_token": credential.refresh_token}
        try:
            renewed = self._ask(form, deadline, scope=credential.scope).credential
        except ConsentRefused as error:
            raise CredentialRevoked(str(error)) from None
        if not self.covers(renewed.scope):
            raise CredentialRevoked("the calendar permission was withdrawn")
        return replace(renewed, refresh_token=renewed.refresh_token or credential.refresh_token)

    def _ask(self, form: Mapping[str, str], deadline: float, *, scope: str = "") -> TokenAnswer:
        registration = self.registration()
        answer = self._post(form, registration, deadline)
        if self._refuses_our_secret(answer):
            # The operator may have renewed the secret within the time that we keep it.
            registration = self.registration(fresh=True)
            answer = self._post(form, registration, deadline)
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, errors=self.errors, codes=self.codes)
        return TokenAnswer(
            credential=granted(answer, int(self.timing.now()), scope),
            client_id=registration.client_id,
            id_token=_text(answer.body, "id_token"),
            body=answer.body,
        )

    def _post(self, form: Mapping[str, str], registration: ProviderRegistration, deadline: float) -> Answer:
        credentials = {"client_id": registration.client_id, "client_secret": registration.client_secret}
        return post(self.http, self.url, {**form, **credentials, **self.extra}, deadline)

    def _refuses_our_secret(self, answer: Answer) -> bool:
        """Microsoft says ``invalid_client`` also where its code says something else (AADSTS7000229)."""
        codes = _codes(answer)
        return not answer.ok and (
            not self.wrong_secret.isdisjoint(codes)
            or (error_of(answer) == "invalid_client" and codes.isdisjoint(self.codes))
        )


def post(http: ProviderHttp, url: str, form: Mapping[str, str], deadline: float) -> Answer:
    """Raises ProviderUnavailable, also for what the endpoint says in the words of RFC 6749, 4.1.2.1."""
    return http.send(
        "POST",
        url,
        deadline=deadline,
        throttled=lambda answer: VERDICTS.get(error_of(answer)) is ProviderUnavailable,
        data=dict(form),
    )


def error_of(answer: Answer) -> str:
    """The ``error`` of a refusal; empty where there is none."""
    error = None if answer.ok else answer.body.get("error")
    return error if isinstance(error, str) else ""


def refusal(answer: Answer, *, errors: Mapping[str, Verdict], codes: Mapping[int, Verdict]) -> ProviderError:
    """Branches on ``error`` and ``error_codes`` alone: the texts beside them change and get translated."""
    error, told_codes = error_of(answer), _codes(answer)
    by_code = {codes[code] for code in told_codes if code in codes}
    by_error = errors.get(error, ProviderUnavailable)
    verdict = next((each for each in _GRAVEST_FIRST if each in by_code), by_error)
    known = error if error in errors else "an unknown error"
    return verdict(
        f"the token endpoint answered {answer.status} with {known} {sorted(told_codes)}{_support_ids(answer)}"
    )


def granted(answer: Answer, now: int, scope: str) -> ProviderCredential:
    """An answer without ``scope`` grants what was asked (RFC 6749, 5.1), and then ``scope`` says what that was.

    Raises ProviderUnavailable.
    """
    body = answer.body
    match body:
        case {"access_token": str(access_token), "expires_in": int(seconds)} if _sendable(access_token):
            return ProviderCredential(
                access_token=access_token,
                refresh_token=_text(body, "refresh_token"),
                expires_at=now + max(0, min(seconds, LONGEST_LIFETIME)),
                scope=_text(body, "scope") or scope,
            )
    raise ProviderUnavailable("the token endpoint gave no usable access token")


def _codes(answer: Answer) -> frozenset[int]:
    """Microsoft's ``error_codes``, the numbers of its AADSTS messages."""
    codes = answer.body.get("error_codes")
    return frozenset(code for code in codes if isinstance(code, int)) if isinstance(codes, list) else frozenset()


def _support_ids(answer: Answer) -> str:
    """The two ids by which Microsoft's support finds a request again."""
    ids = {name: answer.body.get(name) for name in ("trace_id", "correlation_id")}
    return "".join(
        f" {name}={value}" for name, value in ids.items() if isinstance(value, str) and _UUID.fullmatch(value)
    )


def _sendable(token: str) -> bool:
    """Fit for an Authorization header (RFC 6750, 2.1)."""
    return token != "" and token.isascii() and token.isprintable() and " " not in token


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise ProviderUnavailable(f"the token endpoint's {name} is not text")
    return value
