"""Forms that change something: whether one was sent from our own page, in the session that the page was made for."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import AuthorizationRefused
from freebusy.domain.identifiers import hashed
from freebusy.entrypoints.http import MalformedBody, body_of, public_url

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD = "form_token"


def token_of(handle: str) -> str:
    """What every form of a session carries. It follows from the handle, which neither site nor session shares."""
    return urlsafe_b64encode(hmac.digest(handle.encode(), b"form", "sha256")).rstrip(b"=").decode()


def require_own(event: Mapping[str, Any], handle: str) -> None:
    """Raises AuthorizationRefused.

    Browsers say themselves where a form was sent from, in two headers that no page can set
    (https://www.w3.org/TR/fetch-metadata/); the second of them is missing in older ones.
    """
    headers = event.get("headers", {})
    ours = headers.get("origin") == public_url(event) and headers.get("sec-fetch-site", "same-origin") == "same-origin"
    try:
        token = body_of(event, repeatable=False).get(FIELD)
    except MalformedBody:
        token = None
    if not ours or not isinstance(token, str) or not hmac.compare_digest(hashed(token), hashed(token_of(handle))):
        raise AuthorizationRefused("foreign_form")
