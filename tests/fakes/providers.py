from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from freebusy.domain.account import Identity, ProviderCredential, ProviderName
from freebusy.domain.errors import CredentialRevoked, IdentityRejected, ProviderError
from freebusy.domain.free_busy import FreeBusyPeriod
from freebusy.domain.pkce import challenge_of
from tests.fakes.clock import NOW


class FakeProvider:
    """A consent screen as strict as the real ones about what holds a trip together.

    People come to it by ``agree``. ``trouble`` is raised by whatever is asked next, and from then on.
    """

    def __init__(self, name: ProviderName, *, issuer: str | None = None) -> None:
        self.name = name
        self.issuer = issuer
        self.trouble: ProviderError | None = None
        self.exchanged = 0
        self._codes: dict[str, tuple[Identity, dict[str, str]]] = {}

    def authorization_url(self, **asked: str) -> str:
        self._fail_if_told()
        return f"https://{self.name}.test/consent?{urlencode(asked)}"

    def agree(self, location: str, identity: Identity) -> dict[str, str]:
        """What the person's browser brings to the callback after they agreed at ``location``."""
        asked = dict(parse_qsl(location.partition("?")[2]))
        code = f"{self.name} code {len(self._codes)}"
        self._codes[code] = (identity, asked)
        return {"code": code, "state": asked["state"], **({"iss": self.issuer} if self.issuer else {})}

    def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Identity, ProviderCredential]:
        self._fail_if_told()
        if code not in self._codes:
            raise CredentialRevoked("the code is unknown or used")
        identity, asked = self._codes.pop(code)
        if (redirect_uri, challenge_of(code_verifier)) != (asked["redirect_uri"], asked["code_challenge"]):
            raise CredentialRevoked("the code was issued for another trip")
        if nonce != asked["nonce"]:
            raise IdentityRejected("nonce")
        self.exchanged += 1
        return identity, ProviderCredential(f"access {self.exchanged}", f"refresh {self.exchanged}", NOW + 3600)

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        self._fail_if_told()
        return credential

    def free_busy(self, *_: object, **__: object) -> list[FreeBusyPeriod]:
        self._fail_if_told()
        return []

    def _fail_if_told(self) -> None:
        if self.trouble:
            raise self.trouble
