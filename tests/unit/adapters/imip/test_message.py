from __future__ import annotations

import pytest

from freebusy.domain.errors import MailRefused
from freebusy.domain.event import Attendee
from tests.invitations import INTERVIEW, KIM, an_event, invitation, raw_invitation


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("", id="none"),
        pytest.param("kim", id="no domain"),
        pytest.param("kim@example.test\r\nBcc: x@example.test", id="a header in it"),
        pytest.param("kim@example.test, x@example.test", id="two"),
        pytest.param("<kim@example.test>", id="with brackets"),
        pytest.param('"kim lee"@example.test', id="a quoted local part"),
        pytest.param("kïm@example.test", id="not ASCII, which SES refuses"),
        pytest.param("kim@exämple.test", id="a domain that is not in ASCII form"),
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_written(address):
    with pytest.raises(MailRefused) as refused:
        raw_invitation(an_event(), Attendee(address))
    assert not address or address not in str(refused.value)


@pytest.mark.parametrize("address", ["o'brien+tag@example.test", "a%b=c@example.test", "x@xn--exmple-cua.test"])
def test_unusual_addresses_are_written_so_that_they_read_back(address):
    received = invitation(an_event(), Attendee(address))
    assert received.message["To"].addresses[0].addr_spec == address
    assert received.event["ATTENDEE"] == f"mailto:{address.replace('%', '%25')}"


def test_every_version_of_every_recipient_has_a_message_id_of_its_own():
    guest = Attendee("guest@example.test")
    event = an_event(INTERVIEW, KIM, guest)
    messages = [
        invitation(event),
        invitation(event, guest),
        invitation(event, cancel=True),
        invitation(an_event(INTERVIEW, KIM, guest, sequence=1)),
    ]
    assert len({message.message["Message-ID"] for message in messages}) == len(messages)


def test_programs_that_answer_by_themselves_are_asked_not_to():
    assert invitation(an_event()).message["Auto-Submitted"] == "auto-generated"
