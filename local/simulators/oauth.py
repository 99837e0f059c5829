"""What the authorization endpoints of both providers have in common."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import jinja2

from local.simulators.people import People
from local.simulators.server import Request, Response

CODE_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, 4.2
MOST_LISTED = 50
"""People at the consent screen; others type their address."""

CODE_CHALLENGE_METHODS = frozenset({"S256", "plain"})
_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


@dataclass(slots=True)
class Client:
    """The one application that is registered at the provider; while its secret is being replaced it has two."""

    client_id: str
    secrets: list[str] = field(repr=False)

    def is_named(self, client_id: str | None) -> bool:
        return client_id == self.client_id

    def has_secret(self, secret: str | None) -> bool:
        return any(hmac.compare_digest((secret or "").encode(), live.encode()) for live in self.secrets)

    def replace_secrets(self, request: Request) -> Response:
        """``{"secrets": ["…"]}`` are the ones that work from now on. Raises ``ValueError`` for anything else."""
        match json.loads(request.body or b"{}"):
            case {"secrets": [*secrets]} if all(isinstance(secret, str) and secret for secret in secrets):
                self.secrets = secrets
                return Response.of_json({"client_id": self.client_id})
        raise ValueError("secrets must be a list of texts")


@dataclass(frozen=True, slots=True)
class Allowed:
    """``ticked`` are the scopes left ticked at the screen; None when there was nothing to tick."""

    email: str
    ticked: frozenset[str] | None

    def leaves(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(scope for scope in scopes if self.ticked is None or scope in self.ticked)


@dataclass(frozen=True, slots=True)
class Denied:
    """``email`` is who had said who they are before."""

    error: str
    email: str | None


def decision(request: Request) -> Allowed | Denied | None:
    """What was decided at the consent screen; None when it is yet to be shown.

    The screen's form comes back to the same URL with the same two parameters that a script adds by hand:
    ``sim_user`` to consent, ``sim_deny`` to refuse.
    """
    named = [email for email in request.parameters.get("sim_user", []) if email.strip()]
    if error := request.parameters.get("sim_deny"):
        return Denied(error[-1] or "access_denied", named[-1] if named else None)
    if not named:
        return None
    ticked = request.parameters.get("sim_scope")
    return Allowed(named[-1], None if ticked is None else frozenset(ticked))


def first_values(parameters: dict[str, list[str]]) -> dict[str, str]:
    """Empty values count as absent (RFC 6749, 3.1)."""
    return {name: values[0] for name, values in parameters.items() if values[0]}


def repeated(parameters: dict[str, list[str]]) -> str | None:
    """A parameter that is there more than once, which RFC 6749, 3.1 and 3.2 forbid."""
    return next((name for name, values in parameters.items() if len(values) > 1), None)


def is_redirect_uri(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and not parts.fragment


def redirect(uri: str, separator: str = "?", **parameters: str | None) -> Response:
    """Back to the client; parameters that are None are left out."""
    answer = urlencode({name: value for name, value in parameters.items() if value is not None}, quote_via=quote)
    return Response.to(f"{uri}{'&' if separator in uri else separator}{answer}")


def consent_page(
    request: Request, provider: str, people: People, wishes: Sequence[tuple[str | None, str]], *, fixed: Sequence[str]
) -> Response:
    """``wishes`` are scopes (None when it cannot be unticked) and what they are called at the screen.

    ``fixed`` are scopes that stay granted whatever is unticked. Without scripts the form can do all that a person
    needs: it comes back to its own URL, and ``decision`` reads it.
    """
    asked = {name: value for name, value in first_values(request.parameters).items() if not name.startswith("sim_")}
    return Response.of_html(
        _pages.get_template("consent.html").render(
            provider=provider,
            client_id=asked["client_id"],
            host=urlsplit(asked["redirect_uri"]).netloc,
            asked=asked,
            wishes=wishes,
            fixed=fixed,
            people=[person for _, person in sorted(people.items())[:MOST_LISTED]],
            hint=asked.get("login_hint", "").lower(),
        )
    )


def error_page(provider: str, code: str, message: str) -> Response:
    """What the person sees when the provider will not send them back to the client."""
    return Response.of_html(
        _pages.get_template("error.html").render(provider=provider, code=code, message=message), status=400
    )
