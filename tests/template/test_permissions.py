"""Least privilege: what a function may do at all. test_sample_events.py compares it with what it does."""

import re

import pytest

from freebusy.adapters.vault import KmsSecretVault, KmsVault
from tests.template.deployment import LOGICAL_ID, RESOURCES, ROOT, actions, as_list, of_type, resources_of, statements

MEET_PEOPLE = {"authorize", "oauth_callback", "connections", "free_busy", "availability", "enterprise_connect"}
MEET_CRONOFY = {"authorize", "oauth_callback", "connections", "free_busy", "availability"} | {
    *("token", "account", "events", "on_invitation_due", "on_erasure_requested"),
    *("enterprise_connect", "enterprise_access", "on_access_requested", "on_upstream_due", "cronofy_notifications"),
}
READ_ORGANIZATIONS = {"enterprise_connect", "free_busy", "availability", "enterprise_access", "on_access_requested"}
MEET_PROVIDERS = MEET_PEOPLE | READ_ORGANIZATIONS
FIND_EVENTS = {"free_busy", "availability", "events", "on_upstream_due"}
TABLE, EVENTS_BY_END = {"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::Sub": "${Table.Arn}/index/by_end"}
WHAT_IS_THEIRS = [{"Fn::Sub": f"${{Table.Arn}}/index/{index}"} for index in ("by_account", "by_application")]
CHANGES = {"Fn::GetAtt": ["Table", "StreamArn"]}
OPENS = {
    **{function: {KmsVault.purpose} for function in MEET_CRONOFY - {"authorize", "cronofy_notifications"}},
    "on_access_requested": {KmsSecretVault.purpose, KmsVault.purpose},
    "on_channel_due": {KmsSecretVault.purpose},
}
"""What a function may open data keys for: credentials to read calendars with, or secrets to sign callbacks with. Both
are for who asks Cronofy for a mailbox and tells the application what came of it.
"""


def variables(function: str) -> set[str]:
    return set(RESOURCES[LOGICAL_ID[function]]["Properties"].get("Environment", {}).get("Variables", {}))


@pytest.mark.parametrize("function", LOGICAL_ID)
class TestFunction:
    def test_is_granted_actions_by_name(self, function):
        assert all(re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action) for action in actions(function))

    def test_is_granted_resources_of_this_stack_alone(self, function):
        for statement in statements(function):
            assert statement["Effect"] == "Allow"
            named = {name for name, _ in resources_of(statement["Resource"])}
            assert named
            assert named <= set(RESOURCES)

    def test_never_scans(self, function):
        assert not {action for action in actions(function) if "Scan" in action or "PartiQL" in action}

    def test_reads_no_index_of_all_that_belongs_to_somebody_but_to_erase_them(self, function):
        erases = function == "on_erasure_requested"
        for statement in statements(function):
            if as_list(statement["Action"])[0].startswith("dynamodb:"):
                allowed = (TABLE, EVENTS_BY_END, CHANGES, *([WHAT_IS_THEIRS] if erases else ()))
                assert statement["Resource"] in allowed

    def test_looks_up_nothing_but_events_by_their_end(self, function):
        """An index is a resource of its own to IAM."""
        by_end = [statement["Action"] for statement in statements(function) if statement["Resource"] == EVENTS_BY_END]
        assert by_end == ["dynamodb:Query"] * (function in FIND_EVENTS)

    def test_knows_our_oauth_clients_only_if_it_meets_people_who_sign_in(self, function):
        """Microsoft's reads for organizations too; Google has a service account for that."""
        names = {"GOOGLE_SECRET_ID", "MICROSOFT_SECRET_ID", "MICROSOFT_TENANT"}
        organizations = {"MICROSOFT_SECRET_ID"} if function in READ_ORGANIZATIONS else set()
        assert variables(function) & names == (names if function in MEET_PEOPLE else organizations)

    def test_reads_provider_secrets_only_if_it_meets_providers(self, function):
        assert ("secretsmanager:GetSecretValue" in actions(function)) == (function in MEET_PROVIDERS | MEET_CRONOFY)
        assert ("CRONOFY_SECRET_ID" in variables(function)) == (function in MEET_CRONOFY)

    def test_reads_the_client_at_cronofy_alone_where_it_meets_nobody_else(self, function):
        if function in MEET_CRONOFY - MEET_PROVIDERS:
            secrets = [each for each in statements(function) if each["Action"] == "secretsmanager:GetSecretValue"]
            assert [each["Resource"] for each in secrets] == [{"Ref": "CronofyRegistration"}]

    def test_does_what_is_for_cronofy_alone_only_where_cronofy_is_offered(self, function):
        for policy in RESOURCES[LOGICAL_ID[function]]["Properties"].get("Policies", []):
            needs = policy.get("Ref") if "Ref" in policy else None
            if function in MEET_CRONOFY - MEET_PROVIDERS - {"token"}:
                assert needs not in {"TalkToCronofy", "OpenCredentials"}

    def test_opens_data_keys_only_if_it_handles_what_they_seal(self, function):
        assert ("kms:Decrypt" in actions(function)) == (function in OPENS)
        assert ("CREDENTIAL_KEY_ID" in variables(function)) == (function in OPENS)

    def test_speaks_for_organizations_only_if_it_reads_them(self, function):
        """Whoever has this key can be anybody of every organization at Google that let us in."""
        key = {"Ref": "GoogleServiceAccount"}
        reads_it = [statement for statement in statements(function) if statement["Resource"] == key]
        assert bool(reads_it) == (function in READ_ORGANIZATIONS)
        assert ("GOOGLE_SERVICE_ACCOUNT_SECRET_ID" in variables(function)) == (function in READ_ORGANIZATIONS)

    def test_uses_the_key_for_its_purposes_alone(self, function):
        """KMS compares the encryption context, so that a wrapped key of the other kind cannot be opened."""
        for statement in statements(function):
            if any(action.startswith("kms:") for action in as_list(statement["Action"])):
                purposes = [{"kms:EncryptionContext:purpose": purpose} for purpose in OPENS[function]]
                assert statement["Condition"]["StringEquals"] in purposes

    def test_has_no_role_that_is_written_elsewhere(self, function):
        assert "Role" not in RESOURCES[LOGICAL_ID[function]]["Properties"]


def test_only_the_functions_that_connect_calendars_make_data_keys():
    makers = {name for name in LOGICAL_ID if "kms:GenerateDataKey" in actions(name)}
    assert makers == {"enterprise_connect", "oauth_callback"}


def test_what_organizations_are_connected_with_is_deployed_only_where_they_can_be():
    assert RESOURCES["EnterpriseConnectFunction"]["Condition"] == "OffersEnterprise"


def test_nobody_makes_data_keys_for_client_secrets_but_the_operator():
    """With the command line, by permissions of their own."""
    makers = [name for name in LOGICAL_ID if "kms:GenerateDataKey" in actions(name)]
    assert not any(KmsSecretVault.purpose in OPENS[name] for name in makers)


@pytest.mark.parametrize("variable", ["CALLBACKS_MAY_BE_LOCAL", "GOOGLE_ORIGIN", "MICROSOFT_ORIGIN"])
def test_nothing_that_loosens_a_rule_on_the_laptop_can_be_deployed(variable):
    assert variable in (ROOT / "layers/core/freebusy/settings.py").read_text(encoding="utf-8")
    assert variable not in (ROOT / "template.yaml").read_text(encoding="utf-8")


def test_a_function_that_only_reads_cannot_write():
    assert actions("preflight") <= {"dynamodb:GetItem", "dynamodb:Query"}


def test_what_anybody_may_post_to_writes_nothing_and_opens_nothing():
    """Before the signature was compared, it reads the secret alone."""
    does = {"dynamodb:GetItem", "sqs:SendMessage", "secretsmanager:GetSecretValue"}
    assert actions("cronofy_notifications") == does


def test_only_the_function_that_invites_sends_mail():
    """All its mail is MIME, for which SES asks for SendRawEmail of the domain and of the configuration set."""
    sending = {name: {action for action in actions(name) if action.startswith("ses:")} for name in LOGICAL_ID}
    assert {name: may for name, may in sending.items() if may} == {
        "on_invitation_due": {"ses:SendEmail", "ses:SendRawEmail"}
    }


def test_a_shared_policy_is_attached_to_functions_alone():
    for policy in of_type("AWS::IAM::ManagedPolicy").values():
        assert not {"Users", "Groups", "Roles"} & set(policy["Properties"])
