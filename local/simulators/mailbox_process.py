"""Running the mailbox: in a thread of a test, or as a process of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from local import emulator
from local.simulators.mailbox import Mailbox
from local.simulators.mailbox_receiving import AwsPipeline, Pipeline
from local.simulators.mailbox_sending import LARGEST_REQUEST, Account
from local.simulators.process import serve_under, serving

MAIL_DOMAIN = "invites.example"
"""The verified domain when nobody says another."""


@contextmanager
def running_mailbox(account: Account, pipeline: Pipeline | None = None, port: int = 0) -> Iterator[str]:
    """Serves in a thread for as long as the context lasts; gives the base URL. Raises ``OSError`` on a taken port."""
    with serving(Mailbox(account, pipeline), port, name="mailbox", largest_body=LARGEST_REQUEST) as url:
        yield url


def serve_mailbox(port: int, environment: Mapping[str, str]) -> None:
    """Serves as ``process.serve`` does; the environment says what was set up in SES.

    ``MAIL_DOMAIN`` is the verified domain and ``CONFIGURATION_SET`` its configuration set; with ``AWS_ENDPOINT_URL``,
    ``INBOUND_BUCKET`` and ``INBOUND_TOPIC_ARN`` mail that comes in goes there.
    """
    parent = os.getppid()
    account = Account(environment.get("MAIL_DOMAIN", MAIL_DOMAIN), environment.get("CONFIGURATION_SET") or None)
    mailbox = Mailbox(account, pipeline_of(environment))
    asyncio.run(serve_under(parent, "mailbox", mailbox, port, largest_body=LARGEST_REQUEST))


def pipeline_of(environment: Mapping[str, str]) -> Pipeline | None:
    if not all(environment.get(name) for name in ("AWS_ENDPOINT_URL", "INBOUND_BUCKET", "INBOUND_TOPIC_ARN")):
        return None
    endpoint = environment["AWS_ENDPOINT_URL"]
    return AwsPipeline(
        s3=emulator.client("s3", endpoint),
        sns=emulator.client("sns", endpoint),
        bucket=environment["INBOUND_BUCKET"],
        topic=environment["INBOUND_TOPIC_ARN"],
    )
