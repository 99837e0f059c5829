"""The mailbox: SendEmail as SES has it, what arrives in whose calendar, answers, and trouble on demand."""

import base64
import email
import email.policy
import json
import ssl
from datetime import UTC, date, datetime

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from icalendar import Calendar

from freebusy.domain.event import RecurrenceRule
from local.simulators.mailbox_process import running_mailbox
from local.simulators.mailbox_sending import Account
from tests.invitations import all_day, an_event, raw_invitation, timed
from tests.letters import ORGANIZER, invitation
from tests.waiting import until

ANA, BEN = "ana@example.com", "ben@contoso.example"
UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Reading the usual certificates for each client takes a while.


class Collected:
    """What SES handed over."""

    bucket = "inbound"
    topic = "arn:aws:sns:us-east-1:000000000000:mail"

    def __init__(self):
        self.objects = {}
        self.notifications = []

    def store(self, key, raw):
        self.objects[key] = raw

    def notify(self, message):
        self.notifications.append(message)


@pytest.fixture
def pipeline():
    return Collected()


@pytest.fixture
def mailbox(pipeline):
    account = Account("invites.example", configuration_set="events")
    with (
        running_mailbox(account, pipeline) as url,
        httpx.Client(base_url=url, timeout=30, verify=UNUSED) as caller,
    ):
        yield caller


@pytest.fixture
def ses(mailbox):
    """The real client of the service, pointed at the mailbox."""
    return boto3.client(
        "sesv2",
        endpoint_url=str(mailbox.base_url),
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def send(ses, raw, *recipients, **more):
    destination = {"Destination": {"ToAddresses": list(recipients)}} if recipients else {}
    asked = {"FromEmailAddress": ORGANIZER, "ConfigurationSetName": "events", "Content": {"Raw": {"Data": raw}}}
    return ses.send_email(**{**asked, **destination, **more})["MessageId"]


def invite(ses, person=ANA, **about):
    return send(ses, invitation(person, **about), person)


def refused(ses, raw, *recipients, **more):
    with pytest.raises(ClientError) as caught:
        send(ses, raw, *recipients, **more)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def messages(mailbox, to):
    return mailbox.get("/messages", params={"to": to}).json()


def calendar(mailbox, person=ANA):
    return mailbox.get(f"/calendars/{person}").json()


def reply(mailbox, person=ANA, **answer):
    message = messages(mailbox, person)[-1]
    answer = mailbox.post(f"/messages/{message['id']}/reply", json=answer)
    assert answer.status_code == 200, answer.text
    return answer.json()


def minute(number):
    return datetime(2026, 11, 23, 8, number, tzinfo=UTC)


# Sending.


def test_mail_is_delivered_to_whom_the_destination_names(mailbox, ses):
    send(ses, invitation(ANA), BEN)

    assert messages(mailbox, ANA) == []
    (message,) = messages(mailbox, BEN)
    assert message.keys() == {"id", "from", "to", "subject", "raw"}
    assert (message["from"], message["to"]) == ("Démo <organizer@invites.example>", BEN)
    assert message["subject"] == "Invitation: Réunion, erste"


def test_without_a_destination_the_headers_say_who_gets_it(mailbox, ses):
    send(ses, invitation(ANA))

    assert len(messages(mailbox, ANA)) == 1


def test_every_recipient_has_a_message_of_their_own(mailbox, ses):
    send(ses, invitation(ANA), ANA, BEN, "Ana@Example.com")

    assert [message["to"] for message in mailbox.get("/messages").json()] == [ANA, BEN]
    assert len({message["id"] for message in mailbox.get("/messages").json()}) == 2


def test_ses_writes_message_id_and_date_of_its_own_and_nothing_else(mailbox, ses):
    sent = invitation(ANA)
    message_id = send(ses, sent, ANA)

    raw = messages(mailbox, ANA)[0]["raw"].encode()
    ours, delivered = (email.message_from_bytes(each) for each in (sent, raw))
    assert delivered.get_all("Message-ID") == [f"<{message_id}@email.amazonses.com>"]
    assert delivered["Date"] != ours["Date"]
    for message in (ours, delivered):
        del message["Message-ID"]
        del message["Date"]
    assert delivered.as_bytes(policy=email.policy.SMTP) == ours.as_bytes(policy=email.policy.SMTP)
    assert raw.partition(b"\r\n\r\n")[2] == sent.partition(b"\r\n\r\n")[2]


LINES = invitation(ANA).split(b"\r\n")


def without(name):
    return b"\r\n".join(line for line in LINES if not line.startswith(name + b":"))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"From: organizer@invites.example", id="no blank line"),
        pytest.param(without(b"From"), id="no From"),
        pytest.param(b"From: organizer@invites.example\r\n" + invitation(ANA), id="two From"),
        pytest.param(b"Subject: \xc3\xa9\r\n" + without(b"Subject"), id="a header outside of ASCII"),
        pytest.param(invitation(ANA) + b"x" * 999, id="a line of 999 characters"),
        pytest.param(invitation(ANA).replace(b"boundary=", b"border="), id="a multipart without its boundary"),
    ],
)
def test_a_message_that_is_none_is_refused(mailbox, ses, raw):
    assert refused(ses, raw, ANA) == ("BadRequestException", 400)
    assert mailbox.get("/messages").json() == []


def test_lines_may_have_998_characters(ses):
    assert send(ses, invitation(ANA) + b"\r\n" + b"x" * 998 + b"\r\n", ANA)


def test_a_message_may_have_40_megabytes_and_no_more(ses):
    filling = (b"x" * 998 + b"\r\n") * ((40 << 20) // 1000)
    fits = invitation(ANA) + filling[: (40 << 20) - len(invitation(ANA))]
    assert send(ses, fits, ANA)
    assert refused(ses, fits + b"x", ANA) == ("BadRequestException", 400)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("ana", id="no domain"),
        pytest.param("@example.com", id="no local part"),
        pytest.param("änä@example.com", id="a local part outside of ASCII"),
        pytest.param("ana@exämple.com", id="a domain that is not in Punycode"),
        pytest.param("ana@example..com", id="an empty label"),
    ],
)
def test_an_address_that_is_none_is_refused(ses, address):
    assert refused(ses, invitation(ANA), address) == ("BadRequestException", 400)


def test_fifty_recipients_are_the_most(ses):
    crowd = [f"p{number}@example.com" for number in range(51)]
    assert send(ses, invitation(ANA), *crowd[:50])
    assert refused(ses, invitation(ANA), *crowd) == ("BadRequestException", 400)


@pytest.mark.parametrize(
    ("raw", "sender"),
    [
        pytest.param(invitation(ANA, organizer="o@elsewhere.example"), ORGANIZER, id="the header"),
        pytest.param(invitation(ANA), "o@elsewhere.example", id="the envelope"),
    ],
)
def test_only_the_verified_domain_may_send(ses, raw, sender):
    assert refused(ses, raw, ANA, FromEmailAddress=sender) == ("MessageRejected", 400)


def test_another_configuration_set_does_not_exist(ses):
    assert refused(ses, invitation(ANA), ANA, ConfigurationSetName="others") == ("NotFoundException", 404)


@pytest.mark.parametrize("value", ["a b", "ä", "", "x" * 257, "a@b"])
def test_tags_are_letters_digits_underscores_and_dashes(ses, value):
    tags = [{"Name": "event", "Value": value}]
    assert refused(ses, invitation(ANA), ANA, EmailTags=tags) == ("BadRequestException", 400)


def test_only_raw_messages_are_known(ses):
    simple = {"Simple": {"Subject": {"Data": "hello"}, "Body": {"Text": {"Data": "hello"}}}}
    assert refused(ses, b"", ANA, Content=simple) == ("BadRequestException", 400)


def test_a_call_that_is_not_signed_is_refused(mailbox):
    answer = mailbox.post("/v2/email/outbound-emails", json={})
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_messages_can_be_emptied(mailbox, ses):
    invite(ses)
    assert mailbox.delete("/messages").status_code == 204
    assert mailbox.get("/messages").json() == []
    assert len(calendar(mailbox)) == 1


# Calendars.


def test_a_request_is_in_the_calendar_of_who_got_it(mailbox, ses):
    invite(ses)

    assert calendar(mailbox) == [
        {
            "uid": "uid-1@invites.example",
            "sequence": 2,
            "summary": "Réunion, erste",
            "start": "2026-11-24T10:00:00Z",
            "end": "2026-11-24T11:00:00Z",
            "partstat": "NEEDS-ACTION",
            "cancelled": False,
        }
    ]
    assert calendar(mailbox, BEN) == []


def test_an_all_day_event_has_dates(mailbox, ses):
    invite(ses, start=date(2026, 11, 24), end=date(2026, 11, 26))

    assert [(each["start"], each["end"]) for each in calendar(mailbox)] == [("2026-11-24", "2026-11-26")]


@pytest.mark.parametrize(
    ("second", "summary"),
    [
        pytest.param({"sequence": 3, "stamp": minute(9)}, "second", id="a higher sequence"),
        pytest.param({"sequence": 2, "stamp": minute(11)}, "second", id="the same sequence, later"),
        pytest.param({"sequence": 2, "stamp": minute(9)}, "first", id="the same sequence, earlier"),
        pytest.param({"sequence": 1, "stamp": minute(11)}, "first", id="a lower sequence"),
        pytest.param({"sequence": 3, "organizer": "eve@invites.example"}, "first", id="another organizer"),
    ],
)
def test_messages_count_by_sequence_and_stamp(mailbox, ses, second, summary):
    invite(ses, summary="first", stamp=minute(10))
    send(ses, invitation(ANA, summary="second", **second), ANA, FromEmailAddress=ORGANIZER)

    assert [each["summary"] for each in calendar(mailbox)] == [summary]


@pytest.mark.parametrize(
    ("messages_", "cancelled"),
    [
        pytest.param([("REQUEST", 0, 0), ("CANCEL", 1, 1)], True, id="cancelled"),
        pytest.param([("REQUEST", 0, 0), ("CANCEL", 0, 1)], True, id="uninvited, the sequence of others unchanged"),
        pytest.param([("REQUEST", 0, 0), ("CANCEL", 1, 1), ("REQUEST", 0, 0)], True, id="an old request comes late"),
        pytest.param([("REQUEST", 0, 0), ("CANCEL", 1, 1), ("CANCEL", 1, 1)], True, id="the cancellation comes twice"),
        pytest.param([("REQUEST", 1, 1), ("CANCEL", 0, 0)], False, id="an old cancellation comes late"),
        pytest.param([("REQUEST", 0, 0), ("CANCEL", 1, 1), ("REQUEST", 2, 2)], False, id="invited once more"),
    ],
)
def test_a_cancellation_cancels_what_came_before_it(mailbox, ses, messages_, cancelled):
    for method, sequence, stamp in messages_:
        invite(ses, method=method, sequence=sequence, stamp=minute(stamp))

    assert [each["cancelled"] for each in calendar(mailbox)] == [cancelled]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(invitation(BEN), id="somebody else is invited"),
        pytest.param(invitation(ANA, part_method="PUBLISH"), id="the part has another method"),
        pytest.param(invitation(ANA, method="PUBLISH"), id="nothing is asked"),
        pytest.param(invitation(ANA, method="CANCEL"), id="something unknown is cancelled"),
        pytest.param(b"From: o@invites.example\r\n\r\nBEGIN:VCALENDAR\r\n", id="ordinary mail"),
        pytest.param(
            b"From: o@invites.example\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND",
            id="a broken calendar",
        ),
    ],
)
def test_what_is_no_invitation_to_them_is_in_nobodys_calendar(mailbox, ses, raw):
    send(ses, raw, ANA)

    assert len(messages(mailbox, ANA)) == 1
    assert calendar(mailbox) == []


def test_an_answer_shows_in_ones_own_calendar_until_the_sequence_rises(mailbox, ses):
    invite(ses, stamp=minute(1))
    reply(mailbox, partstat="ACCEPTED")
    invite(ses, stamp=minute(2))
    assert [each["partstat"] for each in calendar(mailbox)] == ["ACCEPTED"]

    invite(ses, sequence=3, stamp=minute(3))
    assert [each["partstat"] for each in calendar(mailbox)] == ["NEEDS-ACTION"]


def test_calendars_can_be_emptied(mailbox, ses):
    invite(ses)
    assert mailbox.delete("/calendars").status_code == 204
    assert calendar(mailbox) == []


# Answers, and other mail that comes in.


def test_an_answer_comes_in_as_ses_brings_it(mailbox, ses, pipeline):
    invite(ses)
    answered = reply(mailbox, partstat="ACCEPTED", comment="Gladly", client="outlook")

    (notification,) = pipeline.notifications
    mail, receipt = notification["mail"], notification["receipt"]
    assert notification["notificationType"] == "Received"
    assert mail["messageId"] == answered["message_id"]
    assert (mail["source"], mail["destination"]) == (ANA, [ORGANIZER])
    assert mail["commonHeaders"]["subject"].startswith("Accepted: ")
    assert {"name": "X-MS-Has-Attach", "value": ""} in mail["headers"]
    assert receipt["recipients"] == [ORGANIZER]
    verdicts = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")
    assert [receipt[verdict] for verdict in verdicts] == [{"status": "PASS"}] * 5
    assert "dmarcPolicy" not in receipt
    action = receipt["action"]
    assert (action["type"], action["bucketName"], action["topicArn"]) == ("S3", "inbound", pipeline.topic)
    stored = pipeline.objects[action["objectKey"]]
    assert stored.endswith(answered["raw"].encode())
    assert email.message_from_bytes(stored)["X-SES-Virus-Verdict"] == "PASS"


def test_a_spoofed_answer_fails_dmarc_and_is_not_the_persons(mailbox, ses, pipeline):
    invite(ses)
    reply(mailbox, partstat="DECLINED", spoofed=True)

    receipt = pipeline.notifications[0]["receipt"]
    assert receipt["dmarcVerdict"] == {"status": "FAIL"}
    assert receipt["dmarcPolicy"] == "reject"
    assert pipeline.notifications[0]["mail"]["source"] == ANA
    assert [each["partstat"] for each in calendar(mailbox)] == ["NEEDS-ACTION"]


def test_two_answers_in_one_second_can_be_told_apart(mailbox, ses):
    invite(ses)
    first, second = (reply(mailbox, partstat=each)["raw"] for each in ("ACCEPTED", "DECLINED"))

    assert stamp_of(first) < stamp_of(second)


def stamp_of(raw):
    message = email.message_from_string(raw)
    (part,) = (part for part in message.walk() if part.get_content_type() == "text/calendar")
    return Calendar.from_ical(part.get_payload(decode=True)).events[0].stamp


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param({}, "partstat", id="nothing"),
        pytest.param({"partstat": "PERHAPS"}, "partstat", id="no such answer"),
        pytest.param({"partstat": "ACCEPTED", "client": "pine"}, "client", id="no such client"),
        pytest.param({"counter": {"start": "2026-11-24T10:00:00"}}, "timezone", id="a local time"),
        pytest.param({"partstat": "ACCEPTED", "note": "hi"}, "note", id="a slip of the pen"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(mailbox, ses, answer, said):
    invite(ses)
    (message,) = messages(mailbox, ANA)
    response = mailbox.post(f"/messages/{message['id']}/reply", json=answer)
    assert response.status_code == 400
    assert said in response.json()["error"]


def test_only_an_invitation_can_be_answered(mailbox, ses):
    invite(ses, method="CANCEL")
    (message,) = messages(mailbox, ANA)
    assert mailbox.post(f"/messages/{message['id']}/reply", json={"partstat": "ACCEPTED"}).status_code == 400
    assert mailbox.post("/messages/none/reply", json={"partstat": "ACCEPTED"}).status_code == 404


def test_any_mail_can_come_in(mailbox, pipeline):
    raw = bytes(range(256))
    body = {
        "raw_base64": base64.b64encode(raw).decode(),
        "recipients": ["nobody@invites.example"],
        "verdicts": {"virus": "FAIL", "dmarc": "GRAY"},
    }
    answer = mailbox.post("/inbound", json=body)

    key = answer.json()["message_id"]
    receipt = pipeline.notifications[0]["receipt"]
    assert pipeline.objects[key].endswith(raw)
    assert (receipt["virusVerdict"], receipt["dmarcVerdict"]) == ({"status": "FAIL"}, {"status": "GRAY"})
    assert receipt["recipients"] == ["nobody@invites.example"]
    assert json.dumps(pipeline.notifications[0])


def test_long_headers_are_cut_in_the_notification_and_not_in_the_mail(mailbox, pipeline):
    raw = "From: ana@example.com\r\n" + "".join(f"X-{n}: {'x' * 900}\r\n" for n in range(20)) + "\r\n"
    mailbox.post("/inbound", json={"raw": raw, "recipients": [ORGANIZER]})

    mail = pipeline.notifications[0]["mail"]
    assert mail["headersTruncated"] is True
    assert 5 < len(mail["headers"]) < 15
    assert next(iter(pipeline.objects.values())).endswith(raw.encode())


@pytest.mark.parametrize(
    "body", [{"recipients": [ANA]}, {"raw": "", "raw_base64": "", "recipients": [ANA]}, {"raw": ""}]
)
def test_mail_that_comes_in_is_one_mail_for_somebody(mailbox, body):
    assert mailbox.post("/inbound", json=body).status_code == 400


def test_without_a_pipeline_nothing_comes_in():
    with running_mailbox(Account("invites.example")) as url:
        answer = httpx.post(f"{url}/inbound", json={"raw": "", "recipients": [ORGANIZER]})
    assert answer.status_code == 503


# The service's own invitations.


@pytest.mark.parametrize("client", ["gmail", "outlook", "apple"])
@pytest.mark.parametrize(
    ("details", "shown"),
    [
        pytest.param(
            {"when": timed("2030-07-01T10:00", "2030-07-01T11:00", "Europe/Berlin"), "summary": "Größe; 10, 🎉"},
            ("Größe; 10, 🎉", "2030-07-01T08:00:00Z", "2030-07-01T09:00:00Z"),
            id="timed",
        ),
        pytest.param(
            {"when": all_day("2030-07-01", "2030-07-03")}, ("Interview", "2030-07-01", "2030-07-03"), id="all day"
        ),
        pytest.param(
            {
                "when": timed("2030-07-01T10:00", "2030-07-01T11:00", "Europe/Berlin"),
                "recurrence": (RecurrenceRule("weekly", count=60),),
            },
            ("Interview", "2030-07-01T08:00:00Z", "2030-07-01T09:00:00Z"),
            id="a series",
        ),
    ],
)
def test_the_services_own_invitations_arrive_and_can_be_answered(mailbox, ses, details, shown, client):
    event = an_event(**details)
    organizer = f"{event.organizer}@invites.example"
    raw = raw_invitation(event, mail_domain="invites.example")
    send(ses, raw, event.person.email, FromEmailAddress=organizer)

    (entry,) = calendar(mailbox, event.person.email)
    assert (entry["summary"], entry["start"], entry["end"]) == shown
    answered = reply(mailbox, event.person.email, partstat="ACCEPTED", client=client)
    assert email.message_from_string(answered["raw"])["To"] == organizer

    gone = raw_invitation(event._replace(sequence=1, deleted=True), mail_domain="invites.example", cancel=True)
    send(ses, gone, event.person.email, FromEmailAddress=organizer)
    assert [each["cancelled"] for each in calendar(mailbox, event.person.email)] == [True]


# Trouble.


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        ({"status": 429}, "TooManyRequestsException", 429),
        ({"status": 400}, "MessageRejected", 400),
        ({"status": 400, "error": "AccountSuspendedException"}, "AccountSuspendedException", 400),
        ({"status": 404}, "NotFoundException", 404),
        ({"status": 500}, "InternalServiceErrorException", 500),
        ({"status": 503}, "ServiceUnavailable", 503),
    ],
)
def test_the_next_sends_fail_in_the_words_of_ses(mailbox, ses, fault, code, status):
    mailbox.put("/sim/faults", json={"send": {**fault, "times": 2}})

    assert refused(ses, invitation(ANA), ANA) == (code, status)
    assert refused(ses, invitation(ANA), ANA) == (code, status)
    assert invite(ses)
    assert len(messages(mailbox, ANA)) == 1


def test_without_times_sends_fail_until_cleared(mailbox, ses):
    mailbox.put("/sim/faults", json={"send": {"status": 503}})
    assert refused(ses, invitation(ANA), ANA) == ("ServiceUnavailable", 503)
    assert mailbox.get("/sim/faults").json() == {"send": {"status": 503}}
    assert mailbox.delete("/sim/faults").status_code == 204
    assert invite(ses)


def test_an_answer_can_be_lost_after_the_mail_was_taken(mailbox, ses):
    mailbox.put("/sim/faults", json={"send": {"status": 500, "times": 1, "taken": True}})

    assert refused(ses, invitation(ANA), ANA) == ("InternalServiceErrorException", 500)
    assert len(messages(mailbox, ANA)) == 1


def test_a_share_of_sends_can_fail(mailbox, ses):
    mailbox.put("/sim/faults", json={"send": {"status": 503, "share": 0.5}})
    results = []
    for _ in range(20):
        try:
            results.append(bool(invite(ses)))
        except ClientError:
            results.append(False)

    assert 0 < sum(results) < 20
    assert len(messages(mailbox, ANA)) == sum(results)


def test_mail_to_some_addresses_comes_back(mailbox, ses, pipeline):
    mailbox.put("/sim/faults", json={"bounce": ["Ben@contoso.example"]})
    tags = [{"Name": "sub", "Value": "acc_1"}]
    message_id = send(ses, invitation(BEN), BEN, EmailTags=tags)
    invite(ses)
    until(lambda: pipeline.notifications)

    (event,) = pipeline.notifications
    assert messages(mailbox, BEN) == []
    assert calendar(mailbox, BEN) == []
    assert event["eventType"] == "Bounce"
    assert (event["mail"]["messageId"], event["mail"]["destination"]) == (message_id, [BEN])
    assert event["mail"]["source"] == ORGANIZER
    assert event["mail"]["tags"]["sub"] == ["acc_1"]
    assert event["mail"]["tags"]["ses:configuration-set"] == ["events"]
    assert event["bounce"]["bounceType"] == "Permanent"
    assert [each["emailAddress"] for each in event["bounce"]["bouncedRecipients"]] == [BEN]


def test_mail_to_some_addresses_is_called_spam(mailbox, ses, pipeline):
    mailbox.put("/sim/faults", json={"complain": [BEN]})
    invite(ses, BEN)
    until(lambda: pipeline.notifications)

    (event,) = pipeline.notifications
    assert len(messages(mailbox, BEN)) == 1
    assert event["eventType"] == "Complaint"
    assert event["complaint"]["complainedRecipients"] == [{"emailAddress": BEN}]


@pytest.mark.parametrize("faults", [{"send": {}}, {"send": {"status": 99}}, {"sent": {}}, {"bounce": ["nobody"]}])
def test_faults_that_make_no_sense_are_refused_and_change_nothing(mailbox, faults):
    mailbox.put("/sim/faults", json={"bounce": [BEN]})
    assert mailbox.put("/sim/faults", json=faults).status_code == 400
    assert mailbox.get("/sim/faults").json() == {"bounce": [BEN]}


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("PUT", "/messages"), ("GET", "/v2/email/outbound-emails")])
def test_there_is_nothing_else(mailbox, method, path):
    assert mailbox.request(method, path).status_code == 404
