"""Every function has just the permissions that it uses: what the stack's functions did is compared with the template.

This runs after all other tests, so that what they had functions do counts too. By itself it does what sample events
cannot: it meets the providers, for which functions read this deployment's registrations.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pycronofy
import pytest

from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.adapters.dynamodb.tokens import DynamoTokens
from freebusy.domain.identifiers import hashed
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES, ServiceAccount
from freebusy.domain.token import TokenKind, TokenRecord
from local import emulator as aws
from local.recorder.recorded_calls import Permission
from tests.e2e.administrators import ORGANIZATIONS, connect_organization, describe
from tests.e2e.days import at
from tests.people import colleague, email_of, organization
from tests.receiver import receiving
from tests.template.deployment import LOGICAL_ID, POLLING, granted
from tests.template.sample_events import needed_by

pytestmark = pytest.mark.stack

SECOND_STACK = (
    {"test_cronofy_upstream", "test_cronofy_enterprise"},
    ("secretsmanager:GetSecretValue", "CRONOFY_SECRET_ID"),
)
"""The tests that have Cronofy as their upstream, which takes a second stack, and what functions need only then."""

FREE_BUSY, AVAILABILITY = "free_busy", "availability"
ROOMS = [
    f"https://www.googleapis.com/auth/{name}"
    for name in ("calendar.freebusy", "admin.directory.resource.calendar.readonly")
]
"""What an administrator of Google Workspace delegates, so that rooms can be listed."""


@pytest.fixture
def everybody_is_read(stack, connect):
    """Somebody of each provider whose token has expired, and colleagues of two organizations without a token yet."""
    for provider, function in product(("google", "microsoft"), (FREE_BUSY, AVAILABILITY)):
        client = connect(provider, f"{function}@{provider}.example", [(9, 10)], token_lifetime=1)
        read(function, stack, client.account()["account_id"], client.auth.access_token)
    for number, function in enumerate((FREE_BUSY, AVAILABILITY)):
        sub = f"acc_c0113a60e{number:015}"
        hire(sub, stack, organization(f"ser_{number}", client_id=stack["client_id"], key=f"organization {number}"))
        read(function, stack, sub, sub)


@pytest.fixture
def organizations_are_connected(stack):
    """One of each provider: somebody's mailbox is asked for, and its rooms are listed."""
    for provider in ORGANIZATIONS:
        domain = f"{provider}.least.example"
        rooms = [{"email": f"room@{domain}", "name": "Room"}]
        described = {"scopes": ROOMS} if provider == "google" else {"places": True}
        describe(stack, provider, domain, delegated=True, rooms=rooms, **described)
        brought = connect_organization(stack, provider, f"ada@{domain}", scope=f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}")
        client = pycronofy.Client(client_id=stack["client_id"], client_secret=stack["client_secret"])
        client.get_authorization_from_code(brought["code"], redirect_uri=stack["redirect_uris"][0])
        with receiving() as application:
            client.authorize_with_service_account(f"eve@{domain}", "free_busy_write", f"{application.url}/callback")
            (callback,) = application.wait_for(1)
            assert "code" in callback.authorization
        bearer = {"Authorization": f"Bearer {client.auth.access_token}"}
        assert httpx.get(f"{stack['url']}/v1/resources", headers=bearer, timeout=30).raise_for_status().json()


@pytest.fixture
def somebody_looks_up_their_connections(stack):
    """At either provider, whose registrations the page reads for it."""
    for provider in ORGANIZATIONS:
        departure = httpx.get(f"{stack['url']}/connections/sign_in/{provider}", timeout=30)
        assert departure.headers["location"].startswith(stack[provider])


def read(function: str, stack: dict[str, Any], sub: str, token: str) -> None:
    with httpx.Client(base_url=stack["url"], headers={"Authorization": f"Bearer {token}"}, timeout=30) as service:
        if function == FREE_BUSY:
            rows = service.get("/v1/free_busy", params={"tzid": "Etc/UTC", "from": at(0), "to": at(24)}).json()
            assert [row["free_busy_status"] for row in rows["free_busy"]] == ["busy"]
        else:
            query = {"participants": [{"members": [{"sub": sub}]}], "required_duration": {"minutes": 60}}
            query["query_periods"] = [{"start": at(8), "end": at(11)}]
            free = service.post("/v1/availability", json=query).json()
            assert [period["start"] for period in free["available_periods"]] == [at(8), at(10)]


def hire(sub: str, stack: dict[str, Any], giver: ServiceAccount) -> None:
    """An account that its organization gives access to, as if an administrator had connected it."""
    google, busy = stack["google"], [{"start": at(9), "end": at(10)}]
    httpx.put(f"{google}/sim/users/{email_of(sub)}", json={"busy": busy}).raise_for_status()
    (domain,) = giver.organization.domains
    workspace = {"admin": giver.administrator.email, "delegated": True}
    httpx.put(f"{google}/sim/domains/{domain}", json=workspace).raise_for_status()
    dynamodb = aws.client("dynamodb", stack["aws"])
    (table,) = dynamodb.list_tables()["TableNames"]
    DynamoServiceAccounts(dynamodb, table).connect(giver)
    account = colleague(sub, giver)
    DynamoAccounts(dynamodb, table).create(account)
    (grant,) = account.grants.values()
    token = TokenRecord(TokenKind.ACCESS, account.client_id, int(time.time()) + 600, sub, grant.grant_id, grant.scope)
    DynamoTokens(dynamodb, table).save(hashed(sub), token)


def recorded(folder: Path) -> dict[str, set[Permission]]:
    """What each function of the stack needed so far."""
    found: dict[str, set[Permission]] = defaultdict(set)
    for file in folder.iterdir():
        (function,) = [name for name, logical_id in LOGICAL_ID.items() if logical_id in file.stem.split("-")]
        found[function] |= {tuple(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()}
    return found


@pytest.mark.usefixtures("everybody_is_read", "organizations_are_connected", "somebody_looks_up_their_connections")
def test_a_function_has_every_permission_that_it_needs_and_no_other(recorded_permissions, request):
    needed = recorded(recorded_permissions)
    missing = {name: needed[name] - granted(name) for name in LOGICAL_ID}
    elsewhere, only_there = SECOND_STACK
    ran_too = elsewhere <= {item.path.stem for item in request.session.items}
    unused = {
        (name, *permission)
        for name in LOGICAL_ID
        for permission in granted(name) - needed[name] - needed_by(name)
        if permission[0] not in POLLING and (ran_too or permission != only_there)
    }
    assert {name: permissions for name, permissions in missing.items() if permissions} == {}
    assert unused == set()
