"""What a person's browser keeps for us: the secret of a trip or a session, and the language that it began in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from freebusy.entrypoints.http import public_url

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kept(NamedTuple):
    secret: str
    locale: str


def kept(event: Mapping[str, Any], trip: str) -> Kept | None:
    cookies = event.get("cookies")
    if not cookies:
        return None
    prefix = f"{_name(event, trip)}="
    values = (cookie.removeprefix(prefix) for cookie in cookies if cookie.startswith(prefix))
    value = next(values, None)
    if value is None:
        return None
    secret, _, locale = value.partition(".")  # No secret of ours has a dot in it.
    return Kept(secret, locale)


def keeping(event: Mapping[str, Any], trip: str, secret: str, locale: str | None, *, seconds: int) -> Cookie:
    return _cookie(event, trip, f"{secret}.{locale}" if locale else secret, seconds)


def forgotten(event: Mapping[str, Any], trip: str) -> Cookie:
    return _cookie(event, trip, "", 0)


def _cookie(event: Mapping[str, Any], trip: str, value: str, max_age: int) -> Cookie:
    return Cookie(
        _name(event, trip),
        value,
        path="/",
        secure=_is_secure(event),
        http_only=True,
        max_age=max_age,
        same_site=SameSite.LAX_MODE,
    )


def _name(event: Mapping[str, Any], trip: str) -> str:
    """``__Host-`` keeps neighbouring hosts from planting it; browsers grant the prefix to https alone (RFC 6265bis)."""
    return f"{'__Host-' if _is_secure(event) else ''}freebusy-{trip}"


def _is_secure(event: Mapping[str, Any]) -> bool:
    """Plain http is the laptop's."""
    return public_url(event).startswith("https://")
