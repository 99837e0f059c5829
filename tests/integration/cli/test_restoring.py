"""``freebusy restore``: what was lost comes back out of a restored table, and who was erased does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from time import time
from typing import Any
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.events import DynamoEvents, DynamoInvitationLog
from freebusy.adapters.dynamodb.snapshot import DynamoSnapshot
from freebusy.adapters.dynamodb.table import Table, kind_of
from freebusy.adapters.dynamodb.tokens import DynamoTokens
from freebusy.bootstrap import belongings
from freebusy.domain.identifiers import hashed
from freebusy.domain.invitation import SentMark
from freebusy.domain.token import TokenKind, TokenRecord
from local.emulator import client
from tests.integration.cli.deployment import CALLBACK, CREDENTIAL, Deployment
from tests.invitations import an_event
from tests.tables import create_table

pytestmark = pytest.mark.emulator

LONG = 4_000_000_000
"""Far in the future, in epoch seconds: what expires has not."""

Restore = Callable[..., Any]


@pytest.fixture
def person(deployment, created) -> str:
    """The sub of an account with an event, a refresh token, and a code that has expired."""
    sub = deployment.connected(created["client_id"])
    event = an_event()
    event = event._replace(sub=sub, client_id=created["client_id"], organizer=sub, updated_at=event.created_at)
    DynamoEvents(deployment.dynamodb, deployment.table).save(event, over=None)
    tokens = DynamoTokens(deployment.dynamodb, deployment.table)
    for kind, until in ((TokenKind.REFRESH, LONG), (TokenKind.ACCESS, 1)):
        tokens.save(hashed(f"{kind} {sub}"), TokenRecord(kind, created["client_id"], until, sub, "grant", "free_busy"))
    return sub


@pytest.fixture
def taken(deployment, freebusy) -> Callable[[], Restore]:
    """Takes the table as it is now; gives the command that restores from it."""

    def take() -> Restore:
        restored, dynamodb = f"restored-{uuid4().hex}", deployment.dynamodb
        create_table(dynamodb, restored)
        for item in deployment.items():
            dynamodb.put_item(TableName=restored, Item=item)
        as_of = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        def restore(*arguments: str) -> Any:
            return freebusy("restore", "--from-table", restored, "--as-of", as_of, *arguments)

        return restore

    return take


def lose(deployment: Deployment, *names: str) -> list[dict[str, Any]]:
    """What mentions these is gone, by no command of ours; what that was, but for what has expired."""
    gone = [item for item in deployment.items() if any(name in str(item) for name in names)]
    for item in gone:
        key = {name: item[name] for name in ("pk", "sk")}
        deployment.dynamodb.delete_item(TableName=deployment.table, Key=key)
    return [item for item in gone if item.get("expires_at", {}).get("N") != "1"]


def in_order(items: list[dict[str, Any]]) -> list[str]:
    return sorted(map(repr, (sorted(item.items()) for item in items)))


def of(deployment: Deployment, *names: str) -> list[dict[str, Any]]:
    return [item for item in deployment.items() if any(name in str(item) for name in names)]


def queued(deployment: Deployment) -> list[str]:
    """Who is to be erased; they are taken out of the queue."""
    queue, found = client("sqs", deployment.endpoint), []
    while messages := queue.receive_message(QueueUrl=deployment.erasures).get("Messages"):
        for message in messages:
            found.append(json.loads(message["Body"])["sub"])
            queue.delete_message(QueueUrl=deployment.erasures, ReceiptHandle=message["ReceiptHandle"])
    return found


def kinds(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {row["kind"]: row["items"] for row in rows}


ACCOUNT = {"account": 1, "event": 1, "identity": 1, "organizer": 1, "person": 1, "token": 1}


class TestAnAccount:
    def test_comes_back_with_all_that_it_had_and_had_not_expired(self, deployment, taken, person):
        restore = taken()
        lost = lose(deployment, person)
        assert kinds(restore("--account", person)["copied"]) == ACCOUNT
        assert in_order(of(deployment, person)) == in_order(lost)

    def test_and_its_credential_opens_although_the_data_keys_were_replaced(self, deployment, freebusy, taken, created):
        sub, client_id = deployment.connected(created["client_id"]), created["client_id"]
        restore = taken()
        lose(deployment, sub)
        freebusy("keys", "rotate", "--settling", "0", "--application", client_id)
        assert kinds(restore("--account", sub)["copied"])["key"] == 1
        freebusy("keys", "rotate", "--settling", "0", "--application", client_id)
        (profile,) = deployment.accounts.find(sub).free_busy_profiles
        sealed = profile.sealed_credential
        assert deployment.vault.unseal(sealed, client_id=client_id, profile_id="pro") == CREDENTIAL
        assert [key.key_id for key in deployment.vault.keys(client_id)] == [2]

    def test_others_keep_what_they_have(self, deployment, taken, person, created):
        other, restore = deployment.connected(created["client_id"]), taken()
        lose(deployment, person, other)
        restore("--account", person)
        assert of(deployment, other) == []

    def test_a_dry_run_counts_the_same_and_copies_nothing(self, deployment, taken, person):
        restore = taken()
        lose(deployment, person)
        before = in_order(deployment.items())
        assert kinds(restore("--account", person, "--dry-run")["would_copy"]) == ACCOUNT
        assert in_order(deployment.items()) == before

    def test_what_is_newer_stays_unless_it_is_to_be_overwritten(self, deployment, taken, person):
        restore = taken()
        then = deployment.accounts.find(person)
        deployment.dynamodb.update_item(
            TableName=deployment.table,
            Key={"pk": {"S": f"ACCOUNT#{person}"}, "sk": {"S": "ACCOUNT"}},
            UpdateExpression="SET email = :new",
            ExpressionAttributeValues={":new": {"S": "new@example.com"}},
        )
        answer = restore("--account", person)
        assert kinds(answer["left_as_they_are"])["account"] == 1
        assert deployment.accounts.find(person).email == "new@example.com"
        assert kinds(restore("--account", person, "--overwrite")["copied"]) == {"account": 1}
        assert deployment.accounts.find(person) == then

    def test_lost_events_come_back_to_an_account_that_is_in_use_and_revoked_tokens_do_not(
        self, deployment, taken, person
    ):
        restore, dynamodb, table = taken(), deployment.dynamodb, deployment.table
        for key in [key for key in belongings(dynamodb, table).keys(person) if not key[0].startswith("ACCOUNT#")]:
            dynamodb.delete_item(TableName=table, Key={"pk": {"S": key[0]}, "sk": {"S": key[1]}})
        assert kinds(restore("--account", person)["copied"]) == {"event": 1, "organizer": 1}

    def test_no_event_is_back_before_what_was_mailed_about_any_or_attendees_would_be_invited_twice(
        self, deployment, taken, person, monkeypatch
    ):
        dynamodb, table, write, written = deployment.dynamodb, deployment.table, Table.write, []
        event = an_event()._replace(sub=person)
        for number in range(3):
            DynamoInvitationLog(dynamodb, table).mark(event, f"recipient{number}", SentMark(1, cancelled=False))
        restore = taken()
        for pk, sk in [key for key in belongings(dynamodb, table).keys(person) if key[0].startswith("EVENTS#")]:
            dynamodb.delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})

        def noted(self, action):
            item = action["Put"]["Item"]
            written.append(kind_of((item["pk"]["S"], item["sk"]["S"])))
            return write(self, action)

        monkeypatch.setattr(Table, "write", noted)
        monkeypatch.setattr("freebusy.adapters.dynamodb.snapshot._AT_ONCE", 1)
        restore("--account", person)
        assert written == ["sent", "sent", "sent", "event"]

    def test_a_copy_that_was_interrupted_is_completed_by_another_one(self, deployment, taken, person, monkeypatch):
        """Whatever came last: the account itself does, so that everything else still comes with it."""
        restore = taken()
        lost = lose(deployment, person)

        def interrupted(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("freebusy.adapters.dynamodb.snapshot._Copying.finish", interrupted)
            with pytest.raises(AssertionError):
                restore("--account", person)
        assert deployment.accounts.find(person) is None
        restore("--account", person)
        assert in_order(of(deployment, person)) == in_order(lost)

    def test_who_was_erased_since_does_not_come_back_unless_that_is_meant(
        self, deployment, taken, person, created, logged
    ):
        restore = taken()
        lost = lose(deployment, person)
        lose(deployment, f"KEY#{created['client_id']}")
        logged("account.erased", person)
        before = in_order(deployment.items())
        with pytest.raises(AssertionError, match="was erased since then"):
            restore("--account", person)
        assert in_order(deployment.items()) == before  # no data key either
        assert restore("--account", person, "--erased-too")["erased_since"] == "not looked up"
        assert in_order(of(deployment, person)) == in_order(lost)

    def test_the_table_itself_knows_better_than_the_operator_which_moment_it_shows(
        self, taken, person, logged, monkeypatch
    ):
        """Who was erased before a moment that was mistyped would come back."""
        restore, before = taken(), int(time())
        logged("account.erased", person)
        monkeypatch.setattr(DynamoSnapshot, "taken_at", lambda _: before)
        with pytest.raises(AssertionError, match="was erased since then"):
            restore("--account", person, "--as-of", "2999-01-07T09:00:00Z")

    def test_nor_does_who_was_erased_from_a_machine_whose_clock_is_slow(self, taken, person, logged, monkeypatch):
        restore, by_its_clock = taken(), datetime.fromtimestamp(time() - 300, UTC).isoformat()
        with monkeypatch.context() as patched:
            patched.setattr("freebusy.entrypoints.audit._now", lambda: by_its_clock)
            logged("account.erased", person)
        with pytest.raises(AssertionError, match="was erased since then"):
            restore("--account", person)


class TestAnApplication:
    def test_comes_back_with_its_secret_and_its_people(self, deployment, freebusy, taken, person, created):
        restore, client_id = taken(), created["client_id"]
        lost = lose(deployment, client_id, person)
        answer = restore("--application", client_id)
        assert kinds(answer["copied"])["account"] == 1
        assert in_order(of(deployment, client_id, person)) == in_order(lost)
        assert deployment.works(client_id, created["client_secret"])
        assert {"client_id": client_id, "name": "Scheduler"} in freebusy("applications", "list")

    def test_a_secret_that_was_revoked_since_does_not_work_again(self, deployment, freebusy, taken, created):
        restore, client_id = taken(), created["client_id"]
        freebusy("applications", "secrets", "revoke", client_id, created["secrets"][0]["hint"])
        restore("--application", client_id)
        assert not deployment.works(client_id, created["client_secret"])

    def test_its_people_come_back_without_those_who_were_erased(self, deployment, taken, person, created, logged):
        other, restore = deployment.connected(created["client_id"]), taken()
        lose(deployment, person, other)
        logged("account.erased", other)
        answer = restore("--application", created["client_id"])
        assert answer["erased_since"] == [other]
        assert kinds(answer["left_out"]) == {"account": 1, "identity": 1, "person": 1}
        assert deployment.accounts.find(person)
        assert of(deployment, other) == []


class TestEverything:
    def test_comes_back_but_for_applications_and_people_that_were_erased(
        self, deployment, freebusy, taken, person, created
    ):
        gone = freebusy("applications", "create", "Gone", "--redirect-uri", CALLBACK)["client_id"]
        theirs, restore = deployment.connected(gone), taken()
        lost = lose(deployment, person, created["client_id"])
        freebusy("applications", "delete", gone, "--yes")
        restore("--everything")
        assert in_order(of(deployment, created["client_id"], person)) == in_order(lost)
        assert of(deployment, gone, theirs) == []

    def test_whose_erasure_is_not_known_before_they_are_back_is_erased_again(
        self, deployment, taken, person, logged, monkeypatch
    ):
        """They were erased while all was copied, or the log was late."""
        restore = taken()
        lose(deployment, person)
        copy = DynamoSnapshot.copy

        def and_meanwhile(self, *arguments, **named):
            logged("account.erased", person)
            return copy(self, *arguments, **named)

        monkeypatch.setattr(DynamoSnapshot, "copy", and_meanwhile)
        assert restore("--everything")["erased_again"] == [person]
        assert queued(deployment) == [person]

    def test_also_of_somebody_who_was_there_when_it_began_and_of_whom_only_events_are_back(
        self, deployment, taken, person, logged, monkeypatch
    ):
        restore, write = taken(), Table.write
        stored = belongings(deployment.dynamodb, deployment.table)
        key = next(key for key in stored.keys(person) if key[0].startswith("EVENTS#"))
        deployment.dynamodb.delete_item(TableName=deployment.table, Key={"pk": {"S": key[0]}, "sk": {"S": key[1]}})

        def erased_just_before(self, action):
            monkeypatch.setattr(Table, "write", write)
            stored.erase(person, deadline=inf)
            logged("account.erased", person)
            return write(self, action)

        monkeypatch.setattr(Table, "write", erased_just_before)
        assert restore("--account", person)["erased_again"] == [person]
        assert kind_of(key) in stored.count(person)
        assert queued(deployment) == [person]

    def test_who_was_brought_back_by_an_earlier_run_is_told_and_not_erased_as_that_may_have_been_meant(
        self, deployment, taken, person, logged
    ):
        restore = taken()
        lose(deployment, person)
        logged("account.erased", person)
        assert restore("--everything")["there_although_erased"] == []
        restore("--account", person, "--erased-too")
        answer = restore("--everything")
        assert (answer["there_although_erased"], answer["erased_again"]) == ([person], [])
        with pytest.raises(AssertionError, match="something of it is there again"):
            restore("--account", person)
        assert queued(deployment) == []
        assert deployment.accounts.find(person)

    def test_an_identity_that_is_somebody_elses_by_now_is_none_of_theirs(self, deployment, taken, person, logged):
        """Who was erased has connected anew."""
        restore = taken()
        lose(deployment, person)
        logged("account.erased", person)
        restore("--account", person, "--erased-too")
        for item in of(deployment, person):
            key = {name: item[name] for name in ("pk", "sk")}
            deployment.dynamodb.delete_item(TableName=deployment.table, Key=key)
            if item["pk"]["S"].startswith("IDENTITY#"):
                item["sub"] = {"S": f"acc_{uuid4().hex[:24]}"}
                deployment.dynamodb.put_item(TableName=deployment.table, Item=item)
        assert restore("--everything")["there_although_erased"] == []

    def test_an_application_of_which_only_the_log_of_later_knows_that_it_was_erased_goes_again(
        self, deployment, freebusy, taken, person, created, waits, monkeypatch
    ):
        restore, client_id = taken(), created["client_id"]
        copy = DynamoSnapshot.copy

        def and_just_before(self, *arguments, **named):
            freebusy("applications", "delete", client_id, "--yes")
            return copy(self, *arguments, **named)

        monkeypatch.setattr(DynamoSnapshot, "copy", and_just_before)
        assert restore("--application", client_id)["erased_again"] == [client_id]
        assert not deployment.works(client_id, created["client_secret"])
        assert of(deployment, client_id, person) == []
        assert freebusy("applications", "delete", client_id, "--verify")["left"] == 0


class TestRefusals:
    def test_the_table_in_use_is_no_restored_one(self, deployment, refused):
        assert "the table in use" in refused("restore", "--from-table", deployment.table, "--everything")

    def test_a_table_that_does_not_say_which_moment_it_shows(self, deployment, refused):
        other = create_table(deployment.dynamodb, f"restored-{uuid4().hex}")
        assert "--as-of" in refused("restore", "--from-table", other, "--everything")

    def test_a_moment_that_is_still_to_come(self, deployment, refused):
        """Of the log of a time that is not over yet, nobody would be known to have been erased."""
        other = create_table(deployment.dynamodb, f"restored-{uuid4().hex}")
        assert "still to come" in refused(
            "restore", "--from-table", other, "--as-of", "2999-01-07T09:00:00Z", "--everything"
        )

    def test_a_log_that_does_not_reach_back_so_far(self, deployment, refused):
        """Nobody would know who was erased."""
        other = create_table(deployment.dynamodb, f"restored-{uuid4().hex}")
        arguments = ("restore", "--from-table", other, "--as-of", "2020-01-07T09:00:00Z", "--everything")
        assert "kept for 60 days" in refused(*arguments)
        assert "holds nothing" in refused(*arguments, "--erased-too")

    def test_a_moment_before_the_stack_was_made_anew(self, deployment, refused):
        """It took over a table whose logs went with the stack before it."""
        other = create_table(deployment.dynamodb, f"restored-{uuid4().hex}")
        yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        arguments = ("restore", "--from-table", other, "--as-of", yesterday, "--everything")
        assert "as old as the stack" in refused(*arguments)
        assert "holds nothing" in refused(*arguments, "--erased-too")

    def test_an_id_of_which_it_holds_nothing(self, taken):
        with pytest.raises(AssertionError, match="holds nothing of acc_000000000000000000000000"):
            taken()("--account", "acc_000000000000000000000000")

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param((), id="of whom"),
            pytest.param(("--application", ""), id="of an application that is not named"),
            pytest.param(("--everything", "--application", "app"), id="of two"),
            pytest.param(("--account", "acc_1"), id="an account that cannot be"),
            pytest.param(("--everything", "--as-of", "yesterday"), id="no time"),
            pytest.param(("--everything", "--as-of", "2030-01-07T09:00:00"), id="a time without its zone"),
        ],
    )
    def test_a_command_that_is_not_complete_shows_its_usage(self, misused, arguments):
        assert misused("restore", "--from-table", "name", *arguments)
