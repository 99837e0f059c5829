"""The environment of a function, read once on first use. The template sets every variable named here."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings:
    """``*_origin`` stand in for the providers' own hosts, and ``callbacks_may_be_local`` lets applications be called on
    this very machine; the template cannot set them, the laptop stack does.

    ``public_url`` is the deployment's own domain; without one, each request says which host it came to
    (a function cannot name the API it belongs to: CloudFormation would see a circle).
    ``requests_per_minute`` is how many each application may make that has no limit of its own; 0 is any number.
    ``google_domain_proof`` is what proves that an administrator's domain is theirs: ``dns`` or ``sign_in``.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.table_name = environment["TABLE_NAME"]
        self.public_url = environment.get("PUBLIC_URL", "").rstrip("/") or None
        self.requests_per_minute = int(environment.get("REQUESTS_PER_MINUTE") or 0)
        self.credential_key_id = environment.get("CREDENTIAL_KEY_ID", "")
        self.google_secret_id = environment.get("GOOGLE_SECRET_ID") or None
        self.google_service_account_secret_id = environment.get("GOOGLE_SERVICE_ACCOUNT_SECRET_ID") or None
        self.google_domain_proof = environment.get("GOOGLE_DOMAIN_PROOF") or "dns"
        self.microsoft_secret_id = environment.get("MICROSOFT_SECRET_ID") or None
        self.microsoft_tenant = environment.get("MICROSOFT_TENANT") or "organizations"
        self.cronofy_secret_id = environment.get("CRONOFY_SECRET_ID") or None
        self.upstream = environment.get("UPSTREAM") or "direct"
        self.allowed_origins = tuple(filter(None, environment.get("ALLOWED_ORIGINS", "").replace(",", " ").split()))
        self.mail_domain = environment.get("MAIL_DOMAIN", "")
        self.configuration_set = environment.get("CONFIGURATION_SET") or None
        self.invitation_queue_url = environment.get("INVITATION_QUEUE_URL", "")
        self.dead_letter_queue_url = environment.get("DEAD_LETTER_QUEUE_URL", "")
        self.access_queue_url = environment.get("ACCESS_QUEUE_URL", "")
        self.erasure_queue_url = environment.get("ERASURE_QUEUE_URL", "")
        self.channel_queue_url = environment.get("CHANNEL_QUEUE_URL", "")
        self.upstream_queue_url = environment.get("UPSTREAM_QUEUE_URL", "")
        self.inbound_bucket = environment.get("INBOUND_BUCKET", "")
        self.google_origin = environment.get("GOOGLE_ORIGIN") or None
        self.microsoft_origin = environment.get("MICROSOFT_ORIGIN") or None
        self.cronofy_origin = environment.get("CRONOFY_ORIGIN") or None
        self.callbacks_may_be_local = environment.get("CALLBACKS_MAY_BE_LOCAL") == "true"


@cache
def settings() -> Settings:
    return Settings(os.environ)
