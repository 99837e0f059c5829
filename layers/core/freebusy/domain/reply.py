"""What comes back about an invitation: an answer of somebody who was invited (RFC 5546, 3.2.3 and 3.2.7), or a report
that the mail did not reach them; and what either makes of the event.

None of it is mailed on: it raises no ``revision``. Whatever cannot be counted raises MailIgnored with an ``Ignored``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from freebusy.domain.errors import MailIgnored
from freebusy.domain.event import Answered, Attendee, Delivery, ManagedEvent, Participation, Proposal
from freebusy.domain.event_changes import same_address
from freebusy.domain.identifiers import hashed

LONGEST_COMMENT = 2000

_MOST_AHEAD = 86_400
"""Seconds by which a mail client's clock may be ahead; one that takes local time for UTC is within a day."""

_SAME_MAILBOXES = {"googlemail.com": "gmail.com"}
"""Domains whose mailboxes Google serves under both names (https://support.google.com/mail/answer/10313)."""


class Ignored(StrEnum):
    """Why mail changed nothing."""

    NOT_A_NOTIFICATION = "not_a_notification"  # nothing that SES says about mail we care for
    VIRUS = "virus"
    SPAM = "spam"
    NOT_AUTHENTIC = "not_authentic"  # nobody vouches for its sender
    UNKNOWN_RECIPIENT = "unknown_recipient"  # not the address of an event that we have
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"  # not a mail, or made to be hard to read
    BOUNCE = "bounce"
    AUTOMATIC = "automatic"  # an out-of-office notice, a mailing list
    NO_ANSWER = "no_answer"  # ordinary mail, or a calendar object that is no REPLY or COUNTER
    MALFORMED = "malformed"  # an answer that does not say what an answer must
    METHODS_DISAGREE = "methods_disagree"  # MIME part and calendar object name different methods
    OTHER_EVENT = "other_event"
    ONE_OCCURRENCE = "one_occurrence"
    UNKNOWN_RESPONDER = "unknown_responder"  # was not invited, or not by this event, or not any more
    NOTHING_SAID = "nothing_said"  # neither yes, no nor maybe, and no other time
    FROM_THE_FUTURE = "from_the_future"
    OLDER_ANSWER = "older_answer"  # the same answer once more, or one that a later one has overtaken
    OTHER_TIME = "other_time"  # answers a time that the event was moved away from
    EVENT_DELETED = "event_deleted"


class Method(StrEnum):
    REPLY = "REPLY"
    COUNTER = "COUNTER"


class Verdict(StrEnum):
    """What SES found out; ``GRAY`` also for a domain that publishes nothing to check against."""

    PASS = "PASS"  # noqa: S105 - SES's word
    FAIL = "FAIL"
    GRAY = "GRAY"
    PROCESSING_FAILED = "PROCESSING_FAILED"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What SES says about mail that it received. ``key`` is where it was stored.

    ``envelope_sender`` is SMTP's MAIL FROM and ``recipients`` are RCPT TO, the only place to look for whom it was
    meant: headers say what their writer likes.
    """

    key: str
    envelope_sender: str = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    spam: Verdict
    virus: Verdict
    spf: Verdict
    dkim: Verdict
    dmarc: Verdict


class Report(NamedTuple):
    """What SES says about a message that it was given for the event of ``organizer``.

    ``recipient`` is that of ``InvitationDue``: a hash of the address, by which the message was tagged.
    """

    organizer: str
    recipient: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as its calendar object has it; whether to believe it is another matter.

    ``stamp`` is epoch seconds, and ``proposal`` too (midnight UTC of its dates, if ``all_day``). ``participation`` is
    NEEDS_ACTION when it says neither yes, no nor maybe.
    """

    method: Method
    uid: str
    sequence: int
    stamp: int
    attendee: str = field(repr=False)
    participation: Participation = Participation.NEEDS_ACTION
    comment: str | None = field(default=None, repr=False)
    proposal: Proposal | None = None
    all_day: bool = False
    one_occurrence: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with an answer in it. ``sender`` is its one From address, ``signers`` the domains of DKIM signatures.

    The signatures are only claimed: SES tells that one of them holds, not which.
    """

    reply: Reply
    sender: str = field(repr=False)
    signers: tuple[str, ...] = field(repr=False)


# --- Whether to believe it ---------------------------------------------------------------------------


def require_harmless(receipt: Receipt) -> None:
    """What the verdicts rule out before anything is read."""
    if receipt.virus is Verdict.FAIL:
        raise MailIgnored(Ignored.VIRUS)
    if receipt.spam is Verdict.FAIL:
        raise MailIgnored(Ignored.SPAM)
    if receipt.dmarc is Verdict.FAIL:
        raise MailIgnored(Ignored.NOT_AUTHENTIC)


def require_authentic(receipt: Receipt, letter: Letter) -> None:
    """Somebody must vouch for the domain of the From address: DMARC; where that domain publishes none, SPF or DKIM.

    Those two must be about that domain, or everybody who has one of their own could write in any name. SES does not
    say which signature holds, so all must be of that domain.
    """
    if receipt.dmarc is Verdict.PASS:
        return
    domain = _domain(letter.sender)
    if receipt.spf is Verdict.PASS and _aligned(_domain(receipt.envelope_sender), domain):
        return
    signers = [signer for signer in letter.signers if signer not in _COSIGNERS]
    if receipt.dkim is Verdict.PASS and signers and all(_aligned(signer, domain) for signer in signers):
        return
    raise MailIgnored(Ignored.NOT_AUTHENTIC)


_COSIGNERS = frozenset({"google.com"})
"""Google Calendar signs answers as google.com too, beside the domain of the person; Google lets nobody write as
somebody else."""

_GOOGLE_SIGNATURE = ".gappssmtp.com"


def _aligned(proven: str, domain: str) -> bool:
    """One is the other, or below it (RFC 7489, 3.1, without the list of public suffixes).

    Google signs for domains that have no key of their own: ``example-com.20230601.gappssmtp.com``.
    """
    if proven.endswith(_GOOGLE_SIGNATURE):
        return proven.split(".", maxsplit=1)[0] == domain.replace(".", "-")
    if "." not in proven or "." not in domain:
        return False
    return proven == domain or proven.endswith(f".{domain}") or domain.endswith(f".{proven}")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


# --- Whose it is -------------------------------------------------------------------------------------


def attendee_at(event: ManagedEvent, address: str) -> Attendee | None:
    """The one attendee, uninvited or not, whom mail to or from this address is about.

    Known aliases are those that surely lead to one mailbox: the two names of Gmail; and who was invited as
    ``kim+calendar@`` and answers as ``kim@``, since programs answer from the mailbox that the mail came to. The other
    way around, a suffix might be anybody's.
    """
    known = {same_address(attendee.email): attendee for attendee in event.attendees}
    if exact := known.get(same_address(address)):
        return exact
    found = [attendee for attendee in event.attendees if _mailbox(address) in _mailboxes(attendee.email)]
    return found[0] if len(found) == 1 else None


def _mailboxes(invited: str) -> set[str]:
    mailbox = _mailbox(invited)
    local, _, domain = mailbox.rpartition("@")
    return {mailbox, f"{local.partition('+')[0]}@{domain}"}


def _mailbox(address: str) -> str:
    local, _, domain = same_address(address).rpartition("@")
    return f"{local}@{_SAME_MAILBOXES.get(domain, domain)}"


# --- What it changes ---------------------------------------------------------------------------------


def answered(event: ManagedEvent, letter: Letter, *, now: int) -> ManagedEvent:
    """The event after the answer. Who wrote the mail must be the one who answers in it, and be invited.

    A COUNTER keeps whatever yes, no or maybe came with it, and its proposal until the next answer or change of time.
    """
    reply = letter.reply
    if reply.uid != event.uid:
        raise MailIgnored(Ignored.OTHER_EVENT)
    if event.deleted:
        raise MailIgnored(Ignored.EVENT_DELETED)
    attendee = attendee_at(event, reply.attendee)
    if attendee is None or attendee.uninvited or attendee_at(event, letter.sender) != attendee:
        raise MailIgnored(Ignored.UNKNOWN_RESPONDER)
    if reply.one_occurrence:
        raise MailIgnored(Ignored.ONE_OCCURRENCE)
    proposal = reply.proposal if reply.all_day == event.details.when.all_day else None
    if reply.participation is Participation.NEEDS_ACTION and proposal is None:
        raise MailIgnored(Ignored.NOTHING_SAID)
    # No message of ours has a higher sequence, though some programs raise it in their answers.
    this = Answered(min(reply.sequence, event.sequence), reply.stamp)
    if this.stamp > now + _MOST_AHEAD:
        raise MailIgnored(Ignored.FROM_THE_FUTURE)
    if attendee.answered and _order(this) <= _order(attendee.answered):
        raise MailIgnored(Ignored.OLDER_ANSWER)
    if this.sequence < event.timed_sequence:
        raise MailIgnored(Ignored.OTHER_TIME)
    says = reply.participation if reply.participation is not Participation.NEEDS_ACTION else attendee.participation
    return _with(
        event,
        attendee,
        attendee._replace(participation=says, comment=reply.comment, proposal=proposal, answered=this),
        now=now,
    )


def reported(event: ManagedEvent, report: Report, *, now: int) -> ManagedEvent:
    """The event after a report, ``event`` itself when nothing is new; a complaint is never taken back by a bounce."""
    attendee = next((each for each in event.attendees if hashed(each.email) == report.recipient), None)
    if attendee is None:
        raise MailIgnored(Ignored.UNKNOWN_RECIPIENT)
    if attendee.delivery in {report.delivery, Delivery.COMPLAINED}:
        return event
    return _with(event, attendee, attendee._replace(delivery=report.delivery), now=now)


def _order(answered: Answered) -> tuple[int, int]:
    return answered.sequence, answered.stamp


def _with(event: ManagedEvent, attendee: Attendee, changed: Attendee, *, now: int) -> ManagedEvent:
    attendees = tuple(changed if each is attendee else each for each in event.attendees)
    return event._replace(attendees=attendees, updated_at=max(now, event.updated_at))
