"""The environment of a function, read once on first use. The template sets every variable named here."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(NamedTuple):
    """``*_origin`` stand in for the providers' own hosts, and ``callbacks_may_be_local`` lets applications be called on
    this very machine; the template cannot set them, the laptop stack does.

    ``public_url`` is the deployment's own domain; without one, each request says which host it came to
    (a function cannot name the API it belongs to: CloudFormation would see a circle).
    ``requests_per_minute`` is how many each application may make that has no limit of its own; 0 is any number.
    ``google_domain_proof`` is what proves that an administrator's domain is theirs: ``dns`` or ``sign_in``.
    """

    table_name: str
    public_url: str | None
    requests_per_minute: int
    credential_key_id: str
    google_secret_id: str | None
    google_service_account_secret_id: str | None
    google_domain_proof: str
    microsoft_secret_id: str | None
    microsoft_tenant: str
    cronofy_secret_id: str | None
    upstream: str
    allowed_origins: tuple[str, ...]
    mail_domain: str
    configuration_set: str | None
    invitation_queue_url: str
    dead_letter_queue_url: str
    access_queue_url: str
    erasure_queue_url: str
    channel_queue_url: str
    upstream_queue_url: str
    inbound_bucket: str
    google_origin: str | None
    microsoft_origin: str | None
    cronofy_origin: str | None
    callbacks_may_be_local: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        return cls(
            table_name=environment["TABLE_NAME"],
            public_url=environment.get("PUBLIC_URL", "").rstrip("/") or None,
            requests_per_minute=int(environment.get("REQUESTS_PER_MINUTE") or 0),
            credential_key_id=environment.get("CREDENTIAL_KEY_ID", ""),
            google_secret_id=environment.get("GOOGLE_SECRET_ID") or None,
            google_service_account_secret_id=environment.get("GOOGLE_SERVICE_ACCOUNT_SECRET_ID") or None,
            google_domain_proof=environment.get("GOOGLE_DOMAIN_PROOF") or "dns",
            microsoft_secret_id=environment.get("MICROSOFT_SECRET_ID") or None,
            microsoft_tenant=environment.get("MICROSOFT_TENANT") or "organizations",
            cronofy_secret_id=environment.get("CRONOFY_SECRET_ID") or None,
            upstream=environment.get("UPSTREAM") or "direct",
            allowed_origins=tuple(filter(None, environment.get("ALLOWED_ORIGINS", "").replace(",", " ").split())),
            mail_domain=environment.get("MAIL_DOMAIN", ""),
            configuration_set=environment.get("CONFIGURATION_SET") or None,
            invitation_queue_url=environment.get("INVITATION_QUEUE_URL", ""),
            dead_letter_queue_url=environment.get("DEAD_LETTER_QUEUE_URL", ""),
            access_queue_url=environment.get("ACCESS_QUEUE_URL", ""),
            erasure_queue_url=environment.get("ERASURE_QUEUE_URL", ""),
            channel_queue_url=environment.get("CHANNEL_QUEUE_URL", ""),
            upstream_queue_url=environment.get("UPSTREAM_QUEUE_URL", ""),
            inbound_bucket=environment.get("INBOUND_BUCKET", ""),
            google_origin=environment.get("GOOGLE_ORIGIN") or None,
            microsoft_origin=environment.get("MICROSOFT_ORIGIN") or None,
            cronofy_origin=environment.get("CRONOFY_ORIGIN") or None,
            callbacks_may_be_local=environment.get("CALLBACKS_MAY_BE_LOCAL") == "true",
        )


@cache
def settings() -> Settings:
    return Settings.from_environment(os.environ)
