"""Proof Key for Code Exchange (RFC 7636), with S256 alone.

``plain`` proves nothing to somebody who saw the request, and a request without a method means ``plain``;
both are refused where a challenge is taken.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest

METHOD = "S256"

_FORM = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_well_formed(value: str) -> bool:
    """Whether it has the form of a challenge or a verifier (RFC 7636, 4.1 and 4.2: 43 to 128 unreserved characters)."""
    return _FORM.fullmatch(value) is not None


def challenge_of(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def proves(verifier: str, challenge: str) -> bool:
    """Whether whoever knows ``verifier`` is the one who sent ``challenge``."""
    return is_well_formed(verifier) and compare_digest(challenge_of(verifier), challenge)
