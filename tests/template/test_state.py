"""What must outlive a mistake, what must expire, and what must not be seen."""

import re
import subprocess

import pytest
from cfnlint.decode import decode

from tests.template.deployment import RESOURCES, ROOT, TEMPLATE, of_type

TABLE = RESOURCES["Table"]["Properties"]


@pytest.mark.parametrize("name", ["Table", "CredentialKey"])
def test_state_survives_the_deletion_of_the_stack(name):
    assert (RESOURCES[name]["DeletionPolicy"], RESOURCES[name]["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_table_can_be_restored_and_not_be_deleted_by_accident():
    assert TABLE["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": {"Ref": "RecoveryDays"},
    }
    assert TABLE["DeletionProtectionEnabled"] is True


def test_the_table_costs_what_is_used():
    assert TABLE["BillingMode"] == "PAY_PER_REQUEST"


def test_the_table_has_the_keys_that_the_adapters_use():
    assert {key["KeyType"]: key["AttributeName"] for key in TABLE["KeySchema"]} == {"HASH": "pk", "RANGE": "sk"}
    assert TABLE["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    indexes = {index["IndexName"]: index for index in TABLE["GlobalSecondaryIndexes"]}
    assert set(indexes) == {"by_application", "by_account"}
    for name, attribute in (("by_application", "application"), ("by_account", "sub")):
        schema = {key["KeyType"]: key["AttributeName"] for key in indexes[name]["KeySchema"]}
        assert schema == {"HASH": attribute, "RANGE": "pk"}
        assert indexes[name]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    (index,) = TABLE["LocalSecondaryIndexes"]
    assert index["IndexName"] == "by_end"
    assert {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]} == {"HASH": "pk", "RANGE": "ends_at"}
    assert index["Projection"] == {"ProjectionType": "ALL"}


def test_changes_of_the_table_can_be_followed():
    assert TABLE["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_what_survives_a_stack_is_cut_out_of_the_template_as_it_says_there(tmp_path):
    """docs/operate.md, "After the stack was deleted": the command is run as it is written."""
    guide = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    (command,) = (each for each in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) if "> survivors.yaml" in each)
    (tmp_path / "template.yaml").write_bytes((ROOT / "template.yaml").read_bytes())
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
    cut, problems = decode(str(tmp_path / "survivors.yaml"))
    assert not problems
    assert cut["Resources"] == {name: RESOURCES[name] for name in ("CredentialKey", "Table")}
    referred = set(re.findall(r"'Ref': '(\w+)'", str(cut)))
    assert referred == set(cut["Parameters"])
    for name, parameter in cut["Parameters"].items():
        assert parameter.items() <= TEMPLATE["Parameters"][name].items()


def test_the_key_rotates_and_answers_to_this_account_alone():
    properties = RESOURCES["CredentialKey"]["Properties"]
    assert properties["EnableKeyRotation"] is True
    (statement,) = properties["KeyPolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}


def test_secrets_are_created_empty_so_that_none_shows_in_the_stack():
    secrets = of_type("AWS::SecretsManager::Secret")
    assert set(secrets) == {
        "CronofyRegistration",
        "GoogleRegistration",
        "GoogleServiceAccount",
        "MicrosoftRegistration",
    }
    for secret in secrets.values():
        assert set(secret["Properties"]) == {"Description"}


def test_no_parameter_asks_for_a_secret():
    assert not [name for name in TEMPLATE["Parameters"] if re.search("secret|password|token", name, re.IGNORECASE)]


@pytest.mark.parametrize("name", sorted(TEMPLATE["Parameters"]))
def test_a_parameter_is_described_and_cannot_be_just_anything(name):
    parameter = TEMPLATE["Parameters"][name]
    assert parameter["Description"].endswith(".")
    assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter)
    assert "Default" in parameter


def test_every_log_group_forgets():
    groups = of_type("AWS::Logs::LogGroup")
    assert groups
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_the_log_knows_longer_who_was_erased_than_they_can_be_brought_back():
    assert TEMPLATE["Parameters"]["LogRetentionDays"]["Default"] > TEMPLATE["Parameters"]["RecoveryDays"]["MaxValue"]


def test_functions_log_to_a_group_of_the_template():
    logging = TEMPLATE["Globals"]["Function"]["LoggingConfig"]
    assert logging["LogGroup"]["Ref"] in of_type("AWS::Logs::LogGroup")
    assert logging["LogFormat"] == "JSON"


class TestHttpApi:
    PROPERTIES = RESOURCES["HttpApi"]["Properties"]

    def test_leaves_cors_to_the_functions_which_know_the_applications(self):
        assert "CorsConfiguration" not in self.PROPERTIES

    def test_has_no_path_prefix(self):
        assert "StageName" not in self.PROPERTIES

    def test_is_throttled(self):
        settings = self.PROPERTIES["DefaultRouteSettings"]
        assert settings["ThrottlingRateLimit"] == {"Ref": "RequestsPerSecond"}
        assert settings["ThrottlingBurstLimit"] == {"Ref": "RequestBurst"}

    def test_is_reached_by_its_own_domain_alone_once_there_is_one(self):
        assert self.PROPERTIES["DisableExecuteApiEndpoint"] == {"Fn::If": ["HasOwnDomain", True, False]}

    def test_logs_nothing_that_identifies_a_person_or_opens_anything(self):
        logged = set(re.findall(r"\$context\.([\w.]+)", self.PROPERTIES["AccessLogSettings"]["Format"]))
        assert logged == {
            "requestId",
            "requestTime",
            "routeKey",
            "status",
            "error.responseType",
            "responseLength",
            "responseLatency",
            "integrationLatency",
        }


def test_functions_give_up_before_the_gateway_does():
    timeouts = [TEMPLATE["Globals"]["Function"]["Timeout"]] + [
        function["Properties"]["Timeout"]
        for function in of_type("AWS::Serverless::Function").values()
        if "Timeout" in function["Properties"]
    ]
    assert max(timeouts) < 30


def test_the_command_line_finds_the_table_among_the_outputs():
    assert TEMPLATE["Outputs"]["TableName"]["Value"] == {"Ref": "Table"}
