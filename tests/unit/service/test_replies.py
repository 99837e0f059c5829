"""Mail that comes in, from the notification to the stored event."""

from __future__ import annotations

import pytest

from freebusy.domain.errors import MailIgnored, StorageUnavailable
from freebusy.domain.event import Delivery, ManagedEvent, Participation
from freebusy.domain.identifiers import hashed
from freebusy.domain.reply import Ignored, Receipt, Report, Verdict
from freebusy.service.replies import count_answer, note_delivery
from tests.fakes.events import FakeEvents
from tests.invitations import KIM, MAIL_DOMAIN, an_event
from tests.replies import ORGANIZER, STAMP, FakeMailbox, mail, receipt

NOW = STAMP + 60


def count(receipt: Receipt, events: FakeEvents, mailbox: FakeMailbox) -> ManagedEvent:
    return count_answer(receipt, mail_domain=MAIL_DOMAIN, mailbox=mailbox, events=events, now=NOW)


def why_ignored(receipt: Receipt, events: FakeEvents, mailbox: FakeMailbox) -> str:
    with pytest.raises(MailIgnored) as caught:
        count(receipt, events, mailbox)
    return caught.value.reason


@pytest.fixture
def events() -> FakeEvents:
    return FakeEvents(an_event())


def stored(events: FakeEvents) -> ManagedEvent:
    event = events.find_by_organizer(ORGANIZER)
    assert event
    return event


@pytest.fixture
def accepted() -> FakeMailbox:
    return FakeMailbox(**{"mail-1": mail("gmail_accepted")})


def test_an_answer_is_stored_as_one_more_version_of_the_same_revision(events, accepted):
    before = stored(events)
    count(receipt(), events, accepted)
    after = stored(events)
    assert after.person.participation is Participation.ACCEPTED
    assert (after.version, after.revision, after.updated_at) == (before.version + 1, before.revision, NOW)


def test_the_same_notification_again_writes_nothing(events, accepted):
    count(receipt(), events, accepted)
    version = stored(events).version
    assert why_ignored(receipt(), events, accepted) == Ignored.OLDER_ANSWER
    assert stored(events).version == version


def test_a_declined_event_is_no_longer_busy(events):
    count(receipt(), events, FakeMailbox(**{"mail-1": mail("outlook_declined_with_note")}))
    assert not stored(events).counts_as_busy


@pytest.mark.parametrize(
    "recipients",
    [
        pytest.param((f"{ORGANIZER.upper()}@{MAIL_DOMAIN.upper()}",), id="in capitals"),
        pytest.param((f"unknown@{MAIL_DOMAIN}", f"{ORGANIZER}@{MAIL_DOMAIN}"), id="among others"),
    ],
)
def test_the_event_is_found_by_whom_the_mail_was_delivered_to(events, accepted, recipients):
    assert count(receipt(*recipients), events, accepted).person.participation is Participation.ACCEPTED


@pytest.mark.parametrize(
    "recipients",
    [
        pytest.param((f"unknown@{MAIL_DOMAIN}",), id="an address nobody was given, whatever the To header says"),
        pytest.param((f"{ORGANIZER}@elsewhere.test",), id="another domain"),
        pytest.param((f"{ORGANIZER}@sub.{MAIL_DOMAIN}",), id="a domain below"),
        pytest.param((ORGANIZER,), id="no domain"),
        pytest.param((f"@{MAIL_DOMAIN}",), id="nobody"),
        pytest.param((f"{'x' * 3000}@{MAIL_DOMAIN}",), id="longer than a key may be"),
    ],
)
def test_mail_that_is_to_none_of_our_events_is_never_read(events, accepted, recipients):
    assert why_ignored(receipt(*recipients), events, accepted) == Ignored.UNKNOWN_RECIPIENT
    assert accepted.reads == []


def test_mail_that_ses_fails_is_never_read(events, accepted):
    assert why_ignored(receipt(dmarc=Verdict.FAIL), events, accepted) == Ignored.NOT_AUTHENTIC
    assert accepted.reads == []


def test_mail_in_somebody_s_name_that_nobody_vouches_for_changes_nothing(events, accepted):
    grey = {"dmarc": Verdict.GRAY, "dkim": Verdict.GRAY, "envelope_sender": "mallory@elsewhere.test"}
    assert why_ignored(receipt(**grey), events, accepted) == Ignored.NOT_AUTHENTIC
    assert stored(events).person == KIM


def test_an_answer_about_another_event_than_it_was_sent_to_changes_neither(accepted):
    other = an_event(event_id="booking-8", uid="evt_other", organizer="other0organizer")
    events = FakeEvents(an_event(), other)
    assert why_ignored(receipt(f"other0organizer@{MAIL_DOMAIN}"), events, accepted) == Ignored.OTHER_EVENT
    assert stored(events).person == KIM


def test_mail_that_is_not_there_is_tried_again(events):
    with pytest.raises(StorageUnavailable):
        count(receipt(), events, FakeMailbox())


class BusyEvents(FakeEvents):
    """Somebody else is in time ``late`` times."""

    def __init__(self, late: int) -> None:
        super().__init__(an_event())
        self._late = late

    def save(self, event: ManagedEvent, *, over: int | None) -> bool:
        if over is not None and self._late:
            self._late -= 1
            meanwhile = stored(self)
            assert super().save(meanwhile._replace(revision=meanwhile.revision + 1), over=meanwhile.version)
        return super().save(event, over=over)


def test_who_is_late_starts_over_and_loses_nothing(accepted):
    events = BusyEvents(late=3)
    count(receipt(), events, accepted)
    assert (stored(events).person.participation, stored(events).revision) == (Participation.ACCEPTED, 4)


def test_who_is_always_late_is_tried_again(accepted):
    with pytest.raises(StorageUnavailable):
        count(receipt(), BusyEvents(late=1000), accepted)


def test_a_bounce_is_noted_once(events):
    report = Report(ORGANIZER, hashed(KIM.email), Delivery.BOUNCED)
    note_delivery(report, events=events, now=NOW)
    version = stored(events).version
    note_delivery(report, events=events, now=NOW + 60)
    assert (stored(events).person.delivery, stored(events).version) == (Delivery.BOUNCED, version)


def test_a_bounce_of_an_event_that_is_gone_is_ignored(events):
    with pytest.raises(MailIgnored):
        note_delivery(Report("unknown", hashed(KIM.email), Delivery.BOUNCED), events=events, now=NOW)
