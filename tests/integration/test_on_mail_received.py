"""functions/on_mail_received: what SES says about mail, brought by its queue, over real stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import boto3
import pytest

from freebusy.bootstrap import Dependencies, dependencies
from freebusy.domain.event import Delivery, ManagedEvent, Participation, Proposal
from freebusy.domain.identifiers import hashed
from freebusy.measures import Measure
from freebusy.settings import settings
from tests.api import Context, handler
from tests.invitations import KIM, MAIL_DOMAIN, an_event, at
from tests.replies import ORGANIZER, mail, received, sent

BUCKET = "inbound"


@pytest.fixture
def stored(wired: Dependencies, monkeypatch: pytest.MonkeyPatch) -> Callable[[], ManagedEvent]:
    """A deployment that receives mail and has one event; what is stored of the event."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    monkeypatch.setenv("INBOUND_BUCKET", BUCKET)
    monkeypatch.setenv("MAIL_DOMAIN", MAIL_DOMAIN)
    monkeypatch.setattr(Dependencies, "clock", lambda _: at("2029-12-02T09:16"))
    settings.cache_clear()
    dependencies.cache_clear()
    event = an_event()
    assert wired.events.save(event._replace(updated_at=event.created_at), over=None)

    def now_stored() -> ManagedEvent:
        found = dependencies().events.find(event.sub, event.event_id)
        assert found
        return found

    return now_stored


def put(name: str, raw: bytes | None = None) -> str:
    boto3.client("s3").put_object(Bucket=BUCKET, Key=name, Body=mail(name) if raw is None else raw)
    return name


def bring(*bodies: str) -> list[str]:
    """The numbers of the messages that have to come again."""
    numbers = count()
    records = [{"messageId": f"message-{next(numbers)}", "body": body, "eventSource": "aws:sqs"} for body in bodies]
    result: dict[str, Any] = handler("on_mail_received")({"Records": records}, Context())
    return [failure["itemIdentifier"] for failure in result["batchItemFailures"]]


@pytest.mark.parametrize(
    ("name", "participation", "proposal"),
    [
        ("gmail_accepted", Participation.ACCEPTED, None),
        ("outlook_declined_with_note", Participation.DECLINED, None),
        ("apple_tentative", Participation.TENTATIVE, None),
        ("gmail_new_time", Participation.TENTATIVE, Proposal(at("2030-01-08T09:00"), at("2030-01-08T09:30"))),
        ("outlook_new_time", Participation.TENTATIVE, Proposal(at("2030-07-08T07:00"), at("2030-07-08T07:30"))),
    ],
)
def test_an_answer_ends_up_on_the_event(stored, name, participation, proposal):
    before = stored()
    assert bring(received(put(name))) == []
    after = stored()
    assert (after.person.participation, after.person.proposal) == (participation, proposal)
    assert (after.version, after.revision) == (before.version + 1, before.revision)


def test_a_batch_counts_what_it_can_and_names_what_must_come_again(stored):
    assert bring(received("not-there-yet"), received(put("gmail_accepted")), "no JSON") == ["message-0"]
    assert stored().person.participation is Participation.ACCEPTED


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("Successfully validated SNS topic for Amazon SES event publishing.", id="what SES says at first"),
        pytest.param("null", id="null"),
        pytest.param("[" * 100_000, id="nested"),
        pytest.param("{}", id="empty"),
        pytest.param(json.dumps({"notificationType": "Received", "receipt": {"action": {"type": "S3"}}}), id="cut off"),
        pytest.param(received(spam="MAYBE"), id="a verdict nobody knows"),
        pytest.param(received(recipients=(f"{'x' * 3000}@{MAIL_DOMAIN}",)), id="a recipient longer than a key"),
        pytest.param(received(dmarc="FAIL"), id="spoofed"),
        pytest.param(received(virus="FAIL"), id="a virus"),
        pytest.param(sent("Delivery", hashed(KIM.email)), id="delivered"),
        pytest.param(sent("Bounce", hashed(KIM.email), bounceType="Transient"), id="a transient bounce"),
        pytest.param(json.dumps({"eventType": "Bounce", "mail": {"tags": {}}}), id="a bounce of somebody else's mail"),
    ],
)
def test_what_cannot_be_counted_is_done_with_and_changes_nothing(stored, body):
    before = stored()
    put("mail-1", mail("gmail_accepted"))
    assert bring(body) == []
    assert stored() == before


@pytest.mark.parametrize(
    "name", ["bounce", "out_of_office", "forwarded", "zipped", "truncated", "request_sent_back", "apple_one_occurrence"]
)
def test_mail_that_is_no_answer_is_done_with_and_changes_nothing(stored, name):
    before = stored()
    assert bring(received(put(name))) == []
    assert stored() == before


def test_mail_that_came_in_and_what_ses_reports_is_measured(stored, metrics):
    assert stored()
    bounce = sent("Bounce", hashed(KIM.email), bounceType="Permanent", bounceSubType="General")
    bring(received("not-there-yet"), received(put("gmail_accepted")), "no JSON")
    assert metrics(Measure.MAIL_RECEIVED) == {("waiting",): [1], ("counted",): [1], ("ignored",): [1]}
    bring(bounce)
    assert metrics(Measure.INVITATIONS) == {("bounced",): [1]}


def test_mail_that_is_larger_than_any_answer_is_done_with(stored):
    assert bring(received(put("large", b"x" * (3 << 20)))) == []
    assert stored().person == KIM


@pytest.mark.parametrize(
    ("kind", "details", "delivery"),
    [
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "General"}, Delivery.BOUNCED),
        ("Complaint", {"complaintFeedbackType": "abuse"}, Delivery.COMPLAINED),
        ("Reject", {"reason": "Bad content"}, Delivery.REFUSED),
    ],
)
def test_what_ses_reports_for_good_is_noted(stored, kind, details, delivery):
    assert bring(sent(kind, hashed(KIM.email), **details)) == []
    assert stored().person.delivery is delivery


def test_storage_that_does_not_answer_is_tried_again(stored, monkeypatch):
    put("gmail_accepted")
    monkeypatch.setenv("TABLE_NAME", "gone")
    settings.cache_clear()
    dependencies.cache_clear()
    assert bring(received("gmail_accepted")) == ["message-0"]


def test_logs_name_no_person_and_repeat_no_mail(stored, logged):
    assert stored()
    bring(received(put("gmail_declined_with_note")), received("not-there"), received(put("bounce")))
    lines = logged.getvalue().splitlines()
    assert len(lines) == 3
    assert not [line for line in lines if "@" in line or ORGANIZER in line or "away" in line]
