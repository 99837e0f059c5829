"""What SES answers decides whether a message is tried again: nothing may be lost that could still be sent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from freebusy.adapters.ses import SesMailer
from freebusy.domain.errors import MailRefused, MailUnavailable

MAIL = {"sender": "o1@in.example.com", "recipient": "kim@example.test", "tags": {"organizer": "o1"}}


class Ses:
    """The client, whose next calls are answered so."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "sesv2", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        self.client.meta.events.register("before-call.sesv2.SendEmail", self._answer)
        self.asked: list[dict[str, Any]] = []
        self.client.meta.events.register("provide-client-params.sesv2.SendEmail", self._note)
        self.answer: Any = (200, {"MessageId": "1"})

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(params)

    def _answer(self, **_: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        status, parsed = self.answer
        return SimpleNamespace(status_code=status), parsed

    def fails(self, status: int, code: str, said: str = "No.") -> None:
        self.answer = status, {"Error": {"Code": code, "Message": said}, "ResponseMetadata": {"HTTPStatusCode": status}}

    def send(self, configuration_set: str | None = "set") -> None:
        SesMailer(self.client, configuration_set=configuration_set).send(b"mail", **MAIL)


@pytest.fixture
def ses() -> Ses:
    return Ses()


def test_a_message_goes_as_it_is_to_one_recipient(ses):
    ses.send()
    assert ses.asked == [
        {
            "FromEmailAddress": "o1@in.example.com",
            "Destination": {"ToAddresses": ["kim@example.test"]},
            "Content": {"Raw": {"Data": b"mail"}},
            "EmailTags": [{"Name": "organizer", "Value": "o1"}],
            "ConfigurationSetName": "set",
        }
    ]


def test_nothing_is_reported_without_a_configuration_set(ses):
    ses.send(configuration_set=None)
    assert "ConfigurationSetName" not in ses.asked[0]


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        pytest.param(400, "MessageRejected", "Invalid content", id="a virus, say"),
        pytest.param(400, "BadRequestException", "Missing final '@domain'", id="no address"),
        pytest.param(400, "BadRequestException", "Address is on the suppression list", id="suppressed"),
    ],
)
def test_what_is_wrong_with_the_message_is_refused_for_good(ses, status, code, said):
    ses.fails(status, code, said)
    with pytest.raises(MailRefused, match=f"^{code}$"):
        ses.send()


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        pytest.param(429, "TooManyRequestsException", "Maximum sending rate exceeded.", id="too fast"),
        pytest.param(400, "LimitExceededException", "Daily message quota exceeded.", id="quota of the day"),
        pytest.param(400, "SendingPausedException", "", id="paused"),
        pytest.param(400, "AccountSuspendedException", "", id="suspended"),
        pytest.param(400, "MailFromDomainNotVerifiedException", "", id="bounce domain not set up"),
        pytest.param(404, "NotFoundException", "Configuration set <set> does not exist.", id="not deployed yet"),
        pytest.param(403, "AccessDeniedException", "not authorized", id="a permission is missing"),
        pytest.param(403, "ExpiredTokenException", "", id="credentials expired"),
        pytest.param(400, "ThrottlingException", "", id="throttled before SES"),
        pytest.param(400, "SomethingNewException", "", id="an answer that nobody knows yet"),
        pytest.param(
            400,
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region EU: in.example.com",
            id="our domain is not verified yet",
        ),
    ],
)
def test_what_is_wrong_with_the_deployment_or_ses_passes_and_nothing_was_sent(ses, status, code, said):
    ses.fails(status, code, said)
    with pytest.raises(MailUnavailable, match=f"^{code}$") as raised:
        ses.send()
    assert not raised.value.perhaps_sent


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://email"),
        ConnectTimeoutError(endpoint_url="https://email"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_never_reached_ses_was_not_sent(ses, error):
    ses.answer = error
    with pytest.raises(MailUnavailable) as raised:
        ses.send()
    assert not raised.value.perhaps_sent


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ReadTimeoutError(endpoint_url="https://email"), id="no answer in time"),
        pytest.param(ConnectionClosedError(endpoint_url="https://email"), id="cut off"),
        pytest.param(NoCredentialsError(), id="whatever else went wrong in the SDK"),
        pytest.param(500, id="an outage"),
        pytest.param(503, id="an outage that says so"),
    ],
)
def test_where_the_answer_is_missing_the_message_was_perhaps_sent(ses, answer):
    if isinstance(answer, int):
        ses.fails(answer, "InternalServiceErrorException")
    else:
        ses.answer = answer
    with pytest.raises(MailUnavailable) as raised:
        ses.send()
    assert raised.value.perhaps_sent


@pytest.mark.parametrize(("status", "code"), [(400, "MessageRejected"), (429, "TooManyRequestsException")])
def test_errors_repeat_no_address(ses, status, code):
    ses.fails(status, code, "kim@example.test is not welcome")
    with pytest.raises((MailRefused, MailUnavailable)) as raised:
        ses.send()
    assert "@" not in str(raised.value)
