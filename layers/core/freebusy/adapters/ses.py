"""Amazon SES takes our mail, one raw message at a time (API v2, SendEmail).

It has no token against sending twice, and replaces Message-ID and Date: copies of one message are told apart by
calendars alone, which see the same UID, SEQUENCE and DTSTAMP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from botocore.exceptions import ConnectionError as NoConnection

from freebusy.adapters.aws import code_of
from freebusy.domain.errors import MailRefused, MailUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef

_REFUSALS = frozenset({"BadRequestException", "MessageRejected"})
"""What is wrong with the message or the address. Every other answer is about the deployment or about SES, and passes:
a quota, a paused account, a domain that is not verified yet, a permission that is missing."""

_OF_THE_DEPLOYMENT = "not verified"
"""MessageRejected says so of a sender, or, for an account in the sandbox, of a recipient: the operator mends either."""


class SesMailer:
    """Implements ``ports.Mailer``. ``configuration_set`` reports what becomes of the mail."""

    def __init__(self, client: SESV2Client, *, configuration_set: str | None) -> None:
        self._client = client
        self._configuration_set = configuration_set

    def send(self, message: bytes, *, sender: str, recipient: str, tags: Mapping[str, str]) -> None:
        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": sender,
            "Destination": {"ToAddresses": [recipient]},
            "Content": {"Raw": {"Data": message}},
            "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        try:
            self._client.send_email(**request)
        except ClientError as error:
            raise _translated(error) from error
        except NoConnection as error:
            raise MailUnavailable("SES cannot be reached") from error
        except BotoCoreError as error:
            raise MailUnavailable("SES did not answer", perhaps_sent=True) from error


def _translated(error: ClientError) -> MailRefused | MailUnavailable:
    """SES's own words stay out of it, since they repeat addresses."""
    code = code_of(error)
    said = error.response.get("Error", {}).get("Message", "")
    if code in _REFUSALS and _OF_THE_DEPLOYMENT not in said:
        return MailRefused(code)
    return MailUnavailable(code or "SES failed", perhaps_sent=_is_outage(error))


def _is_outage(error: ClientError) -> bool:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500  # noqa: PLR2004 - HTTP's own
