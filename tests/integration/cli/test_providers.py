"""``freebusy providers``: our secrets at the providers are replaced, and come back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from local.emulator import client

pytestmark = pytest.mark.emulator


class TestProviders:
    @pytest.fixture
    def held(self, deployment, freebusy) -> Callable[[], Any]:
        """What functions would read now; to begin with, a client with the secret ``first``."""
        secrets_manager = client("secretsmanager", deployment.endpoint)
        cloudformation = client("cloudformation", deployment.endpoint)
        resource = cloudformation.describe_stack_resource(StackName=deployment.stack, LogicalResourceId="Google")
        secret_id = resource["StackResourceDetail"]["PhysicalResourceId"]
        registration = json.dumps({"client_id": uuid4().hex, "client_secret": "first"})
        secrets_manager.put_secret_value(SecretId=secret_id, SecretString=registration)
        return lambda: json.loads(secrets_manager.get_secret_value(SecretId=secret_id)["SecretString"])

    ROTATE = ("providers", "rotate", "google")

    def test_a_new_secret_is_used_and_the_one_before_comes_back(self, freebusy, refused, held):
        client_id = held()["client_id"]
        answer = freebusy(*self.ROTATE, "--untried", given="second\n")
        assert (answer["client_id"], answer["replaced"]) == (client_id, [client_id])
        assert held() == {"client_id": client_id, "client_secret": "second"}
        freebusy(*self.ROTATE, "--back", "--untried")
        assert held()["client_secret"] == "first"
        freebusy(*self.ROTATE, "--back", "--untried")
        assert held()["client_secret"] == "second"

    def test_it_is_read_from_a_file_too(self, freebusy, refused, held, tmp_path):
        file = tmp_path / "google.json"
        file.write_text(json.dumps({**held(), "client_secret": "from the file"}), encoding="utf-8")
        freebusy(*self.ROTATE, "--untried", "--file", str(file))
        assert held()["client_secret"] == "from the file"
        assert "cannot be read" in refused(*self.ROTATE, "--file", str(tmp_path / "none.json"))
        file.write_bytes(b"\xff")
        assert "cannot be read" in refused(*self.ROTATE, "--file", str(file))

    def test_neither_answer_nor_refusal_shows_a_secret(self, freebusy, refused, held):
        assert "hush" not in json.dumps(freebusy(*self.ROTATE, "--untried", given="hush"))
        assert "hush" not in refused(*self.ROTATE, "--untried", given='{"client_secret": "hush"}')
        assert held()["client_secret"] == "hush"

    def test_microsoft_is_tried_out_in_the_tenant_of_the_registration(self, refused):
        given = '{"client_id": "id", "client_secret": "secret"}'
        line = refused("providers", "rotate", "microsoft", given=given)
        assert "nothing was changed" in line
        assert "tenant" in line

    def test_secrets_are_listed_by_when_they_were_made(self, freebusy, held):
        freebusy(*self.ROTATE, "--untried", given=uuid4().hex)
        google, microsoft = freebusy("providers", "list")
        assert (microsoft["provider"], microsoft["one_before"]) == ("microsoft", "-")
        assert google["made_at"] >= google["one_before"] > "2026"

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param(("google", "--back", "--file", "new.json"), id="a new secret, and the one before"),
            pytest.param(("google", "--back", "--another-client"), id="the one before is what it is"),
            pytest.param(("google", "--tenant", "example.com"), id="tenants are Microsoft's"),
            pytest.param(("microsoft", "--forget-replaced"), id="nothing that is sent is signed with it"),
        ],
    )
    def test_an_option_that_would_do_nothing_is_refused(self, refused, options):
        assert refused("providers", "rotate", *options).count("--") >= 1

    def test_a_provider_that_is_not_offered_is_told(self, refused):
        assert "no secret for cronofy" in refused("providers", "rotate", "cronofy")
