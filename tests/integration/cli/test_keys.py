"""``freebusy keys``: data keys are listed and replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.entrypoints.cli import main
from tests.fakes.clock import NOW
from tests.integration.cli.deployment import CREDENTIAL

pytestmark = pytest.mark.emulator


class TestKeys:
    @pytest.fixture
    def person(self, deployment, created) -> str:
        """The sub of somebody whose credential is sealed."""
        return deployment.connected(created["client_id"])

    def sealed(self, deployment, sub) -> bytes:
        account = deployment.accounts.find(sub)
        assert account
        return account.free_busy_profiles[0].sealed_credential or b""

    def test_everything_of_an_application_is_sealed_under_new_keys(self, deployment, freebusy, created, person):
        client_id, before = created["client_id"], self.sealed(deployment, person)
        rotate = ("keys", "rotate", "--settling", "0", "--application", client_id)
        rotated = {"client_id": client_id, "resealed": 2, "checked": 2, "forgotten": 2, "left": []}
        assert freebusy(*rotate) == [rotated]
        vault = deployment.vault
        opened = vault.unseal(self.sealed(deployment, person), client_id=client_id, profile_id="pro")
        assert opened == CREDENTIAL
        with pytest.raises(ValueError, match="does not have"):
            vault.unseal(before, client_id=client_id, profile_id="pro")
        application = deployment.applications.find(client_id)
        assert application
        assert deployment.works(client_id, created["client_secret"])
        listed = freebusy("keys", "list", "--application", client_id)
        assert {(each["what"], each["id"], each["state"]) for each in listed} == {
            ("client secret", application.secrets[0].hint, "signs"),
            ("data key of credentials", "2", "seals"),
            ("data key of client secrets", "2", "seals"),
        }

    def test_the_keys_of_all_applications_are_listed_the_oldest_first(self, freebusy, created, person):
        listed = freebusy("keys", "list")
        assert [each["made_at"] for each in listed] == sorted(each["made_at"] for each in listed)
        own = [each["what"] for each in listed if each["client_id"] == created["client_id"]]
        assert sorted(own) == ["client secret", "data key of client secrets", "data key of credentials"]

    def test_a_secret_that_cannot_sign_says_so(self, deployment, freebusy, created):
        registry = deployment.applications
        before = registry.find(created["client_id"])
        assert before
        registry.change(before, before._replace(secrets=(replace(before.secrets[0], sealed=None),)))
        states = [each["state"] for each in freebusy("keys", "list", "--application", created["client_id"])]
        assert "cannot sign callbacks: rotate it" in states

    def test_a_rotation_that_finds_what_does_not_open_says_whose_it_is(self, deployment, refused, created, person):
        accounts = deployment.accounts
        broken = self.sealed(deployment, person)[:-1] + b"?"
        assert accounts.renew(person, "pro", sealed=broken, expires_at=NOW, version=0)
        line = refused("keys", "rotate", "--settling", "0", "--application", created["client_id"])
        assert f"{created['client_id']} (pro)" in line
        assert [key.key_id for key in deployment.vault.keys(created["client_id"])] == [1, 2]

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            pytest.param(("rotate", "--application", "unknown"), "no application unknown", id="to rotate"),
            pytest.param(("list", "--application", "unknown"), "no application unknown", id="to list"),
        ],
    )
    def test_an_unknown_application_is_told(self, refused, arguments, reason):
        assert reason in refused("keys", *arguments)

    def test_no_deployment_but_the_laptops_settles_faster(self, capsys):
        where = ["--region", "us-east-1", "--table", "table", "--key", "key"]
        assert main([*where, "keys", "rotate", "--all", "--settling", "599"]) == 2
        assert "600 seconds" in capsys.readouterr().err
