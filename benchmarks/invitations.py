"""Mailing invitations: how long one message takes to build, and how many a function mails in a second.

The handler is the deployed one and gets batches of ten from the queue, each about another event. The table answers as
moto did the first time (nobody was invited yet), and SES takes everything, so that what is left is what the function
does itself with the AWS SDK; once more with every call taking as long as it does on AWS.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from functools import partial
from os import devnull
from pathlib import Path
from typing import Any, TextIO

import boto3
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from benchmarks.deployment import deployed, person, replay_aws, sub_of
from benchmarks.measuring import interleaved, median_ms, milliseconds, verdict
from freebusy.adapters.imip.message import build
from freebusy.adapters.ses import SesMailer
from freebusy.bootstrap import Dependencies, application_registry
from freebusy.domain.application import Application
from freebusy.domain.event import Attendee, Conferencing, Details, InvitationDue, Location, RecurrenceRule
from freebusy.service.due_invitations import recipient_of
from tests.api import Context, handler
from tests.invitations import INTERVIEW, MAIL_DOMAIN, an_event, timed
from tests.people import CLIENT_ID

ROUNDS = 40
BATCH = 10
GOAL = 2.0
"""Milliseconds for building one message."""

TABLE_CALL, SENDING = 0.005, 0.05
"""Seconds that DynamoDB and SES take, within a region."""

WEEKLY = Details(
    summary="Jour fixe über die nächsten Wochen",
    when=timed("2030-01-07T09:00", "2030-01-07T10:30", "Europe/Berlin"),
    description="Worüber wir sprechen, und was bis dahin zu tun ist.\n" * 60,
    location=Location("Sitzungszimmer 4, Lange Straße 12, Zürich", "47.3769", "8.5417"),
    url="https://app.example.com/bookings/7",
    conferencing=Conferencing("https://meet.example.com/abc-defg-hij", "Meet"),
    reminders=(10, 60),
    recurrence=(RecurrenceRule("weekly", count=20, by_day=("MO",)),),
)


def main() -> None:
    _report_building()
    with Path(devnull).open("w", encoding="utf-8") as log, deployed(MAIL_DOMAIN=MAIL_DOMAIN) as wired:
        mail = _mailing(wired, log)
        print(f"Mailing: batches of {BATCH}, p50 of {ROUNDS}, for one sandbox of the function")
        _report_mailing("every call is answered at once", mail)
        slow(wired.dynamodb, TABLE_CALL)
        slow(wired.mailer._client, SENDING)  # type: ignore[attr-defined]  # noqa: SLF001 - the port has no latency
        _report_mailing(f"table {TABLE_CALL * 1000:.0f} ms, SES {SENDING * 1000:.0f} ms", mail)


def _report_building() -> None:
    write = partial(build, cancel=False, application_name="Acme", mail_domain=MAIL_DOMAIN, zone="Europe/Berlin")
    attendee = Attendee("joerg@example.com", "Jörg Müller")
    events = {
        "an interview": an_event(INTERVIEW, attendee),
        "a series with a long description": an_event(WEEKLY, attendee),
    }
    actions = {label: partial(write, event, attendee) for label, event in events.items()}
    print(f"Building one message: p50 of {ROUNDS * BATCH}")
    for label, seconds in interleaved(actions, rounds=ROUNDS, in_a_row=BATCH).items():
        print(f"  {label:<34}{milliseconds(seconds):>24}  goal ≤ {GOAL:.0f} ms  {verdict(median_ms(seconds), GOAL)}")


def _report_mailing(label: str, mail: Callable[[], object]) -> None:
    taken, busy = (
        median_ms(interleaved({label: mail}, rounds=ROUNDS, clock=clock)[label]) / BATCH
        for clock in (time.perf_counter, time.process_time)
    )
    print(f"  {label:<34}{1000 / taken:>8.0f} invitations per second, {busy:.1f} ms of processor time each")


def _mailing(wired: Dependencies, log: TextIO) -> Callable[[], None]:
    """Hands the same batch to the handler again and again; with a table that repeats itself it is new every time."""
    account = person(0, wired)
    wired.accounts.create(account)
    application_registry(wired.dynamodb, wired.settings.table_name).create(
        Application(CLIENT_ID, "Acme", ("https://app.example.com/callback",))
    )
    invited = Attendee(account.email)
    for number in range(BATCH):
        event = an_event(INTERVIEW, invited, client_id=CLIENT_ID, sub=sub_of(0), event_id=f"booking-{number}")
        event = event._replace(uid=f"{event.uid}{number}", organizer=f"{event.organizer}{number}")
        if not wired.events.save(event, over=None):
            raise RuntimeError("the event is stored already")
    replay_aws(wired)
    ses = boto3.client("sesv2")
    taken: list[str] = []
    hooks: Any = ses.meta.events
    hooks.register_first("before-send", partial(_take, taken))
    wired.mailer = SesMailer(ses, configuration_set="benchmark")
    batch = {"Records": [_record(number, invited.email) for number in range(BATCH)]}
    with redirect_stdout(log):
        on_invitation_due = handler("on_invitation_due")  # its logger keeps the output that it finds

    def mail() -> None:
        taken.clear()
        answer = on_invitation_due(batch, Context())
        if answer["batchItemFailures"] or len(taken) != BATCH:
            raise RuntimeError(f"not a measurement: {len(taken)} mailed, {answer}")

    return mail


def _record(number: int, email: str) -> dict[str, Any]:
    due = InvitationDue(sub_of(0), f"booking-{number}", recipient_of(email), version=1)
    return {
        "messageId": str(number),
        "receiptHandle": str(number),
        "attributes": {"MessageGroupId": str(number), "ApproximateReceiveCount": "1", "SentTimestamp": "1893488400000"},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:invitations.fifo",
        "body": json.dumps(asdict(due)),
    }


def _take(taken: list[str], request: Any, **_: Any) -> AWSResponse:
    taken.append(request.url)
    headers: Any = {"content-type": "application/json"}
    return AWSResponse(request.url, 200, headers, MockRawResponse(b'{"MessageId": "0100"}'))


def slow(client: Any, seconds: float) -> None:
    """From now on, every call of this client takes that much longer."""

    def wait(**_: Any) -> None:
        time.sleep(seconds)

    client.meta.events.register_first("before-send", wait)


if __name__ == "__main__":
    main()
