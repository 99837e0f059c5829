"""``freebusy invitations``: what was lost is delivered again."""

from __future__ import annotations

import json

import pytest

from freebusy.adapters.dynamodb.events import DynamoEvents, DynamoInvitationLog
from freebusy.domain.event import Attendee, SentMark
from freebusy.entrypoints.cli import main
from freebusy.service.due_invitations import recipient_of
from local.emulator import client
from tests.invitations import KIM, an_event

pytestmark = pytest.mark.emulator


class TestRedelivery:
    def test_queues_what_attendees_were_never_sent(self, freebusy, deployment, created):
        """Of two attendees one was mailed the event before the other's record was lost."""
        events, log = (store(deployment.dynamodb, deployment.table) for store in (DynamoEvents, DynamoInvitationLog))
        sub = deployment.connected(created["client_id"])
        event = an_event(attendees=(KIM, Attendee("lee@example.test")))._replace(sub=sub)
        events.save(event, over=None)
        log.mark(event, recipient_of(KIM.email), SentMark(1, cancelled=False, version=1))
        assert freebusy("invitations", "redeliver", sub)["queued"] == 1
        sqs = client("sqs", deployment.endpoint)
        (message,) = sqs.receive_message(QueueUrl=deployment.queue, MaxNumberOfMessages=10)["Messages"]
        due = {
            "sub": event.sub,
            "event_id": event.event_id,
            "recipient": recipient_of("lee@example.test"),
            "version": 1,
        }
        assert json.loads(message["Body"]) == due

    def test_of_somebody_unknown_there_is_nothing_to_deliver(self, refused, deployment, created):
        sub, unknown = deployment.connected(created["client_id"]), "acc_000000000000000000000000"
        assert f"no account {unknown}: nothing was queued" in refused("invitations", "redeliver", sub, unknown)

    def test_needs_the_stack_which_names_the_queue(self, deployment, capsys):
        assert (
            main(["--region", "us-east-1", "--table", deployment.table, "invitations", "redeliver", f"acc_{0:024}"])
            == 2
        )
        assert "--stack" in capsys.readouterr().err
