"""Identifiers and secrets: made from the operating system's entropy, told apart by prefix.

The prefixes of public identifiers are those of the wire contract. Secrets carry 256 bits and a prefix
that secret scanners can recognise; only their SHA-256 is ever stored, which is enough for values that
cannot be guessed. Client secrets alone are kept as well, sealed, since something is signed with them.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

_ACCOUNT, _SERVICE_ACCOUNT = "acc_", "ser_"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CHANNEL_HANDLE_LENGTH = 32


def new_account_id() -> str:
    return f"{_ACCOUNT}{secrets.token_hex(12)}"


def new_service_account_id() -> str:
    return f"{_SERVICE_ACCOUNT}{secrets.token_hex(12)}"


def is_service_account(sub: str) -> bool:
    return sub.startswith(_SERVICE_ACCOUNT)


def is_sub(name: str) -> bool:
    """Whether it names an account or a service account; client ids have no prefix."""
    return name.startswith((_ACCOUNT, _SERVICE_ACCOUNT))


def new_profile_id() -> str:
    return f"pro_{''.join(secrets.choice(_ALPHABET) for _ in range(14))}"


def new_calendar_id(profile_id: str) -> str:
    """``cal_`` + the profile's own part + ``_`` + a part of its own."""
    return f"cal_{profile_id.removeprefix('pro_')}_{''.join(secrets.choice(_ALPHABET) for _ in range(8))}"


def new_grant_id() -> str:
    return secrets.token_hex(12)


def new_channel_id() -> str:
    return f"chn_{secrets.token_hex(12)}"


def new_access_request_id() -> str:
    return f"req_{secrets.token_hex(16)}"


def channel_handle(sub: str, profile_id: str) -> str:
    """In the address of our own channel at Cronofy for this profile.

    The same every time, so that what was interrupted is found again. It is no secret: Cronofy signs.
    """
    return hashed(f"the channel of {sub} {profile_id}")[:_CHANNEL_HANDLE_LENGTH]


def new_answer_handle() -> str:
    """In the address that Cronofy answers to, which had better stay short: 192 random bits."""
    return secrets.token_urlsafe(24)


def new_event_uid() -> str:
    """Unique in the world, as calendars compare it with everybody else's (RFC 7986, 5.3)."""
    return f"evt_{secrets.token_hex(16)}"


def new_organizer() -> str:
    """The local part of an event's own mail address: nobody can guess where to send a reply that was not asked for."""
    return secrets.token_hex(16)


def new_client_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(32))


def new_client_secret() -> str:
    return f"fbc_cs_{secrets.token_urlsafe(32)}"


def new_access_token() -> str:
    return f"fbc_at_{secrets.token_urlsafe(32)}"


def new_refresh_token() -> str:
    return refresh_token_from(secrets.token_bytes(32))


def refresh_token_from(entropy: bytes) -> str:
    return f"fbc_rt_{_base64url(entropy)}"


def new_authorization_code() -> str:
    """32 characters, as the contract promises: 192 random bits."""
    return secrets.token_urlsafe(24)


def new_link_token() -> str:
    return f"fbc_lt_{secrets.token_urlsafe(32)}"


def new_page_token() -> str:
    return secrets.token_urlsafe(24)


def new_state() -> str:
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """The form in which a secret of ours is stored and looked up: unpadded base64url of its SHA-256.

    Callers may send anything: lone surrogates, which JSON can spell, are not a secret of ours but no error either.
    """
    return _base64url(sha256(secret.encode(errors="surrogatepass")).digest())


def _base64url(value: bytes) -> str:
    """Unpadded (RFC 7515, 2)."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()
