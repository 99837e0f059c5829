"""A registered OAuth client."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from freebusy.domain.account import Upstream


MOST_LOGO_BYTES = 20_000

_LOOPBACK_PORT = re.compile(r"^(http://(?:127\.0\.0\.1|\[::1\]|localhost)):[0-9]{1,5}(?=[/?]|\Z)")


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One live secret of an application, by its hash; the first characters help people tell two apart.

    ``sealed`` is the secret itself, to sign callbacks with; a secret that was made before there were any has none.
    """

    secret_hash: str
    hint: str
    created_at: int
    sealed: bytes | None = field(default=None, repr=False)


class Application(NamedTuple):
    """``public`` applications (front ends) have no secret, must use PKCE and get rotating refresh tokens.

    ``origins`` are the browser origins that may call the API with this application's tokens (CORS). ``upstream`` is
    where its people are sent to connect; None is wherever the deployment sends them. ``requests_per_minute`` is how
    many it may make; None is what the deployment says, and 0 as many as it likes.
    """

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    public: bool = False
    origins: tuple[str, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()
    created_at: int = 0
    upstream: Upstream | None = None
    requests_per_minute: int | None = None

    def allows_redirect_to(self, uri: str) -> bool:
        """Whether ``uri`` is registered, character by character (RFC 9700, 2.1).

        Only the port of a loopback address may differ: a native application takes any that is free (RFC 8252, 7.3).
        """
        return uri in self.redirect_uris or _without_loopback_port(uri) in map(
            _without_loopback_port, self.redirect_uris
        )


@dataclass(frozen=True, slots=True)
class Appearance:
    """What people may be shown of an application beside its name: where its home page is, and a PNG; empty if not."""

    home_page: str = ""
    logo: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Introduction:
    """An application as pages introduce it to people."""

    name: str
    home_page: str = ""
    logo: bytes = field(default=b"", repr=False)


def _without_loopback_port(uri: str) -> str:
    return _LOOPBACK_PORT.sub(r"\1", uri)
