"""Every sample event does what it shows, and its function makes just the AWS calls that the template permits.

The handlers run on an emulated AWS with the table of the template, which checks no permissions: that is done here,
in both directions. Only the providers are stood in for.
"""

from __future__ import annotations

import pytest

from tests.template.deployment import ANSWERING, LOGICAL_ID, POLLING, ROOT, granted
from tests.template.sample_events import FRONT_END_ORIGIN, in_a_front_end, needed_by, outcome

STATUS = {
    "account": 200,
    "account_calendars": 200,
    "account_create_calendar": 403,
    "account_link_tokens": 200,
    "account_permissions": 403,
    "account_profiles": 200,
    "account_revoke_profile": 202,
    "account_revoke_profile_cronofy": 202,
    "account_userinfo": 200,
    "authorize": 302,
    "authorize_choose_provider": 200,
    "authorize_cronofy": 302,
    "authorize_front_end": 302,
    "authorize_link": 302,
    "authorize_relink": 302,
    "availability": 200,
    "availability_access_token": 200,
    "availability_colleagues": 200,
    "availability_front_end": 200,
    "availability_rules": 200,
    "availability_rules_delete": 202,
    "availability_rules_read": 200,
    "availability_rules_upsert": 200,
    "available_periods": 200,
    "available_periods_delete": 202,
    "available_periods_delete_all": 202,
    "available_periods_page": 200,
    "available_periods_upsert": 202,
    "channels": 200,
    "channels_close": 202,
    "channels_read": 200,
    "connections": 200,
    "connections_confirm": 200,
    "connections_disconnect": 303,
    "connections_disconnect_cronofy": 303,
    "connections_sign_in": 302,
    "connections_sign_out": 303,
    "connections_signed_out": 200,
    "cronofy_notifications_cronofy": 202,
    "cronofy_notifications_forged_cronofy": 401,
    "cronofy_notifications_gone_cronofy": 410,
    "docs": 200,
    "docs_openapi": 200,
    "docs_section": 200,
    "enterprise_connect": 302,
    "enterprise_connect_another_mailbox": 200,
    "enterprise_connect_answer_cronofy": 202,
    "enterprise_connect_choose_provider": 200,
    "enterprise_connect_connected": 302,
    "enterprise_connect_consent": 302,
    "enterprise_connect_cronofy": 302,
    "enterprise_connect_refused": 302,
    "enterprise_connect_setup": 200,
    "enterprise_connect_setup_leaked": 200,
    "enterprise_connect_sign_in": 302,
    "enterprise_connect_signed_in": 302,
    "enterprise_connect_signed_in_again": 302,
    "enterprise_connect_signed_in_cronofy": 302,
    "enterprise_access": 202,
    "enterprise_access_batch": 202,
    "enterprise_access_outside": 422,
    "enterprise_access_resources": 200,
    "enterprise_access_resources_cronofy": 200,
    "availability_every_option": 200,
    "availability_explain": 200,
    "availability_sequenced": 200,
    "events": 200,
    "events_batch": 207,
    "events_cronofy": 200,
    "events_delete": 202,
    "events_delete_all": 202,
    "events_delete_calendars": 202,
    "events_page": 200,
    "events_participation_status": 403,
    "events_upsert": 202,
    "events_upsert_everything": 202,
    "events_upsert_read_only_calendar": 403,
    "free_busy": 200,
    "free_busy_all_calendars": 200,
    "free_busy_calendar": 200,
    "free_busy_colleague": 200,
    "free_busy_page": 200,
    "oauth_callback": 302,
    "oauth_callback_cronofy": 302,
    "oauth_callback_link": 302,
    "oauth_callback_refused": 302,
    "oauth_callback_relink": 200,
    "oauth_callback_signed_in": 302,
    "preflight": 204,
    "token_code": 200,
    "token_front_end_code": 200,
    "token_front_end_refresh": 200,
    "token_metadata": 200,
    "token_refresh_form": 200,
    "token_revoke": 200,
    "token_revoke_cronofy": 200,
    "token_revoke_erase": 200,
}
"""What each sample event is answered with."""

REACTIONS = {
    "on_access_requested": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "kms:Decrypt"},
    "on_access_requested_again": {
        *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"),
        "kms:Decrypt",
    },
    "on_access_requested_cronofy": {
        *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"),
        *("kms:Decrypt", "sqs:SendMessage"),
    },
    "on_access_requested_room": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "kms:Decrypt"},
    "on_access_requested_unknown_mailbox": {"dynamodb:GetItem", "dynamodb:DeleteItem", "kms:Decrypt"},
    "on_access_requested_unreachable": {
        *("dynamodb:GetItem", "dynamodb:PutItem"),
        *("kms:Decrypt", "sqs:ChangeMessageVisibility"),
    },
    "on_access_requested_unreadable": {"sqs:ChangeMessageVisibility"},
    "on_channel_due": {"dynamodb:GetItem", "dynamodb:UpdateItem", "kms:Decrypt"},
    "on_channel_due_gone": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "kms:Decrypt"},
    "on_channel_due_unreachable": {
        *("dynamodb:GetItem", "dynamodb:UpdateItem"),
        *("kms:Decrypt", "sqs:ChangeMessageVisibility"),
    },
    "on_channel_due_unreadable": {"sqs:ChangeMessageVisibility"},
    "on_erasure_requested": {
        *("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:DeleteItem"),
        "sqs:ChangeMessageVisibility",
    },
    "on_erasure_requested_again": {"dynamodb:GetItem", "dynamodb:Query"},
    "on_erasure_requested_colleague": {
        *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:DeleteItem"),
        "sqs:ChangeMessageVisibility",
    },
    "on_erasure_requested_cronofy": {
        *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:DeleteItem"),
        *("kms:Decrypt", "sqs:ChangeMessageVisibility"),
    },
    "on_erasure_requested_organization": {
        *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:Query"),
        *("sqs:SendMessage", "sqs:ChangeMessageVisibility"),
    },
    "on_erasure_requested_unreadable": {"sqs:ChangeMessageVisibility"},
    "on_event_changed": {"sqs:SendMessage"},
    "on_event_changed_answered": {"dynamodb:Query", "dynamodb:UpdateItem"},
    "on_event_changed_channel": {"sqs:SendMessage"},
    "on_event_changed_disconnected": {"dynamodb:Query", "dynamodb:UpdateItem"},
    "on_event_changed_unreadable": {"sqs:SendMessage"},
    "on_event_changed_upstream": {"sqs:SendMessage"},
    "on_invitation_due": {"dynamodb:GetItem", "dynamodb:PutItem", "ses:SendEmail", "ses:SendRawEmail"},
    "on_invitation_due_cronofy": {
        *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"),
        "kms:Decrypt",
    },
    "on_invitation_due_unreadable": {"sqs:ChangeMessageVisibility"},
    "on_mail_received": {"dynamodb:GetItem", "s3:GetObject", "dynamodb:PutItem"},
    "on_mail_received_bounce": {"dynamodb:GetItem", "dynamodb:PutItem"},
    "on_mail_received_spoofed": set[str](),
    "on_upstream_due_change_cronofy": {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:Query"},
    "on_upstream_due_closed_cronofy": {
        *("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"),
        "kms:Decrypt",
    },
    "on_upstream_due_cronofy": {
        *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"),
        "kms:Decrypt",
    },
    "on_upstream_due_unreadable": {"sqs:ChangeMessageVisibility"},
}
"""Sample events that nobody waits for an answer to: what comes of each, by the permissions that it takes."""

FAILURES = {
    "on_access_requested_unreachable": ["0b0f4a3e-6a55-4c39-9f2b-0d3a5f0e7c05"],
    "on_access_requested_unreadable": ["0b0f4a3e-6a55-4c39-9f2b-0d3a5f0e7c06"],
    "on_channel_due_unreachable": ["4f1c2d7e-8b3a-4e51-9d60-1a2b3c4d5e03"],
    "on_channel_due_unreadable": ["4f1c2d7e-8b3a-4e51-9d60-1a2b3c4d5e04"],
    "on_erasure_requested": ["5d1f0a7c-2b7e-4e0b-9a51-6f1c2e8d3b01"],
    "on_erasure_requested_colleague": ["5d1f0a7c-2b7e-4e0b-9a51-6f1c2e8d3b03"],
    "on_erasure_requested_cronofy": ["5d1f0a7c-2b7e-4e0b-9a51-6f1c2e8d3b04"],
    "on_erasure_requested_organization": ["5d1f0a7c-2b7e-4e0b-9a51-6f1c2e8d3b06"],
    "on_erasure_requested_unreadable": ["5d1f0a7c-2b7e-4e0b-9a51-6f1c2e8d3b05"],
    "on_invitation_due_unreadable": ["9c2f0d8b-5a0e-4b57-8f0f-3f4f5b2a7d11"],
    "on_upstream_due_unreadable": ["7c9e6679-7425-40de-944b-e07fc1f90204"],
}
"""Which records of a sample come again; where none are named, none do."""

PAGES = {"authorize", "connections", "docs", "enterprise_connect", "oauth_callback"}
NOT_FOR_FRONT_ENDS = PAGES | {"cronofy_notifications"}


def test_every_sample_event_is_tried():
    assert {path.stem for path in (ROOT / "events").glob("*.json")} == {*STATUS, *REACTIONS}


@pytest.mark.parametrize("name", STATUS)
def test_a_sample_event_does_what_it_shows(name):
    assert outcome(name).answer["statusCode"] == STATUS[name], outcome(name).answer


@pytest.mark.parametrize("name", REACTIONS)
def test_a_sample_of_records_is_done_with_and_does_what_it_shows(name):
    failures = [{"itemIdentifier": identifier} for identifier in FAILURES.get(name, [])]
    assert outcome(name).answer == {"batchItemFailures": failures}
    assert outcome(name).actions == REACTIONS[name]


@pytest.mark.parametrize("name", [*STATUS, *REACTIONS])
def test_a_function_may_make_the_calls_that_it_makes(name):
    assert outcome(name).needed <= granted(outcome(name).function)


@pytest.mark.parametrize("function", sorted(set(ANSWERING) - NOT_FOR_FRONT_ENDS))
def test_a_function_may_look_up_whose_front_end_asks(function):
    assert in_a_front_end(function).answer["headers"]["Access-Control-Allow-Origin"] == FRONT_END_ORIGIN
    assert in_a_front_end(function).needed <= granted(function)


@pytest.mark.parametrize("function", sorted(NOT_FOR_FRONT_ENDS))
def test_pages_for_people_and_what_cronofy_posts_are_no_front_ends_business(function):
    assert "Access-Control-Allow-Origin" not in in_a_front_end(function).answer["headers"]


@pytest.mark.parametrize("function", LOGICAL_ID)
def test_a_function_may_do_nothing_that_it_never_does(function):
    """Here the providers are stood in for, so nobody asks for their secrets: tests/e2e/test_least_privilege.py does."""
    unused = granted(function) - needed_by(function)
    assert {action for action, _ in unused} - POLLING <= {"secretsmanager:GetSecretValue"}
