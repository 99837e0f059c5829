"""Erasing organizations of very many people: each pass does a part, nobody is queued over and over, nobody is left.

Against the emulator, whose index has pages and which decides races as DynamoDB does.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from freebusy.adapters.dynamodb.access_requests import DynamoAccessRequests
from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.belongings import DynamoBelongings
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.adapters.dynamodb.setups import DynamoSetups
from freebusy.adapters.dynamodb.table import Table
from freebusy.adapters.dynamodb.upstream_channels import DynamoUpstreamHandles
from freebusy.domain.access_request import AccessRequest
from freebusy.domain.account import Account, Disconnected, Identity, ProviderName, Upstream
from freebusy.domain.service_account import ServiceAccount
from freebusy.service.connecting import connect_mailbox
from freebusy.service.erasure import LONGEST_REQUEST, PAGE, STUCK, Erasure
from tests.fakes.clock import NOW, FakeClock
from tests.people import colleague, connected, organization, organization_at_cronofy
from tests.tables import counted_calls, create_table

pytestmark = pytest.mark.emulator

THOUSANDS = 2000


class Killed(Exception):
    """The function was killed here."""


@dataclass
class RecordedQueue:
    queued: list[str] = field(default_factory=list)

    def put(self, subs: Sequence[str], *, after: int = 0) -> None:
        self.queued.extend(subs)

    def postpone(self, receipt: str, *, received: int) -> None:
        raise AssertionError("that is for whoever handles the message")


class Company:
    """An organization in a table of its own that is being erased."""

    def __init__(self, dynamodb: Any, giver: ServiceAccount) -> None:
        self.dynamodb = dynamodb
        self.name = create_table(dynamodb, f"erasing-{uuid4().hex}")
        self.table = Table(dynamodb, self.name)
        self.accounts = DynamoAccounts(dynamodb, self.name)
        self.service_accounts = DynamoServiceAccounts(dynamodb, self.name)
        self.queue = RecordedQueue()
        self.clock = FakeClock()
        self.ended: list[str] = []
        self.giver = giver
        self.service_accounts.connect(giver)
        self.erasure = Erasure(
            accounts=self.accounts,
            service_accounts=self.service_accounts,
            requests=DynamoAccessRequests(dynamodb, self.name),
            setups=DynamoSetups(dynamodb, self.name),
            handles=DynamoUpstreamHandles(dynamodb, self.name),
            belongings=DynamoBelongings(dynamodb, self.name),
            queue=self.queue,
            end_upstream=lambda holder, *_: self.ended.append(holder.sub),
            clock=self.clock,
        )

    def hire(self, number: int, *, like: Callable[[str], Account] | None = None) -> list[str]:
        make = like or (lambda sub: colleague(sub, self.giver))
        people = [make(f"acc_{place:05}") for place in range(number)]
        assert all(map(self.accounts.create, people))
        return [account.sub for account in people]

    def hire_many(self, number: int) -> list[str]:
        """As ``hire``, in less time: what the first one is stored as, under other names."""
        (first,) = self.hire(1)
        stored = [json.dumps(item) for item in self.left() if first in str(item)]
        subs = [first, *(f"acc_{place:05}" for place in range(1, number))]
        self.table.put_many(json.loads(item.replace(first, sub)) for sub in subs[1:] for item in stored)
        return subs

    def revoke(self) -> None:
        """Long enough ago that whoever saw it connected is done."""
        self.service_accounts.disconnect(self.giver.sub, because=Disconnected.REVOKED, now=self.clock())
        self.clock.advance(LONGEST_REQUEST + 1)

    def erase(self) -> bool:
        """One pass over the organization, a minute after the one before; whether nothing was found."""
        self.clock.advance(60)
        return not self.erasure.erase(self.giver.sub)

    def erase_somebody(self, sub: str) -> int:
        """As often as their message comes."""
        for passes in count(1):
            if not self.erasure.erase(sub):
                return passes
        raise AssertionError("unreachable")

    def vanish(self, subs: Collection[str]) -> None:
        """As if each had been erased by their message, in less time."""
        gone = (item for item in self.left() if "sub" in item and item["sub"]["S"] in subs)
        keys = [(item["pk"]["S"], item["sk"]["S"]) for item in gone]
        self.table.delete_many([*keys, *((f"ACCOUNT#{sub}", "ACCOUNT") for sub in subs)])

    def left(self) -> list[Any]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]


@pytest.fixture(scope="module")
def dynamodb(emulator: str) -> Any:
    return boto3.client(
        "dynamodb",
        endpoint_url=emulator,
        region_name="us-east-1",
        aws_access_key_id="laptop",
        aws_secret_access_key="laptop",
        config=Config(max_pool_connections=16),
    )


@pytest.fixture
def company(dynamodb) -> Company:
    return Company(dynamodb, organization())


@pytest.fixture
def hurried(monkeypatch) -> None:
    """Short pages, of which a pass has time for some, however fast it is."""
    monkeypatch.setattr("freebusy.service.erasure.PAGE", 7)
    hurried = count(time.monotonic(), step=2)
    monkeypatch.setattr("freebusy.service.erasure.time", SimpleNamespace(monotonic=hurried.__next__))


def test_thousands_are_queued_once_each_and_then_waited_for_with_a_few_calls(company, dynamodb):
    subs = company.hire_many(THOUSANDS)
    company.revoke()
    with counted_calls(dynamodb) as queueing:
        while not company.service_accounts.find(company.giver.sub).leaving.queued_at:
            assert not company.erase()
    assert Counter(company.queue.queued) == dict.fromkeys(subs, 1)
    pages = THOUSANDS // PAGE
    assert queueing["Scan"] == 0
    assert queueing["BatchGetItem"] <= 2 * pages + 4
    assert queueing.total() < 6 * pages

    with counted_calls(dynamodb) as waiting:
        assert not company.erase()
    assert waiting.total() < 10
    company.vanish({*subs[:-2]})
    assert not company.erase()
    assert {company.erase_somebody(sub) for sub in subs[-2:]} == {3}
    assert not company.erase()  # it is looked at once more itself
    assert company.erase()
    assert company.left() == []
    assert len(company.queue.queued) == THOUSANDS


@pytest.mark.usefixtures("hurried")
def test_it_goes_on_where_it_was_killed_and_repeats_no_more_than_a_page(company, monkeypatch):
    """Anywhere in a pass: before and after each read, message and note."""
    subs = company.hire(100)
    company.revoke()
    chance, kills = Random(7), 0  # noqa: S311 - the same in every run

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def perhaps(*args: Any, **options: Any) -> Any:
            nonlocal kills
            fate = chance.random()
            if fate < 0.15:
                kills += 1
                raise Killed
            answer = call(*args, **options)
            if fate > 0.85:
                kills += 1
                raise Killed
            return answer

        return perhaps

    with monkeypatch.context() as patch:
        for thing, name in (
            (company.accounts, "mailboxes_of"),
            (company.queue, "put"),
            (company.service_accounts, "note_leaving"),
        ):
            patch.setattr(thing, name, mortal(getattr(thing, name)))
        for _ in range(500):
            try:
                assert not company.erase()
            except Killed:
                continue
            if company.service_accounts.find(company.giver.sub).leaving.queued_at:
                break
    assert kills > 10
    assert set(company.queue.queued) == set(subs)
    assert len(company.queue.queued) <= 100 + 7 * kills


@pytest.mark.usefixtures("hurried")
def test_it_is_erased_when_nothing_is_left_of_anybody_whoever_was_killed_on_the_way(company, monkeypatch):
    """All messages in any order, each until it is done with, and every write may be the last one of its function."""
    company.hire(20)
    company.revoke()
    chance, kills = Random(11), 0  # noqa: S311 - as above
    erase = company.erasure.belongings._erase

    def mortal(sub: str, key: Any) -> bool:
        nonlocal kills
        if chance.random() < 0.4:
            kills += 1
            raise Killed
        return erase(sub, key)

    monkeypatch.setattr(company.erasure.belongings, "_erase", mortal)
    waiting, done = [company.giver.sub], []
    company.clock.advance(60)
    while waiting:
        sub = waiting.pop(chance.randrange(len(waiting)))
        try:
            found = company.erasure.erase(sub)
        except Killed:
            found = {"killed": 1}
        waiting += [*([sub] if found else []), *company.queue.queued]
        company.queue.queued.clear()
        if not found:
            done.append(sub)
        if company.accounts.holder(company.giver.sub) is None:
            assert [item for item in company.left() if company.giver.sub not in str(item)] == []
    assert kills > 5
    assert company.left() == []
    assert len(done) == 21


@pytest.mark.usefixtures("hurried")
def test_an_identity_stays_until_its_account_was_looked_at_again(company):
    """Who had read the account before may write until then, and what they wrote would be nobody's."""
    (sub,) = company.hire(1)
    company.erasure.erase(sub)
    assert company.accounts.find(sub) is None
    assert company.accounts.mailboxes_of(company.giver, after="", most=1).subs == [sub]
    company.erasure.erase(sub)
    assert company.left() == [item for item in company.left() if company.giver.sub in str(item)]


def test_nobody_is_taken_for_erased_while_another_pass_has_left_their_identity(company, monkeypatch):
    """Both have read the account, and one of them has erased all but the identity before the other one begins."""
    (sub,) = company.hire(1)
    erase = company.erasure.belongings.erase

    def when_another_pass_is_over(*arguments, **named):
        monkeypatch.setattr(company.erasure.belongings, "erase", erase)
        assert erase(*arguments, **named)
        return erase(*arguments, **named)

    monkeypatch.setattr(company.erasure.belongings, "erase", when_another_pass_is_over)
    assert company.erasure.erase(sub) == {"identity": 1}


def test_of_several_at_once_each_repeats_a_page_at_most(company, monkeypatch):
    monkeypatch.setattr("freebusy.service.erasure.PAGE", 10)
    subs = company.hire(300)
    company.revoke()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: company.erasure.erase(company.giver.sub), range(8)))
    assert set(company.queue.queued) == set(subs)
    assert len(company.queue.queued) <= 300 + 8 * 10


def test_whoever_is_there_for_long_is_queued_again(company):
    """Their message is among the dead letters, or the index was too late to show them."""
    (sub,) = company.hire(1)
    company.revoke()
    assert not company.erase()
    company.clock.advance(STUCK)
    assert not company.erase()
    assert not company.erase()
    assert company.queue.queued == [sub, sub]


def test_that_it_was_connected_again_meanwhile_begins_anew(company):
    company.hire(1)
    company.revoke()
    company.erase()
    company.service_accounts.connect(company.giver)
    connect_mailbox(company.giver, "fay@example.com", accounts=company.accounts, now=NOW)
    company.queue.queued.clear()
    assert not company.erase()  # which disconnects it again
    assert not company.erase()
    assert len(company.queue.queued) == 2


def test_what_is_still_to_be_told_is_forgotten_as_far_as_there_is_time(company, monkeypatch):
    requests = company.erasure.requests
    for number in range(30):
        mine = AccessRequest(
            f"req_{number}", company.giver.client_id, company.giver.sub, "eve@example.com", "", "", None, NOW
        )
        requests.save([mine])
    company.revoke()
    with monkeypatch.context() as patch:
        patch.setattr("freebusy.service.erasure.time", SimpleNamespace(monotonic=count(time.monotonic()).__next__))
        assert not company.erase()
        left = len([*requests.waiting(company.giver.client_id, company.giver.sub)])
        assert 0 < left < 30
    assert not company.erase()
    assert company.erase()
    assert company.left() == []


class TestAtCronofy:
    @pytest.fixture
    def company(self, dynamodb) -> Company:
        return Company(dynamodb, organization_at_cronofy())

    def person(self, company: Company, sub: str, giver: str | None) -> Account:
        account = connected(sub)
        identity = Identity(ProviderName.GOOGLE, sub, f"{sub}@example.com", upstream=Upstream.CRONOFY)
        free_busy = replace(account.profiles[0], identity=identity, service_account=giver)
        return account._replace(profiles=(free_busy, account.profiles[1]))

    @pytest.mark.usefixtures("hurried")
    def test_its_people_are_found_among_all_that_the_application_has_there(self, company):
        """Of which every third is of this organization."""

        def like(sub: str) -> Account:
            return self.person(company, sub, company.giver.sub if int(sub[-5:]) % 3 == 0 else None)

        subs = company.hire(60, like=like)
        company.revoke()
        for _ in range(10):
            assert not company.erase()
        assert Counter(company.queue.queued) == dict.fromkeys(subs[::3], 1)
        for sub in subs[::3]:
            company.erase_somebody(sub)
        for _ in range(10):
            if company.erase():
                break
        assert company.accounts.holder(company.giver.sub) is None
        assert company.accounts.find_many(subs).keys() == set(subs) - set(subs[::3])

    def test_whoever_keeps_an_account_is_taken_off_it_before_anybody_of_the_page_is_queued(self, company, monkeypatch):
        """Somebody wrote the account in between: the page is begun again, and its people are not queued twice."""

        def like(sub: str) -> Account:
            account = self.person(company, sub, company.giver.sub)
            own = connected(f"own{sub}").profiles[0]
            return (
                account._replace(profiles=(account.profiles[0], own, account.profiles[1]))
                if sub == "acc_00000"
                else account
            )

        keeps, goes = company.hire(2, like=like)
        company.revoke()
        with monkeypatch.context() as patch:
            patch.setattr(company.accounts, "remove_profile", lambda *_: False)
            assert not company.erase()
        assert company.queue.queued == []
        assert not company.erase()
        assert company.queue.queued == [goes]
        assert company.ended == [keeps]
        assert len(company.accounts.find(keeps).free_busy_profiles) == 1
