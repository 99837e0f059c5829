"""What is written down of each request that concerned somebody: who, what, about whom, with what outcome; ids alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freebusy.entrypoints.audit import ACTIONS
from freebusy.service.connecting import connect_mailbox
from tests.api import Context, call, handler
from tests.asking import SECRET
from tests.browsers import APP, BEN, exchange, post, refresh, token_body
from tests.fakes.clock import NOW
from tests.footprint import GUEST, WHO, leave_traces
from tests.people import CLIENT_ID, organization
from tests.records import standard_record
from tests.template.deployment import routes

CONCERN_NOBODY = {
    *("GET /oauth/authorize", "GET /oauth/relink/{sub}/{profile_id}", "GET /.well-known/oauth-authorization-server"),
    *("GET /openapi.json", "GET /docs", "GET /docs/{section}", "OPTIONS /{proxy+}"),
    *("GET /enterprise_connect/oauth/authorize", "GET /enterprise_connect/setup/{handle}/sign_in"),
    *("GET /connections/sign_in/{provider}", "POST /connections/sign_out"),
    "POST /upstream/cronofy/channels/{handle}",
}
"""Nobody is known there yet, or nothing comes of it; what Cronofy told is read up, and written down, afterwards."""


def one(records: list[dict[str, Any]]) -> dict[str, Any]:
    (record,) = records
    return record


def test_every_route_says_what_it_does_about_somebody_or_concerns_nobody():
    assert set(ACTIONS) == {route.key for route in routes()} - CONCERN_NOBODY
    assert {route.key for route in routes()} >= CONCERN_NOBODY


class TestReading:
    def test_is_written_down_with_who_what_and_whom(self, people, audited):
        call("free_busy", "GET", "/v1/free_busy", query={"tzid": "Etc/UTC"}, bearer="token of ana")
        assert one(audited()) == {
            "action": "free_busy.read",
            "accounts": "ana",
            "by": "grant",
            "client_id": CLIENT_ID,
            "grant_id": "g1",
            "request_id": "id",
            "outcome": 200,
        }

    def test_of_what_was_refused_too(self, people, audited):
        call("account", "POST", "/v1/calendars", bearer="token of ana")
        assert (one(audited()) | {"request_id": ""})["outcome"] == 403

    @pytest.mark.parametrize("bearer", [None, "unknown"])
    def test_by_nobody_known_is_about_nobody(self, people, audited, bearer):
        call("account", "GET", "/v1/account", bearer=bearer)
        assert audited() == []

    def test_a_path_with_a_token_is_not_written_down(self, people, audited, capsys):
        path = "/v1/free_busy/pages/telling-token"
        call("free_busy", "GET", path, bearer="token of ana")
        assert "telling-token" not in capsys.readouterr().out

    def test_one_request_does_not_inherit_from_another(self, people, audited):
        for name in ("ana", "ben"):
            call("account", "GET", "/v1/account", bearer=f"token of {name}")
        assert [each["accounts"] for each in audited()] == ["ana", "ben"]


class TestChannels:
    @pytest.mark.parametrize(
        ("method", "path", "action"),
        [
            ("POST", "/v1/channels", "channel.opened"),
            ("GET", "/v1/channels", "channels.read"),
            ("DELETE", "/v1/channels/chn_1", "channel.closed"),
        ],
    )
    def test_are_written_down(self, people, audited, method, path, action):
        call("channels", method, path, body={} if method == "POST" else None, bearer="token of ana")
        assert (one(audited())["action"]) == action


def test_a_request_that_is_sent_again_was_carried_out_once(people, audited):
    for _ in range(2):
        once = {"idempotency-key": "key"}
        call("events", "POST", "/v1/batch", body={"batch": []}, bearer="token of ana", headers=once)
    assert [each["action"] for each in audited()] == ["events.written", "answer.repeated"]


class TestAvailability:
    def query(self, members: list[dict[str, Any]], **more: Any) -> int:
        body = {
            "participants": [{"members": members, "required": "all"}],
            "required_duration": {"minutes": 60},
            "query_periods": [{"start": "2027-01-15T09:00:00Z", "end": "2027-01-15T17:00:00Z"}],
        }
        return call("availability", "POST", "/v1/availability", body=body | more, bearer=SECRET).status

    def test_is_one_record_however_many_are_asked_about(self, crowd, audited):
        assert self.query(crowd) == 200
        record = one(audited())
        assert (record["action"], record["by"]) == ("availability.queried", "application")
        assert set(record["accounts"].split()) == {member["sub"] for member in crowd}

    def test_is_written_down_when_it_fails(self, people, audited):
        assert self.query([{"sub": "ana"}, {"sub": "nobody"}]) == 422
        assert (one(audited())["accounts"], NOW) == ("ana", NOW)

    def test_does_not_repeat_what_is_no_account_of_the_application(self, people, audited, capsys):
        self.query([{"sub": "kim@example.com"}, {"sub": "dan"}])
        assert audited() == []


class TestGranting:
    def actions(self, records: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
        return [(each["action"], each["by"], each["outcome"]) for each in records]

    def test_from_consent_to_erasure(self, deployment, audited):
        code = deployment.code()
        tokens = exchange(code).json()
        refresh(tokens["refresh_token"])
        exchange(code)
        refresh(tokens["refresh_token"])
        revocation = {"redirect_uri": None, "token": tokens["refresh_token"]}
        post("/oauth/token/revoke", token_body(**revocation))
        post("/oauth/token/revoke", token_body(**revocation, request_pii_erasure=True))
        record = standard_record(json.dumps({"sub": "acc_gone"}), message_id="m")
        handler("on_erasure_requested")({"Records": [record]}, Context())
        *records, erased = audited()
        assert self.actions(records) == [
            ("consent.given", "person", 302),
            ("code.redeemed", "application", 200),
            ("token.refreshed", "application", 200),
            ("code.replayed", "application", 400),
            ("token.refreshed", "application", 400),
            ("authorization.revoked", "application", 200),
            ("erasure.requested", "application", 200),
        ]
        assert {each["accounts"] for each in records} == {tokens["sub"]}
        assert {each["client_id"] for each in records} == {APP}
        assert erased["action"] == "account.erased"

    def test_names_no_account_of_another_application(self, deployment, audited):
        tokens = deployment.tokens()
        audited()
        other = {"client_id": "other-app", "client_secret": "the secret of the other application"}
        refresh(tokens["refresh_token"], **other)
        post("/oauth/token/revoke", token_body(redirect_uri=None, sub=tokens["sub"], **other))
        assert audited() == []

    def test_a_mailbox_is_written_down_when_access_to_it_is_given(self, wired, deployment, audited):
        giver = organization(client_id=APP)
        wired.service_accounts.connect(giver)
        assert connect_mailbox(giver, WHO.email, accounts=wired.accounts, now=NOW)
        assert audited() == []  # nothing was asked for by anybody


def test_records_hold_ids_alone(deployment, audited, capsys):
    sub = leave_traces(deployment)
    deployment.tokens(BEN)
    said = capsys.readouterr().out
    assert sub in said
    assert not any(telling in said.lower() for telling in ("canary", "@", GUEST, "fbc_", "interview"))
