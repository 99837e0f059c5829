"""What every endpoint of Microsoft's identity platform has in common: identifiers, and the shape of errors.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, NoReturn
from uuid import UUID, uuid4

from local.simulators import oauth
from local.simulators.oauth import Client
from local.simulators.people import fingerprint
from local.simulators.server import Refusal, Response

HOST = "https://login.microsoftonline.com"
ANY_TENANT = frozenset({"common", "organizations"})
UNCACHED = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
MISSING = "The request body must contain the following parameter: '{}'."
_TENANT = re.compile(r"[0-9a-f-]{36}|[a-z0-9-]+(\.[a-z0-9-]+)+")


@cache
def tenant_id(domain: str) -> str:
    return str(UUID(bytes=fingerprint("microsoft tenant", domain)[:16], version=4))


@cache
def object_id(email: str) -> str:
    return str(UUID(bytes=fingerprint("microsoft object", email)[:16], version=4))


def oauth_error(error: str, code: int, description: str) -> dict[str, Any]:
    """The body of every error of the token endpoint."""
    now, trace, correlation = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ"), str(uuid4()), str(uuid4())
    return {
        "error": error,
        "error_description": f"AADSTS{code}: {description} Trace ID: {trace} Correlation ID: {correlation} "
        f"Timestamp: {now}",
        "error_codes": [code],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{HOST}/error?code={code}",
    }


def refuse(status: int, error: str, code: int, description: str) -> NoReturn:
    raise Refusal(Response.of_json(oauth_error(error, code, description), status, headers=UNCACHED))


def page(code: int, message: str) -> Response:
    return oauth.error_page("Microsoft", f"AADSTS{code}", message)


def check_redirect(client: Client, query: Mapping[str, str]) -> None:
    """Without a client that is known and an address of its own, the person is told, and nobody else."""
    if not client.is_named(query.get("client_id")):
        raise Refusal(page(700016, f"Application with identifier '{query.get('client_id', '')}' was not found."))
    if not oauth.is_redirect_uri(query.get("redirect_uri", "")):
        raise Refusal(page(900971, "No reply address provided."))


def required(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        refuse(400, "invalid_request", 900144, MISSING.format(name))
    return form[name]


def check_tenant(tenant: str) -> None:
    """Any name that a tenant could have is good here."""
    if tenant not in ANY_TENANT and not _TENANT.fullmatch(tenant.lower()):
        tenant_not_found(tenant)


def tenant_not_found(tenant: str) -> NoReturn:
    refuse(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
