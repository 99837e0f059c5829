"""Everybody's mailbox, and the SESv2 endpoint that delivers to it.

| call | effect |
| --- | --- |
| `POST /v2/email/outbound-emails` | SESv2's SendEmail, for raw messages: checked as SES does, then delivered |
| `GET /messages?to=EMAIL` | delivered mail, in order: `id`, `from` (the header, decoded), `to` (who got it), `subject`,
  `raw`; without `to` everybody's |
| `DELETE /messages` | empties it; what mail clients put into calendars stays |
| `POST /messages/{id}/reply` `{"partstat": "ACCEPTED" or "DECLINED" or "TENTATIVE", "comment"?, "counter"?: {"start",
  "end"}, "client"?: "gmail" or "outlook" or "apple", "spoofed"?: true}` | answers as that client would; with a
  `counter` the partstat may be left out; gives the `message_id` that SES received it under, and `raw` |
| `POST /inbound` `{"raw" or "raw_base64", "recipients": [EMAIL..], "verdicts"?: {"spam"?, "virus"?, "spf"?, "dkim"?,
  "dmarc"?, "dmarcPolicy"?}}` | any mail that comes in; gives its `message_id`. A verdict is `PASS` (the default),
  `FAIL`, `GRAY` or `PROCESSING_FAILED`; the policy is `none`, `quarantine` or `reject` |
| `GET /calendars/{email}` | what that person's client made of the mail: `uid`, `sequence`, `summary`, `start`, `end`
  (RFC 3339, or dates), `partstat`, `cancelled` |
| `DELETE /calendars` | empties all calendars |
| `PUT /sim/faults` `{"send": {"status", "times"?, "error"?, "share"?, "taken"?, "delay_ms"?}, "bounce": [EMAIL],
  "complain": [EMAIL]}`; `GET`, `DELETE` | mail trouble, see ``mailbox_faults`` |

A person who accepts is not busy at the simulated Google or Microsoft; a test that wants that says so there.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import count
from typing import Annotated, Any, Self
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError, model_validator

from local.simulators import mailbox_receiving, mailbox_sending
from local.simulators.mailbox_calendars import Calendars
from local.simulators.mailbox_faults import Faults, MailFaults, SendFault
from local.simulators.mailbox_invitations import invitation_for
from local.simulators.mailbox_receiving import SPOOFED, Pipeline, Verdicts
from local.simulators.mailbox_replies import Answer, Answering, later_than
from local.simulators.mailbox_sending import Account, Submission
from local.simulators.people import address_of
from local.simulators.server import Refusal, Request, Response

FEEDBACK_DELAY = 0.05
"""Seconds until a bounce or complaint comes back. Real ones take longer."""

_DONE = Response(HTTPStatus.NO_CONTENT)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivered:
    """One message in one person's mailbox."""

    id: str
    to: str
    raw: bytes

    @property
    def message_id(self) -> str:
        return str(email.message_from_bytes(self.raw)["Message-ID"])

    def as_json(self) -> dict[str, str]:
        message = email.message_from_bytes(self.raw, policy=email.policy.default)
        return {
            "id": self.id,
            "from": str(message["From"]),
            "to": self.to,
            "subject": str(message["Subject"] or ""),
            "raw": _text(self.raw),
        }


class Inbound(BaseModel):
    """The body of ``POST /inbound``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    raw: str | None = None
    raw_base64: Base64Bytes | None = None
    recipients: Annotated[tuple[str, ...], Field(min_length=1)]
    verdicts: Verdicts = Verdicts()

    @model_validator(mode="after")
    def _has_one_mail(self) -> Self:
        if (self.raw is None) is (self.raw_base64 is None):
            raise ValueError("give the mail as raw, or as raw_base64")
        return self

    @property
    def mail(self) -> bytes:
        return self.raw_base64 if self.raw_base64 is not None else (self.raw or "").encode()


class Mailbox:
    """The application that the server serves. Without a ``pipeline`` nobody hears of what comes in."""

    def __init__(self, account: Account, pipeline: Pipeline | None = None) -> None:
        self._account = account
        self._pipeline = pipeline
        self._messages: dict[str, Delivered] = {}
        self._ids = count(1)
        self._calendars = Calendars()
        self._faults = Faults()
        self._answered: dict[tuple[str, str], datetime] = {}
        self._feedback: set[asyncio.Task[None]] = set()

    async def __call__(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ValidationError as error:
            return _unreadable("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
        except ValueError as error:
            return _unreadable(str(error))
        except (BotoCoreError, ClientError) as error:
            return Response.of_json({"error": f"the mail pipeline cannot be reached: {error}"}, 502)

    async def _answer(self, request: Request) -> Response:  # noqa: PLR0911 - a table of routes
        match request.method, [unquote(part) for part in request.path.split("/")[1:]]:
            case "POST", ["v2", "email", "outbound-emails"]:
                return await self._send(request)
            case "GET", ["messages"]:
                return self._list(request.parameters.get("to"))
            case "DELETE", ["messages"]:
                self._messages.clear()
                return _DONE
            case "POST", ["messages", message_id, "reply"]:
                return await self._reply(message_id, Answer.model_validate(_json(request)))
            case "POST", ["inbound"]:
                inbound = Inbound.model_validate(_json(request))
                return await self._receive(inbound.mail, inbound.recipients, inbound.verdicts)
            case "GET", ["calendars", person]:
                return Response.of_json([entry.as_json() for entry in self._calendars.of(address_of(person))])
            case "DELETE", ["calendars"]:
                self._calendars.clear()
                return _DONE
            case "GET" | "PUT" | "DELETE" as method, ["sim", "faults"]:
                return self._handle_faults(method, request)
        return Response.of_json({"error": f"the mailbox has no {request.method} {request.path}"}, 404)

    async def _send(self, request: Request) -> Response:
        fault = self._faults.next_send()
        if fault:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault and fault.status is not None and not fault.taken:
            return _failing(fault, fault.status)
        try:
            submission = mailbox_sending.submission_of(request, self._account, datetime.now(UTC))
        except Refusal as refusal:
            return refusal.response
        self._deliver(submission)
        if fault and fault.status is not None:
            return _failing(fault, fault.status)
        return Response.of_json({"MessageId": submission.message_id})

    def _deliver(self, submission: Submission) -> None:
        faults = self._faults.current
        for recipient in submission.recipients:
            if recipient in faults.bounce:
                self._feed_back(submission, mailbox_receiving.bounce(submission, recipient))
                continue
            delivered = Delivered(str(next(self._ids)), recipient, submission.raw)
            self._messages[delivered.id] = delivered
            self._calendars.receive(recipient, submission.raw)
            if recipient in faults.complain:
                self._feed_back(submission, mailbox_receiving.complaint(submission, recipient))

    def _feed_back(self, submission: Submission, event: dict[str, Any]) -> None:
        """SES publishes events only of mail that was sent with a configuration set."""
        if self._pipeline and submission.configuration_set:
            task = asyncio.get_running_loop().create_task(self._publish(self._pipeline, event))
            self._feedback.add(task)
            task.add_done_callback(self._feedback.discard)

    async def _publish(self, pipeline: Pipeline, event: dict[str, Any]) -> None:
        await asyncio.sleep(FEEDBACK_DELAY)
        try:
            await asyncio.to_thread(pipeline.notify, event)
        except (BotoCoreError, ClientError):
            _log.exception("a %s was lost", event["eventType"])

    def _list(self, to: list[str] | None) -> Response:
        wanted = {address_of(each) for each in to} if to else None
        found = [each.as_json() for each in self._messages.values() if wanted is None or each.to in wanted]
        return Response.of_json(found)

    async def _reply(self, message_id: str, answer: Answer) -> Response:
        message = self._messages.get(message_id)
        if message is None:
            return Response.of_json({"error": f"there is no message {message_id}"}, 404)
        invitation = invitation_for(message.to, message.raw)
        if invitation is None or invitation.method != "REQUEST":
            return _unreadable("the message is no invitation that could be answered")
        last = self._answered.get((message.to, invitation.uid))
        stamp = later_than(last, datetime.now(UTC))
        raw = Answering(message.to, invitation, message.message_id, answer, stamp).mail()
        if not answer.spoofed:
            self._answered[message.to, invitation.uid] = stamp
            if answer.counter is None:
                self._calendars.answer(message.to, invitation, answer.status)
        recipient = str(email.message_from_bytes(raw)["To"])
        return await self._receive(raw, [recipient], SPOOFED if answer.spoofed else Verdicts())

    async def _receive(self, raw: bytes, recipients: list[str] | tuple[str, ...], verdicts: Verdicts) -> Response:
        if self._pipeline is None:
            return Response.of_json({"error": "no inbound mail is set up"}, 503)
        received: Coroutine[Any, Any, str] = asyncio.to_thread(
            mailbox_receiving.receive, self._pipeline, raw, recipients, verdicts
        )
        return Response.of_json({"message_id": await received, "raw": _text(raw)})

    def _handle_faults(self, method: str, request: Request) -> Response:
        if method == "DELETE":
            self._faults.replace(MailFaults())
            return _DONE
        if method == "PUT":
            self._faults.replace(MailFaults.model_validate(_json(request)))
        return Response.of_json(self._faults.current.model_dump(mode="json", exclude_defaults=True))


def _failing(fault: SendFault, status: int) -> Response:
    message = "Maximum sending rate exceeded." if status == HTTPStatus.TOO_MANY_REQUESTS else f"Simulated {fault.code}."
    return mailbox_sending.error(status, fault.code, message)


def _json(request: Request) -> Any:
    """Takes any Content-Type: curl and its like call everything a form."""
    return json.loads(request.body or b"{}")


def _text(raw: bytes) -> str:
    """Mail is ASCII, or should be."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unreadable(reason: str) -> Response:
    return Response.of_json({"error": reason}, 400)
