"""``freebusy accounts`` and ``freebusy organizations``: people are shown, exported and erased."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf

import pytest

from freebusy.adapters.dynamodb.events import DynamoEvents
from freebusy.adapters.dynamodb.pages import DynamoPages
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.bootstrap import belongings
from freebusy.domain.identifiers import new_service_account_id
from freebusy.domain.service_account import ServiceAccount
from freebusy.entrypoints.cli import main
from freebusy.service.connecting import connect_mailbox
from local.emulator import client
from tests.fakes.clock import NOW
from tests.invitations import an_event
from tests.people import organization

pytestmark = pytest.mark.emulator


class TestErasingPeople:
    @pytest.fixture
    def person(self, deployment, created) -> str:
        """The sub of an account with an event and a page."""
        sub, dynamodb = deployment.connected(created["client_id"]), deployment.dynamodb
        event = an_event()
        event = event._replace(sub=sub, organizer=sub, updated_at=event.created_at)
        DynamoEvents(dynamodb, deployment.table).save(event, over=None)
        DynamoPages(dynamodb, deployment.table).save({sub: b"{}"}, sub=sub, client_id="app", expires_at=NOW)
        return sub

    @pytest.fixture
    def worker(self, deployment, monkeypatch) -> Callable[[], None]:
        """What the queue's function does at first, each time that the command waits."""
        sqs, stored = client("sqs", deployment.endpoint), belongings(deployment.dynamodb, deployment.table)

        def work(_: float = 0) -> None:
            for message in sqs.receive_message(QueueUrl=deployment.erasures).get("Messages", []):
                stored.erase(json.loads(message["Body"])["sub"], deadline=inf)
                sqs.delete_message(QueueUrl=deployment.erasures, ReceiptHandle=message["ReceiptHandle"])

        monkeypatch.setattr("freebusy.entrypoints.cli.people.sleep", work)
        return work

    @pytest.mark.usefixtures("worker")
    def test_nothing_is_left_of_somebody_who_was_erased(self, deployment, freebusy, person):
        answer = freebusy("accounts", "erase", person, "--yes")
        kinds = ("account", "event", "identity", "organizer", "page", "person")
        assert answer == {"account": person, "erased": [{"kind": kind, "items": 1} for kind in kinds]}
        assert not any(person in str(item) for item in deployment.items())

    @pytest.mark.usefixtures("worker")
    def test_that_it_is_done_is_proven_by_the_log_as_well(self, freebusy, refused, person, logged):
        freebusy("accounts", "erase", person, "--yes")
        assert "the last look is still to come" in refused("accounts", "erase", person, "--verify")
        at = logged("account.erased", person)
        assert freebusy("accounts", "erase", person, "--verify") == {"account": person, "left": 0, "erased_at": at}

    @pytest.mark.usefixtures("worker")
    def test_who_was_never_there_was_not_erased(self, freebusy, refused, person, logged):
        """Somebody who mistypes an id must not take it for a proof."""
        freebusy("accounts", "erase", person, "--yes")
        logged("account.erased", person)
        mistyped = person[:-1] + ("0" if person[-1] != "0" else "1")
        assert "the log does not say that it was erased" in refused("accounts", "erase", mistyped, "--verify")

    @pytest.mark.usefixtures("worker")
    def test_who_asked_for_it_is_written_down(self, freebusy, person):
        freebusy("accounts", "erase", person, "--yes")
        (record,) = freebusy("accounts", "audit", person)
        assert (record["action"], record["by"], record["outcome"]) == ("erasure.requested", "operator", "done")

    def test_what_is_stored_is_exported_before(self, freebusy, refused, person):
        exported = freebusy("accounts", "export", person)
        assert (exported["sub"], exported["stored"]["account"][0]["email"]) == (person, "ana@example.com")
        assert exported["stored"]["account"][0]["profiles"]["pro"]["sealed"] == "present"
        assert set(exported["stored"]) == {"account", "event", "identity", "organizer", "page", "person"}

    def test_what_was_not_exported_is_not_written_down(self, freebusy, refused):
        assert "nothing is stored" in refused("accounts", "export", "acc_000000000000000000000000")
        assert freebusy("accounts", "audit", "acc_000000000000000000000000") == []

    def test_who_exported_them_is_written_down(self, freebusy, person):
        freebusy("accounts", "export", person)
        (record,) = freebusy("accounts", "audit", person)
        assert (record["action"], record["by"], record["outcome"]) == ("account.exported", "operator", "done")
        assert freebusy("accounts", "audit", person, "--since", "0m") in ([], [record])

    @pytest.mark.parametrize(
        "sub",
        [
            pytest.param("", id="nothing"),
            pytest.param("acc_", id="no digits"),
            pytest.param("acc_00000000000000000000000", id="one digit short"),
            pytest.param("acc_0000000000000000000000000", id="one digit more"),
            pytest.param("acc_00000000000000000000000A", id="another alphabet"),
            pytest.param('acc_1" or 1', id="a query"),
            pytest.param("kim@example.com", id="an address"),
            pytest.param("acc_000000000000000000000000 acc_000000000000000000000000", id="two"),
            pytest.param("ünknown", id="not even ASCII"),
        ],
    )
    @pytest.mark.parametrize("command", ["audit", "export", "erase", "move"])
    def test_nothing_but_the_id_of_an_account_is_looked_for(self, misused, command, sub):
        assert "24 digits" in misused("accounts", command, sub)

    @pytest.mark.parametrize("since", ["", "d", "7", "7w", "-7d", "1.5h"])
    def test_how_far_back_is_a_number_with_its_unit(self, person, since, capsys):
        with pytest.raises(SystemExit):
            main(["accounts", "audit", person, f"--since={since}"])
        assert "is not like 90m, 36h or 7d" in capsys.readouterr().err

    @pytest.mark.usefixtures("worker")
    def test_others_keep_everything(self, deployment, freebusy, person, created):
        before = [item for item in deployment.items() if person not in str(item)]
        freebusy("accounts", "erase", person, "--yes")
        assert [item for item in deployment.items() if item in before] == before

    def test_looking_erases_nothing_and_fails_as_long_as_something_is_there(self, deployment, refused, person):
        before = deployment.items()
        said = "1 account, 1 event, 1 identity, 1 organizer, 1 page, 1 person"
        assert refused("accounts", "erase", person, "--verify") == f"freebusy: of {person} there is still: {said}"
        assert deployment.items() == before

    @pytest.mark.usefixtures("worker")
    def test_the_sub_is_asked_for(self, freebusy, person):
        assert freebusy("accounts", "erase", person, given=f"{person}\n")["account"] == person

    @pytest.mark.parametrize("typed", ["", "\n", "yes\n", "acc_\n"])
    def test_another_one_erases_nothing(self, deployment, refused, person, worker, typed):
        before = deployment.items()
        assert "nothing was erased" in refused("accounts", "erase", person, given=typed)
        worker()
        assert deployment.items() == before

    def test_of_somebody_unknown_there_is_nothing_to_erase(self, refused):
        assert "nothing is stored" in refused("accounts", "erase", "acc_000000000000000000000000", "--yes")

    def test_somebody_who_waits_too_long_is_told_that_it_goes_on(self, refused, person, monkeypatch):
        moments = iter([0, 10_000])
        monkeypatch.setattr("freebusy.entrypoints.cli.people.monotonic", lambda: next(moments))
        assert "goes on by itself" in refused("accounts", "erase", person, "--yes")


class TestOrganizations:
    @pytest.fixture
    def giver(self, deployment, created) -> ServiceAccount:
        giver = organization(new_service_account_id(), client_id=created["client_id"])
        DynamoServiceAccounts(deployment.dynamodb, deployment.table).connect(giver)
        return giver

    @pytest.fixture
    def eve(self, deployment, giver) -> str:
        """The sub of somebody whose mailbox the organization gives access to."""
        accounts = deployment.accounts
        return connect_mailbox(giver, "eve@example.com", accounts=accounts, now=NOW).sub

    def test_are_listed_and_shown(self, freebusy, giver, eve):
        (listed,) = freebusy("organizations", "list", giver.client_id)
        assert listed == {"organization": giver.sub, "name": "example.com", "connected": "connected"}
        assert freebusy("organizations", "show", giver.sub) == {
            "organization": giver.sub,
            "client_id": giver.client_id,
            "provider": "google_free_busy",
            "name": "example.com",
            "domains": ["example.com"],
            "administrator": "admin@example.com",
            "delegated_scope": "free_busy_write",
            "disconnected": None,
            "accounts": [eve],
            "created_at": "2027-01-15T08:00:00Z",
        }

    @pytest.mark.usefixtures("ended_at_cronofy")
    def test_one_is_erased_with_its_people(self, deployment, freebusy, giver, eve, logged):
        kinds = {"account": 2, "identity": 1, "organization": 1, "person": 1}
        erased = [{"kind": kind, "items": number} for kind, number in kinds.items()]
        assert freebusy("organizations", "erase", giver.sub, "--yes") == {"organization": giver.sub, "erased": erased}
        assert not any(name in str(item) for item in deployment.items() for name in (giver.sub, eve))
        logged("account.erased", giver.sub)
        assert freebusy("organizations", "erase", giver.sub, "--verify")["left"] == 0
        assert freebusy("organizations", "list", giver.client_id) == []

    def test_an_unknown_one_is_said_to_be_unknown(self, refused):
        unknown = "ser_000000000000000000000000"
        assert f"no organization {unknown}" in refused("organizations", "show", unknown)
        assert "nothing is stored" in refused("organizations", "erase", unknown, "--yes")

    def test_and_people_are_erased_each_by_their_own_command(self, misused, giver, eve):
        assert "freebusy organizations" in misused("accounts", "erase", giver.sub, "--yes")
        assert "ser_" in misused("organizations", "erase", eve, "--yes")

    def test_of_an_unknown_application_there_are_none(self, refused):
        assert "no application" in refused("organizations", "list", "unknown")
