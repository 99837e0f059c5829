"""The real handler, from messages of the queue to mail that SES takes."""

from __future__ import annotations

import json
from threading import Barrier
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from freebusy.bootstrap import application_registry
from freebusy.domain.application import Application
from freebusy.domain.errors import MailRefused, MailUnavailable
from freebusy.domain.event import Delivery, InvitationDue, ManagedEvent
from freebusy.domain.identifiers import hashed
from freebusy.measures import Measure
from tests.api import Context, handler
from tests.invitations import KIM, Attendee, an_event
from tests.people import connected
from tests.records import due_record, queue_record

LEE = Attendee("lee@example.test")
MAX = Attendee("max@example.test")


class Mail:
    """Messages to the function, with SES behind it and a queue that notes what is postponed."""

    def __init__(self, wired: Any) -> None:
        self.wired = wired
        self.troubles: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.postponed: list[tuple[str, int]] = []
        self._send = wired.mailer.send

    def send(self, message: bytes, *, recipient: str, **named: Any) -> None:
        self.asked.append(recipient)
        if recipient in self.troubles:
            raise self.troubles[recipient]
        self._send(message, recipient=recipient, **named)

    def postpone(self, receipt: str, *, received: int) -> None:
        self.postponed.append((receipt, received))

    def handle(self, *records: dict[str, Any]) -> list[str]:
        """Which of them the function reports as failed."""
        answer = handler("on_invitation_due")({"Records": list(records)}, Context())
        assert set(answer) == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def received(self) -> list[str]:
        """To whom SES took mail."""
        backend = ses_backends[DEFAULT_ACCOUNT_ID]["eu-central-1"]
        return sorted(message.destinations[0] for message in backend.sent_messages)

    @property
    def event(self) -> ManagedEvent:
        event = self.wired.events.find("acc_1", "booking-7")
        assert event
        return event


@pytest.fixture
def mail(wired, monkeypatch) -> Mail:
    boto3.client("ses").verify_domain_identity(Domain="mail.example.com")
    # moto compiles its routes at the first request, and in several threads at once Python 3.11 may fail to.
    boto3.client("sesv2").list_email_identities()
    registry = application_registry(wired.dynamodb, wired.settings.table_name)
    registry.create(Application("client-1", "Acme", ("https://acme.test/cb",)))
    wired.accounts.create(connected()._replace(email=KIM.email))
    wired.events.save(an_event(attendees=(KIM, LEE, MAX)), over=None)
    mail = Mail(wired)
    monkeypatch.setattr(wired.mailer, "send", mail.send)
    monkeypatch.setattr(wired.invitation_queue, "postpone", mail.postpone)
    return mail


def record(attendee: Attendee = KIM, version: int = 1, **more: Any) -> dict[str, Any]:
    due = InvitationDue("acc_1", "booking-7", hashed(attendee.email), version)
    name = f"{attendee.email.partition('@')[0]} {version}"
    return due_record(due, message_id=name, receipt=f"receipt of {name}", **more)


def test_everybody_is_mailed(mail):
    assert mail.handle(record(KIM), record(LEE), record(MAX)) == []
    assert mail.received() == [KIM.email, LEE.email, MAX.email]


def test_a_message_that_comes_again_is_not_mailed_again(mail):
    assert mail.handle(record()) == []
    assert mail.handle(record()) == []
    assert mail.received() == [KIM.email]


def test_one_recipient_in_trouble_holds_up_nobody_else(mail):
    mail.troubles = {LEE.email: MailUnavailable("TooManyRequestsException")}
    assert mail.handle(record(KIM), record(LEE), record(MAX)) == ["lee 1"]
    assert mail.received() == [KIM.email, MAX.email]
    mail.troubles = {}
    assert mail.handle(record(LEE, received=2)) == []
    assert mail.received() == [KIM.email, LEE.email, MAX.email]


def test_behind_a_failure_its_own_group_waits_in_order_and_no_other(mail):
    mail.troubles = {LEE.email: MailUnavailable("TooManyRequestsException")}
    late = [record(LEE, 1, received=3), record(KIM, 1), record(LEE, 2), record(LEE, 3), record(MAX, 1)]
    assert mail.handle(*late) == ["lee 1", "lee 2", "lee 3"]
    assert mail.asked.count(LEE.email) == 1
    assert mail.received() == [KIM.email, MAX.email]


def test_a_group_is_hidden_as_long_as_its_first_failure(mail):
    mail.troubles = {LEE.email: MailUnavailable("TooManyRequestsException")}
    mail.handle(record(LEE, 1, received=3), record(LEE, 2), record(KIM))
    assert mail.postponed == [("receipt of lee 1", 3), ("receipt of lee 2", 3)]


def test_a_refusal_is_done_with_and_shows_on_the_event(mail):
    mail.troubles = {LEE.email: MailRefused("MessageRejected")}
    assert mail.handle(record(KIM), record(LEE)) == []
    assert [each.delivery for each in mail.event.attendees] == [
        Delivery.UNDISTURBED,
        Delivery.REFUSED,
        Delivery.UNDISTURBED,
    ]


def test_what_came_of_invitations_is_measured(mail, metrics):
    mail.troubles = {LEE.email: MailUnavailable("TooManyRequestsException"), MAX.email: MailRefused("MessageRejected")}
    poison = queue_record("{}", "group", "poison")
    mail.handle(record(KIM), record(LEE), record(MAX), poison)
    mail.handle(record(KIM))
    assert metrics(Measure.INVITATIONS) == {
        ("invited",): [1],
        ("waiting",): [1],
        ("refused",): [1],
        ("unreadable",): [1],
        ("up_to_date",): [1],
    }


def test_what_nobody_can_read_is_reported_and_holds_up_nothing(mail, logged):
    behind = record(KIM)
    poison = queue_record("{}", behind["attributes"]["MessageGroupId"], "poison", received=7)
    assert mail.handle(poison, behind, record(LEE)) == ["poison"]
    assert mail.received() == [KIM.email, LEE.email]
    assert "poison" in logged.getvalue()
    assert mail.postponed == [("receipt", 1)]  # Soon again, and so soon among the dead letters.


def test_an_error_that_nobody_expected_fails_its_message_and_repeats_nothing_in_the_log(mail, logged):
    mail.troubles = {LEE.email: RuntimeError(f"{LEE.email} is too much for me")}
    assert mail.handle(record(LEE), record(KIM)) == ["lee 1"]
    assert mail.received() == [KIM.email]
    assert "RuntimeError at test_on_invitation_due.py" in logged.getvalue()
    assert "@" not in logged.getvalue()


def test_the_log_says_what_became_of_each_by_ids_alone(mail, logged):
    mail.handle(record(KIM))
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    (line,) = (line for line in lines if line["message"] == "delivered")
    assert (line["account"], line["event"], line["outcome"]) == ("acc_1", hashed("booking-7"), "invited")
    assert not [line for line in lines if "@" in json.dumps(line) or "booking-7" in json.dumps(line)]


def test_a_message_that_cannot_be_postponed_is_reported_all_the_same(mail, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(mail.wired.invitation_queue, "postpone", fail)
    mail.troubles = {LEE.email: MailUnavailable("SendingPausedException")}
    assert mail.handle(record(LEE), record(KIM)) == ["lee 1"]


def test_groups_are_mailed_side_by_side(mail, monkeypatch):
    """Each send waits for the two others: one after another, they would wait for ever."""
    together = Barrier(3, timeout=30)
    send = mail.wired.mailer.send
    monkeypatch.setattr(mail.wired.mailer, "send", lambda *args, **named: (together.wait(), send(*args, **named)))
    assert mail.handle(record(KIM), record(LEE), record(MAX)) == []


def test_a_deleted_event_is_taken_back_only_where_it_was_sent(mail):
    mail.handle(record(KIM))
    gone = mail.event._replace(deleted=True, sequence=1, revision=2, revised_at=mail.event.revised_at + 60)
    assert mail.wired.events.save(gone, over=1)
    assert mail.handle(record(KIM, 2), record(LEE, 1), record(LEE, 2)) == []
    assert mail.received() == [KIM.email, KIM.email]


def test_an_empty_batch_is_no_error(mail):
    assert mail.handle() == []
