"""A registered OAuth client."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult

from freebusy.domain.account import Upstream
from freebusy.domain.uri import LOOPBACK_HOSTS, split

MOST_SECRETS = 2
"""Two, so that a new secret can be rolled out while the old one still works."""

MOST_REDIRECT_URIS = 50
MOST_ORIGINS = 20

_LONGEST_NAME = 100
_LONGEST_URI = 2000
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


@dataclass(frozen=True, slots=True)
class Application:
    """``public`` applications (front ends) have no secret, must use PKCE and get rotating refresh tokens.

    ``origins`` are the browser origins that may call the API with this application's tokens (CORS). ``upstream`` is
    where its people are sent to connect; None is wherever the deployment sends them.
    """

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    public: bool = False
    origins: tuple[str, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()
    created_at: int = 0
    upstream: Upstream | None = None

    def allows_redirect_to(self, uri: str) -> bool:
        """Whether ``uri`` is registered, character by character (RFC 9700, 2.1).

        Only the port of a loopback address may differ: a native application takes any that is free (RFC 8252, 7.3).
        """
        return uri in self.redirect_uris or _without_loopback_port(uri) in map(
            _without_loopback_port, self.redirect_uris
        )


def checked_name(name: str) -> str:
    """The name as people will see it on the consent page. Raises ``ValueError`` with what is wrong."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME:
        raise ValueError(f"a name has 1 to {_LONGEST_NAME} characters")
    if not name.isprintable():
        raise ValueError("a name holds no control characters")
    return name


def checked_redirect_uri(uri: str) -> str:
    """Unchanged, since redirect URIs are compared as they are (RFC 9700, 2.1). Raises ``ValueError``.

    Plain http is for loopback hosts alone (RFC 8252, 7.3), and there is no fragment (RFC 6749, 3.1.2).
    """
    parts = split(uri)
    if "#" in uri:
        raise ValueError(f"a redirect URI has no fragment: {uri}")
    if len(uri) > _LONGEST_URI:
        raise ValueError(f"a redirect URI has at most {_LONGEST_URI} characters")
    _check_transport(parts, uri)
    return uri


def checked_origin(origin: str) -> str:
    """The origin as browsers send it (RFC 6454, 6.2): lower case, without a default port. Raises ``ValueError``."""
    parts = split(origin)
    if parts.path or parts.query or "?" in origin or "#" in origin:
        raise ValueError(f"an origin ends after its host and port: {origin}")
    _check_transport(parts, origin)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in {None, default} else "")


def _without_loopback_port(uri: str) -> str:
    return _LOOPBACK_PORT.sub(r"\1", uri)


def _check_transport(parts: SplitResult, uri: str) -> None:
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise ValueError(f"plain http is for localhost, 127.0.0.1 and [::1] alone: {uri}")
