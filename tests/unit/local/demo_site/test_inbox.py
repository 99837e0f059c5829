"""Letters as a mail client shows them."""

from email.message import EmailMessage

import pytest

from local.demo_site.inbox import Inbox
from tests.letters import invitation
from tests.planner import FakeMailbox

ANA = "ana@example.com"
UID = "uid-1@invites.example"


@pytest.fixture
def mailbox():
    return FakeMailbox()


@pytest.fixture
def inbox(mailbox):
    return Inbox(mailbox.client())


def entry(**changed):
    return {"uid": UID, "sequence": 2, "partstat": "NEEDS-ACTION", "cancelled": False, **changed}


def test_the_newest_letter_comes_first(inbox, mailbox):
    mailbox.deliver(ANA, invitation(ANA, summary="First"))
    mailbox.deliver(ANA, invitation(ANA, summary="Second"))
    assert [each["subject"] for each in inbox.shown([ANA])] == ["Invitation: Second", "Invitation: First"]


def test_an_invitation_tells_who_asks_when_and_what_was_answered(inbox, mailbox):
    mailbox.deliver(ANA, invitation(ANA))
    mailbox.calendars[ANA] = [entry(partstat="ACCEPTED")]
    (shown,) = inbox.shown([ANA])
    assert shown["from"] == {"name": "Démo", "email": "organizer@invites.example"}
    assert (shown["to"], shown["text"].strip(), shown["html"]) == (ANA, "You are invited.", False)
    assert shown["event"] == {
        "method": "REQUEST",
        "start": "2026-11-24T10:00:00Z",
        "end": "2026-11-24T11:00:00Z",
        "current": True,
        "answer": "ACCEPTED",
    }


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param([entry(sequence=3)], id="a later message changed the event"),
        pytest.param([], id="the calendar was emptied"),
        pytest.param([entry(uid="another")], id="another event is there"),
    ],
)
def test_an_invitation_that_was_overtaken_says_so(inbox, mailbox, kept):
    mailbox.deliver(ANA, invitation(ANA))
    mailbox.calendars[ANA] = kept
    assert inbox.shown([ANA])[0]["event"]["current"] is False


def test_a_proposal_is_remembered_until_the_next_answer(inbox, mailbox):
    mailbox.deliver(ANA, invitation(ANA))
    mailbox.calendars[ANA] = [entry()]
    letter = inbox.find("1", [ANA])
    inbox.answer(letter, "gmail", {"counter": {"start": "…", "end": "…"}})
    assert inbox.shown([ANA])[0]["event"]["answer"] == "PROPOSED"
    inbox.answer(letter, "gmail", {"partstat": "DECLINED"})
    assert inbox.shown([ANA])[0]["event"]["answer"] == "NEEDS-ACTION"
    assert mailbox.replies[1] == ("1", {"partstat": "DECLINED", "client": "gmail"})


def test_ordinary_mail_is_no_invitation(inbox, mailbox):
    message = EmailMessage()
    message["From"], message["To"], message["Date"] = "Ben <ben@example.com>", ANA, "Mon, 07 Jan 2030 09:00:00 +0000"
    message.set_content("<p>Lunch?</p>", subtype="html")
    mailbox.deliver(ANA, message.as_bytes())
    (shown,) = inbox.shown([ANA])
    assert (shown["subject"], shown["html"], "event" in shown) == ("", True, False)


def test_letters_of_others_are_not_found(inbox, mailbox):
    mailbox.deliver("ben@example.com", invitation("ben@example.com"))
    assert inbox.find("1", [ANA]) is None
    assert inbox.shown([]) == []
