"""Whom to believe, and which of several answers counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.errors import MailIgnored
from freebusy.domain.event import Answered, Attendee, Delivery, ManagedEvent, Participation, Proposal
from freebusy.domain.identifiers import hashed
from freebusy.domain.reply import (
    Ignored,
    Letter,
    Method,
    Receipt,
    Reply,
    Report,
    Verdict,
    answered,
    attendee_at,
    reported,
    require_authentic,
    require_harmless,
)
from tests.invitations import KIM, all_day, an_event
from tests.replies import STAMP, receipt

NOW = STAMP + 60
LOU = Attendee("lou@example.test")
ELSEWHEN = Proposal(STAMP + 86_400, STAMP + 90_000)


def says(sender: str = KIM.email, signers: tuple[str, ...] = (), **changes) -> Letter:
    usual = Reply(Method.REPLY, "evt_0123456789abcdef01234567", 0, STAMP, KIM.email, Participation.ACCEPTED)
    return Letter(replace(usual, **changes), sender, signers)


def why_ignored(event: ManagedEvent, letter: Letter) -> str:
    with pytest.raises(MailIgnored) as caught:
        answered(event, letter, now=NOW)
    return caught.value.reason


# --- Whether to believe it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "reason"),
    [
        ({"virus": Verdict.FAIL}, Ignored.VIRUS),
        ({"spam": Verdict.FAIL}, Ignored.SPAM),
        ({"dmarc": Verdict.FAIL}, Ignored.NOT_AUTHENTIC),
        ({"dmarc": Verdict.FAIL, "spf": Verdict.PASS, "dkim": Verdict.PASS}, Ignored.NOT_AUTHENTIC),
    ],
)
def test_what_ses_fails_is_not_even_read(verdicts, reason):
    with pytest.raises(MailIgnored) as caught:
        require_harmless(receipt(**verdicts))
    assert caught.value.reason == reason


@pytest.mark.parametrize("verdict", [Verdict.GRAY, Verdict.PROCESSING_FAILED])
def test_what_ses_could_not_find_out_is_no_failure(verdict):
    require_harmless(receipt(virus=verdict, spam=verdict, dmarc=verdict))


def believed(receipt: Receipt, letter: Letter) -> bool:
    try:
        require_authentic(receipt, letter)
    except MailIgnored as ignored:
        assert ignored.reason == Ignored.NOT_AUTHENTIC  # noqa: PT017 - both outcomes are asked for
        return False
    return True


GAPPS = "example-test.20230601.gappssmtp.com"


@pytest.mark.parametrize(
    ("verdicts", "envelope", "signers", "expected"),
    [
        pytest.param("dmarc", "bounces@elsewhere.test", (), True, id="DMARC alone suffices"),
        pytest.param("spf", "kim@example.test", (), True, id="SPF of the same domain"),
        pytest.param("spf", "b@mail.example.test", (), True, id="SPF of a domain below"),
        pytest.param("spf", "kim@elsewhere.test", (), False, id="SPF of the writer's own domain"),
        pytest.param("spf", "kim@badexample.test", (), False, id="SPF of a domain that ends alike"),
        pytest.param("spf", "kim@test", (), False, id="SPF of everybody's domain"),
        pytest.param("spf", "", (), False, id="SPF of nobody"),
        pytest.param("dkim", "kim@elsewhere.test", ("example.test",), True, id="DKIM of the same domain"),
        pytest.param("dkim", "kim@elsewhere.test", ("google.com", GAPPS), True, id="DKIM of Google, for the domain"),
        pytest.param("dkim", "kim@elsewhere.test", ("google.com",), False, id="DKIM of Google, for anybody"),
        pytest.param("dkim", "kim@example.test", ("elsewhere.test",), False, id="DKIM of the writer's own domain"),
        pytest.param("dkim", "kim@example.test", ("example.test", "elsewhere.test"), False, id="one of both holds"),
        pytest.param("dkim", "kim@example.test", (), False, id="DKIM without a signature"),
        pytest.param("dkim", "kim@example.test", ("",), False, id="DKIM of an unreadable one"),
        pytest.param("", "kim@example.test", ("example.test",), False, id="nothing passes"),
    ],
)
def test_somebody_must_vouch_for_the_sender_s_domain(verdicts, envelope, signers, expected):
    grey = {"spf": Verdict.GRAY, "dkim": Verdict.GRAY, "dmarc": Verdict.GRAY}
    passing = {verdicts: Verdict.PASS} if verdicts else {}
    assert believed(receipt(envelope_sender=envelope, **grey | passing), says(signers=signers)) is expected


# --- Whose it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("invited", "answers", "same"),
    [
        ("kim@example.test", "kim@example.test", True),
        ("kim@example.test", "KIM@Example.Test", True),
        ("kim@gmail.com", "kim@googlemail.com", True),
        ("kim@googlemail.com", "kim@gmail.com", True),
        pytest.param("kim+calendar@example.test", "kim@example.test", True, id="from the mailbox behind a suffix"),
        pytest.param("kim@example.test", "kim+calendar@example.test", False, id="from a suffix nobody invited"),
        pytest.param("kim+a@example.test", "kim+b@example.test", False, id="from another suffix"),
        pytest.param("k.im@gmail.com", "kim@gmail.com", False, id="dots are not known to mean nothing"),
        pytest.param("kim@example.test", "kim@example.com", False, id="another domain"),
        pytest.param("kim@example.test", "lou@example.test", False, id="another person"),
    ],
)
def test_known_aliases_lead_to_one_mailbox_for_sure(invited, answers, same):
    event = an_event(attendees=(Attendee(invited),))
    assert (attendee_at(event, answers) is not None) is same


def test_the_exact_address_is_meant_before_its_aliases():
    event = an_event(attendees=(Attendee("kim+work@example.test"), KIM))
    assert attendee_at(event, KIM.email) == KIM


def test_an_alias_of_two_attendees_is_neither():
    event = an_event(attendees=(Attendee("kim+a@example.test"), Attendee("kim+b@example.test")))
    assert attendee_at(event, "kim@example.test") is None


# --- What it changes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("says_so", [Participation.ACCEPTED, Participation.TENTATIVE, Participation.DECLINED])
def test_an_answer_is_kept_with_its_comment_and_nothing_is_mailed(says_so):
    event = an_event(attendees=(KIM, LOU))
    after = answered(event, says(participation=says_so, comment="see you"), now=NOW)
    kim = KIM._replace(participation=says_so, comment="see you", answered=Answered(0, STAMP))
    assert after == event._replace(attendees=(kim, LOU), updated_at=NOW)
    assert (after.revision, after.sequence) == (event.revision, event.sequence)


def test_another_attendee_answers_for_themselves_alone():
    event = an_event(attendees=(KIM, LOU))
    after = answered(event, says(sender=LOU.email, attendee=LOU.email), now=NOW)
    assert [attendee.participation for attendee in after.attendees] == ["needs_action", "accepted"]


def test_a_proposal_keeps_what_came_with_it():
    after = answered(
        an_event(), says(method=Method.COUNTER, proposal=ELSEWHEN, participation=Participation.TENTATIVE), now=NOW
    )
    assert (after.person.proposal, after.person.participation) == (ELSEWHEN, Participation.TENTATIVE)


def test_a_proposal_without_yes_no_or_maybe_leaves_the_answer_as_it_was():
    kim = KIM._replace(participation=Participation.ACCEPTED, answered=Answered(0, STAMP - 60))
    proposing = says(method=Method.COUNTER, proposal=ELSEWHEN, participation=Participation.NEEDS_ACTION)
    after = answered(an_event(attendees=(kim,)), proposing, now=NOW)
    assert (after.person.proposal, after.person.participation) == (ELSEWHEN, Participation.ACCEPTED)


def test_a_later_answer_takes_proposal_and_comment_back():
    kim = KIM._replace(proposal=ELSEWHEN, comment="rather later", answered=Answered(0, STAMP - 60))
    after = answered(an_event(attendees=(kim,)), says(), now=NOW)
    assert (after.person.proposal, after.person.comment) == (None, None)


def test_days_proposed_for_a_timed_event_are_no_proposal():
    proposing = says(method=Method.COUNTER, proposal=ELSEWHEN, all_day=True, participation=Participation.DECLINED)
    after = answered(an_event(), proposing, now=NOW)
    assert (after.person.proposal, after.person.participation) == (None, Participation.DECLINED)
    days = an_event(when=all_day("2030-01-07", "2030-01-08"))
    assert answered(days, proposing, now=NOW).person.proposal == ELSEWHEN


@pytest.mark.parametrize(
    ("event", "letter", "reason"),
    [
        pytest.param(an_event(), says(uid="evt_of_another"), Ignored.OTHER_EVENT, id="somebody else's event"),
        pytest.param(an_event(deleted=True), says(), Ignored.EVENT_DELETED, id="deleted"),
        pytest.param(an_event(), says(attendee=LOU.email), Ignored.UNKNOWN_RESPONDER, id="for somebody not invited"),
        pytest.param(an_event(), says(sender=LOU.email), Ignored.UNKNOWN_RESPONDER, id="from somebody not invited"),
        pytest.param(
            an_event(attendees=(KIM, LOU)), says(sender=LOU.email), Ignored.UNKNOWN_RESPONDER, id="in another's name"
        ),
        pytest.param(
            an_event(attendees=(LOU, KIM._replace(uninvited=True))), says(), Ignored.UNKNOWN_RESPONDER, id="uninvited"
        ),
        pytest.param(an_event(), says(one_occurrence=True), Ignored.ONE_OCCURRENCE, id="one occurrence"),
        pytest.param(
            an_event(), says(participation=Participation.NEEDS_ACTION), Ignored.NOTHING_SAID, id="neither yes nor no"
        ),
        pytest.param(
            an_event(), says(stamp=NOW + 86_401), Ignored.FROM_THE_FUTURE, id="written the day after tomorrow"
        ),
        pytest.param(
            an_event(sequence=3, timed_sequence=2), says(sequence=1), Ignored.OTHER_TIME, id="to an earlier time"
        ),
    ],
)
def test_what_cannot_be_counted_is_ignored_for_a_reason(event, letter, reason):
    assert why_ignored(event, letter) == reason


@pytest.mark.parametrize(
    ("before", "this", "counts"),
    [
        pytest.param((0, STAMP), (0, STAMP), False, id="a replay"),
        pytest.param((0, STAMP), (0, STAMP + 1), True, id="later"),
        pytest.param((0, STAMP), (0, STAMP - 1), False, id="earlier"),
        pytest.param((1, STAMP), (0, STAMP + 1), False, id="to an older message, though later"),
        pytest.param((1, STAMP), (2, STAMP - 1), True, id="to a newer message, though earlier"),
        pytest.param((2, STAMP), (9, STAMP), False, id="to a message that was never sent, at the same time"),
        pytest.param((2, STAMP), (9, STAMP + 1), True, id="to a message that was never sent, later"),
    ],
)
def test_answers_are_ordered_by_sequence_and_stamp(before, this, counts):
    event = an_event(attendees=(KIM._replace(answered=Answered(*before)),), sequence=2)
    sequence, stamp = this
    if counts:
        after = answered(event, says(sequence=sequence, stamp=stamp), now=NOW)
        assert after.person.answered == Answered(min(sequence, 2), stamp)
    else:
        assert why_ignored(event, says(sequence=sequence, stamp=stamp)) == Ignored.OLDER_ANSWER


def test_an_answer_to_a_message_before_a_mere_correction_counts():
    after = answered(an_event(sequence=3, timed_sequence=1), says(sequence=1), now=NOW)
    assert after.person.participation is Participation.ACCEPTED


# --- What did not arrive -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "report", "after"),
    [
        (Delivery.UNDISTURBED, Delivery.BOUNCED, Delivery.BOUNCED),
        (Delivery.REFUSED, Delivery.BOUNCED, Delivery.BOUNCED),
        (Delivery.BOUNCED, Delivery.COMPLAINED, Delivery.COMPLAINED),
        pytest.param(Delivery.COMPLAINED, Delivery.BOUNCED, Delivery.COMPLAINED, id="a complaint stays"),
    ],
)
@pytest.mark.parametrize("gone", [{}, {"deleted": True}], ids=["event", "deleted event"])
def test_a_report_is_kept_with_its_attendee(before, report, after, gone):
    event = an_event(attendees=(KIM, LOU._replace(delivery=before, uninvited=True)), **gone)
    noted = reported(event, Report(event.organizer, hashed(LOU.email), report), now=NOW)
    assert [attendee.delivery for attendee in noted.attendees] == [Delivery.UNDISTURBED, after]
    assert noted.revision == event.revision


def test_the_same_report_again_changes_nothing():
    event = an_event(attendees=(KIM._replace(delivery=Delivery.BOUNCED),))
    assert reported(event, Report(event.organizer, hashed(KIM.email), Delivery.BOUNCED), now=NOW) is event


def test_a_report_about_somebody_else_is_ignored():
    with pytest.raises(MailIgnored):
        reported(an_event(), Report("k3j4h5m6n7", hashed(LOU.email), Delivery.BOUNCED), now=NOW)
