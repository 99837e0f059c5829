"""A registered OAuth client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One live secret of an application, by its hash; the first characters help people tell two apart."""

    secret_hash: str
    hint: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Application:
    """``public`` applications (front ends) have no secret, must use PKCE and get rotating refresh tokens.

    ``origins`` are the browser origins that may call the API with this application's tokens (CORS).
    """

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    public: bool = False
    origins: tuple[str, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()
    created_at: int = 0
