"""A deployment in this process: the real handlers, adapters and wiring, with AWS as moto has it.

``replay_aws`` and ``in_memory`` take AWS out of a measurement, the one by repeating what moto answered before, the
other by leaving out the AWS SDK as well.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from freebusy.bootstrap import Dependencies, dependencies
from freebusy.domain.account import Account, ProviderCredential, ProviderName
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.entrypoints import audit
from freebusy.settings import settings
from tests import api
from tests.api import Answer
from tests.fakes.accounts import FakeAccounts
from tests.fakes.tokens import FakeTokens
from tests.people import CLIENT_ID, connected
from tests.tables import create_table

SECRET = "fbc_cs_of-the-benchmark"  # noqa: S105 - guards made-up people
call = partial(api.call, compared=False)
"""Through the real ``lambda_handler``, and nothing else."""

PROVIDERS = (ProviderName.GOOGLE, ProviderName.MICROSOFT)

_QUARTER, _HOUR, _DAY = 900, 3600, 86400


@contextmanager
def deployed(**environment: str) -> Iterator[Dependencies]:
    """The dependencies of the handlers, and an application that calls with ``SECRET``. Audit records go nowhere."""
    with mock_aws():
        os.environ |= {
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "PUBLIC_URL": "https://calendar.example.com",
            **environment,
        }
        os.environ["TABLE_NAME"] = create_table(boto3.client("dynamodb"), "table")
        os.environ["CREDENTIAL_KEY_ID"] = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        settings.cache_clear()
        dependencies.cache_clear()
        wired = dependencies()
        wired.tokens.save(hashed(SECRET), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, patch.object(audit, "stdout", lambda: nowhere):
            yield wired


# --- People -----------------------------------------------------------------------------------------------


def person(number: int, wired: Dependencies, credential: ProviderCredential | None = None) -> Account:
    """Half of them are at Google, half at Microsoft; their credential is one that the vault opens."""
    account = connected(sub_of(number), providers=[PROVIDERS[number % 2]], expires_at=_in_an_hour())
    (profile,) = account.free_busy_profiles
    sealed = wired.vault.seal(
        credential or made_up_credential(number), client_id=CLIENT_ID, profile_id=profile.profile_id
    )
    return account._replace(profiles=(replace(profile, sealed_credential=sealed), account.managed_profile))


def sub_of(number: int) -> str:
    return f"acc_{number:024x}"


def made_up_credential(number: int) -> ProviderCredential:
    """As long as Google's are."""
    return ProviderCredential(access_token(number), "1//" + "r" * 100, _in_an_hour())


def access_token(number: int) -> str:
    return f"ya29.{number:0215}"


def _in_an_hour() -> int:
    return int(time.time()) + _HOUR


# --- Queries ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Diary:
    """What everybody is busy with: ``meetings`` from 8 to 18 o'clock, spread over ``days`` days from tomorrow.

    Each takes half an hour, an hour or an hour and a half, and starts on a quarter; they may overlap, as meetings do.
    """

    days: int
    meetings: int

    @property
    def windows(self) -> list[Period]:
        first = (int(time.time()) // _DAY + 1) * _DAY
        return [Period(first + day * _DAY + 8 * _HOUR, first + day * _DAY + 18 * _HOUR) for day in range(self.days)]

    def of(self, number: int) -> list[FreeBusyPeriod]:
        draw = random.Random(number)  # noqa: S311 - made-up meetings, the same in every run
        windows = self.windows
        rows = []
        for _ in range(self.meetings):
            start = draw.choice(windows).start + _QUARTER * draw.randrange(40)
            rows.append(FreeBusyPeriod(start, start + draw.choice((2, 4, 6)) * _QUARTER, FreeBusyStatus.BUSY))
        return sorted(rows)


def availability_body(members: Sequence[str], diary: Diary, *, required: int | str, **more: Any) -> str:
    return json.dumps(
        {
            "participants": [{"members": [{"sub": sub} for sub in members], "required": required}],
            "required_duration": {"minutes": 30},
            "query_periods": [{"start": _utc(start), "end": _utc(end)} for start, end in diary.windows],
            **more,
        }
    )


def ask_availability(body: str) -> Answer:
    """Through the real ``lambda_handler``."""
    answer = call("availability", "POST", "/v1/availability", body=body, bearer=SECRET)
    if answer.status != 200 or "unreadable_members" in answer.body:  # noqa: PLR2004 - OK
        raise RuntimeError(f"not a measurement: {answer.status} {answer.body[:300]}")
    return answer


def _utc(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


# --- Without AWS ---------------------------------------------------------------------------------------------


def replay_aws(wired: Dependencies) -> None:
    """From now on, a DynamoDB request of the same bytes is answered as it was the first time, without moto's own work.

    What is left is what the AWS SDK does in a function: building, signing, parsing.
    """
    answers: dict[tuple[Any, Any], tuple[int, Any, bytes]] = {}

    def replay(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        asked = request.headers["X-Amz-Target"], request.body
        if asked not in answers:
            answer: Any = botocore_stubber("before-send", request)
            answers[asked] = answer.status_code, answer.headers, answer.content
        status, headers, body = answers[asked]
        return AWSResponse(request.url, status, headers, MockRawResponse(body))

    events: Any = wired.dynamodb.meta.events
    events.unregister("before-send", botocore_stubber)
    events.register("before-send", replay)


def in_memory(people: Iterable[Account]) -> tuple[FakeAccounts, FakeTokens]:
    """Stores without a table. The vault stays as it is, and has its data key in memory."""
    accounts = FakeAccounts(*people)
    tokens = FakeTokens(accounts)
    tokens.save(hashed(SECRET), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))
    return accounts, tokens
