"""``freebusy applications``: what it prints, what it leaves behind, how it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.pages import DynamoPages
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.adapters.vault import KmsSecretVault
from freebusy.domain.account import Upstream
from freebusy.entrypoints.cli import main
from local.emulator import client
from tests.fakes.clock import NOW
from tests.integration.cli.deployment import CALLBACK, CREDENTIAL
from tests.people import organization_at_cronofy
from tests.pictures import png

pytestmark = pytest.mark.emulator


class TestApplications:
    def test_a_created_application_can_authenticate(self, deployment, created):
        assert created["redirect_uris"] == [CALLBACK]
        assert created["public"] is False
        assert deployment.works(created["client_id"], created["client_secret"])

    def test_a_front_end_is_created_without_a_secret(self, deployment, freebusy):
        created = freebusy(
            "applications",
            "create",
            "Front end",
            "--public",
            "--redirect-uri",
            CALLBACK,
            "--origin",
            "https://a.example",
        )
        assert "client_secret" not in created
        assert (created["public"], created["secrets"], created["origins"]) == (True, [], ["https://a.example"])
        assert deployment.works(created["client_id"], None)

    def test_the_secret_is_shown_once(self, deployment, freebusy, created):
        shown = freebusy("applications", "show", created["client_id"])
        secret = created.pop("client_secret")
        assert shown == {**created, "home_page": None, "logo": None}
        assert secret not in json.dumps([str(item) for item in deployment.items()])

    def test_applications_are_listed(self, freebusy, created):
        assert {"client_id": created["client_id"], "name": "Scheduler"} in freebusy("applications", "list")

    def test_an_application_is_renamed(self, freebusy, created):
        assert freebusy("applications", "rename", created["client_id"], "Planner")["name"] == "Planner"
        assert {"client_id": created["client_id"], "name": "Planner"} in freebusy("applications", "list")

    def test_an_application_has_the_deployments_limit_until_it_has_one_of_its_own(self, freebusy, refused, created):
        assert created["limit"] == "default"
        for limit in ("500", "none", "default"):
            assert freebusy("applications", "limit", created["client_id"], limit)["limit"] == limit
            assert freebusy("applications", "show", created["client_id"])["limit"] == limit
        assert refused("applications", "limit", created["client_id"], "1000001") == (
            "freebusy: a limit is 0 (none) to 1000000 requests a minute"
        )

    def test_a_logo_and_a_home_page_are_shown_until_they_are_removed(self, freebusy, refused, created, tmp_path):
        client_id, file = created["client_id"], tmp_path / "logo.png"
        file.write_bytes(png())
        assert freebusy("applications", "logo", "set", client_id, str(file))["logo"] == f"PNG, {len(png())} bytes"
        freebusy("applications", "home-page", "set", client_id, "https://app.example")
        assert freebusy("applications", "show", client_id)["home_page"] == "https://app.example"
        freebusy("applications", "logo", "remove", client_id)
        freebusy("applications", "home-page", "remove", client_id)
        shown = freebusy("applications", "show", client_id)
        assert (shown["home_page"], shown["logo"]) == (None, None)
        assert "cannot be read" in refused("applications", "logo", "set", client_id, str(tmp_path / "none.png"))
        file.write_bytes(b"<svg/>")
        assert refused("applications", "logo", "set", client_id, str(file)) == "freebusy: a logo is a PNG"

    def test_redirect_uris_are_edited(self, freebusy, created):
        edit = ("applications", "redirect-uris")
        more = [f"{CALLBACK}/2", f"{CALLBACK}/3"]
        assert freebusy(*edit, "add", created["client_id"], *more)["redirect_uris"] == [CALLBACK, *more]
        assert freebusy(*edit, "remove", created["client_id"], CALLBACK)["redirect_uris"] == more

    def test_origins_are_edited(self, deployment, freebusy, created):
        edit, origin = ("applications", "origins"), f"https://{uuid4().hex}.example"
        assert freebusy(*edit, "add", created["client_id"], origin)["origins"] == [origin]
        registry = deployment.applications
        assert registry.with_origin(origin) == {created["client_id"]}
        assert freebusy(*edit, "remove", created["client_id"], origin)["origins"] == []
        assert registry.with_origin(origin) == frozenset()

    def test_a_secret_is_rotated_without_a_moment_in_which_none_works(self, deployment, freebusy, created):
        client_id, first = created["client_id"], created["client_secret"]
        second = freebusy("applications", "secrets", "rotate", client_id)["client_secret"]
        assert deployment.works(client_id, first)
        assert deployment.works(client_id, second)
        left = freebusy("applications", "secrets", "revoke", client_id, created["secrets"][0]["hint"])
        assert [secret["hint"] for secret in left["secrets"]] == [second[:13]]
        assert not deployment.works(client_id, first)
        assert deployment.works(client_id, second)


class TestSigning:
    def test_every_new_secret_can_sign(self, deployment, freebusy, created):
        rotated = freebusy("applications", "secrets", "rotate", created["client_id"])
        application = deployment.applications.find(created["client_id"])
        assert application
        kms = client("kms", deployment.endpoint)
        vault = KmsSecretVault(kms, deployment.dynamodb, deployment.table, key_id=deployment.key_id)
        opened = [
            vault.unseal(secret.sealed or b"", client_id=created["client_id"], secret_hash=secret.secret_hash)
            for secret in application.secrets
        ]
        assert opened == [created["client_secret"], rotated["client_secret"]]

    def test_where_the_stack_cannot_be_read_table_and_key_are_named(self, deployment, stack_file, capsys):
        where = [f"--local={stack_file}", "--stack", "no-such-stack", "--table", deployment.table]
        command = ["applications", "create", "Scheduler", "--redirect-uri", CALLBACK]
        assert main([*where, "--key", deployment.key_id, *command]) == 0
        assert main([*where, *command]) == 2
        assert "no-such-stack" in capsys.readouterr().err

    def test_a_table_alone_does_not_say_which_key(self, deployment, capsys):
        command = ["applications", "create", "Scheduler", "--redirect-uri", CALLBACK]
        assert main(["--region", "us-east-1", "--table", deployment.table, *command]) == 2
        assert "--key KEY" in capsys.readouterr().err


class TestErasure:
    @pytest.fixture
    def in_use(self, deployment, created) -> str:
        """The client id of an application with an account, a token, a page and a data key."""
        client_id = created["client_id"]
        sub = deployment.connected(client_id)
        pages = {uuid4().hex: b"page" for _ in range(30)}
        DynamoPages(deployment.dynamodb, deployment.table).save(pages, sub=sub, client_id=client_id, expires_at=NOW)
        return client_id

    def test_deleting_an_application_leaves_nothing_of_it_in_the_table(self, deployment, freebusy, in_use):
        assert sum(in_use in str(item) for item in deployment.items()) > 30
        assert freebusy("applications", "delete", in_use, "--yes")["erased"] > 30
        assert not any(in_use in str(item) for item in deployment.items())

    def test_what_its_people_have_at_cronofy_is_revoked_there_while_it_can_be_opened(
        self, deployment, freebusy, in_use, ended_at_cronofy
    ):
        person = deployment.connected(in_use, upstream=Upstream.CRONOFY)
        giver = organization_at_cronofy(f"ser_{uuid4().hex}", client_id=in_use)
        sealed = deployment.vault.seal(CREDENTIAL, client_id=in_use, profile_id=giver.sub)
        service_accounts = DynamoServiceAccounts(deployment.dynamodb, deployment.table)
        service_accounts.connect(replace(giver, sealed_credential=sealed))
        assert freebusy("applications", "delete", in_use, "--yes")["erased"] > 30
        assert sorted(ended_at_cronofy) == sorted(f"{sub} {CREDENTIAL.refresh_token}" for sub in (person, giver.sub))
        assert not any(in_use in str(item) for item in deployment.items())

    def test_nobody_comes_while_that_is_under_way_and_it_is_gone_on_with_later(
        self, deployment, freebusy, refused, created, ended_at_cronofy, monkeypatch
    ):
        client_id = created["client_id"]
        person = deployment.connected(client_id, upstream=Upstream.CRONOFY)
        with monkeypatch.context() as patch:
            patch.setattr("freebusy.entrypoints.cli.people._LONGEST_ERASURE", -1)
            assert "delete it later" in refused("applications", "delete", client_id, "--yes")
        assert not deployment.works(client_id, created["client_secret"])
        assert deployment.accounts.find(person)
        freebusy("applications", "delete", client_id, "--yes")
        assert len(ended_at_cronofy) == 1
        assert not any(client_id in str(item) for item in deployment.items())

    def test_it_looks_again_until_requests_that_were_under_way_have_left_nothing(
        self, deployment, freebusy, in_use, waits, monkeypatch
    ):
        """Somebody connects in the moment in which the application goes."""

        def late(seconds: float) -> None:
            if not waits:
                deployment.connected(in_use)
            waits.append(seconds)

        monkeypatch.setattr("freebusy.entrypoints.cli.applications.sleep", late)
        freebusy("applications", "delete", in_use, "--yes")
        assert waits == [30, 30]
        assert not any(in_use in str(item) for item in deployment.items())

    def test_that_it_is_done_can_be_proven(self, deployment, freebusy, refused, in_use):
        before = deployment.items()
        assert "30 page" in refused("applications", "delete", in_use, "--verify")
        assert deployment.items() == before
        freebusy("applications", "delete", in_use, "--yes")
        proof = freebusy("applications", "delete", in_use, "--verify")
        assert (proof["client_id"], proof["left"]) == (in_use, 0)
        assert "the log does not say" in refused("applications", "delete", in_use[:-1], "--verify")

    def test_one_that_was_interrupted_is_not_done(self, freebusy, refused, in_use, logged, monkeypatch):
        logged("erasure.requested", "acc_000000000000000000000000", client_id=in_use)
        monkeypatch.setattr("freebusy.entrypoints.cli.applications.sleep", interrupt)
        assert main([*freebusy.where, "applications", "delete", in_use, "--yes"]) == 130
        assert "the last look is still to come" in refused("applications", "delete", in_use, "--verify")
        monkeypatch.setattr("freebusy.entrypoints.cli.applications.sleep", lambda _: None)
        assert freebusy("applications", "delete", in_use, "--yes")["erased"] == 0
        assert freebusy("applications", "delete", in_use, "--verify")["left"] == 0

    def test_other_applications_keep_everything(self, deployment, freebusy, in_use):
        other = freebusy("applications", "create", "Other", "--redirect-uri", CALLBACK)
        before = [item for item in deployment.items() if in_use in str(item)]
        freebusy("applications", "delete", other["client_id"], "--yes")
        assert [item for item in deployment.items() if in_use in str(item)] == before

    def test_the_name_is_asked_for(self, freebusy, in_use):
        assert freebusy("applications", "delete", in_use, given="Scheduler\n")["erased"] > 30

    @pytest.mark.parametrize("typed", ["", "\n", "scheduler\n", "yes\n"])
    def test_another_name_erases_nothing(self, freebusy, refused, in_use, typed):
        assert "nothing was erased" in refused("applications", "delete", in_use, given=typed)
        assert freebusy("applications", "show", in_use)["name"] == "Scheduler"

    def test_an_erasure_that_was_interrupted_is_seen_and_completed(self, deployment, freebusy, in_use):
        key = {"pk": {"S": f"APP#{in_use}"}, "sk": {"S": "APPLICATION"}}
        deployment.dynamodb.delete_item(TableName=deployment.table, Key=key)
        assert {"client_id": in_use, "name": "Scheduler"} in freebusy("applications", "list")
        assert freebusy("applications", "delete", in_use, "--yes")["erased"] > 30
        assert not any(in_use in str(item) for item in deployment.items())


def interrupt(_: float) -> None:
    raise KeyboardInterrupt


class TestRefusals:
    @pytest.mark.parametrize("limit", ["abc", "", "1.5", "-1", "٣"])
    def test_a_limit_is_a_number_or_one_of_two_words(self, misused, created, limit):
        line = misused("applications", "limit", created["client_id"], limit)
        assert "neither a number of requests nor none nor default" in line

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            pytest.param(("show", "unknown"), "there is no application unknown", id="unknown application"),
            pytest.param(("delete", "unknown", "--yes"), "there is no application unknown", id="nothing to erase"),
            pytest.param(("create", "", "--redirect-uri", CALLBACK), "a name has", id="no name"),
            pytest.param(("create", "S", "--redirect-uri", "http://app.example"), "plain http", id="plain http"),
            pytest.param(("create", "S", "--redirect-uri", "/callback"), "not an absolute", id="relative URI"),
            pytest.param(
                ("create", "S", "--redirect-uri", CALLBACK, "--origin", "https://a.example/app"),
                "an origin ends",
                id="an origin with a path",
            ),
        ],
    )
    def test_what_cannot_be_done_is_told_in_one_line(self, refused, arguments, reason):
        line = refused("applications", *arguments)
        assert line.startswith("freebusy: ")
        assert reason in line

    def test_a_third_secret_is_refused(self, freebusy, refused, created):
        freebusy("applications", "secrets", "rotate", created["client_id"])
        assert "revoke one first" in refused("applications", "secrets", "rotate", created["client_id"])
