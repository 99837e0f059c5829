"""Sixteen callers at once, one winner: what the emulator's DynamoDB decides under threads, as the real one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from freebusy.adapters.dynamodb.access_requests import DynamoAccessRequests
from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.dynamodb.channels import DynamoChannels
from freebusy.adapters.dynamodb.events import DynamoEvents
from freebusy.adapters.dynamodb.kept_answers import DynamoAnswers
from freebusy.adapters.dynamodb.permits import DynamoPermits
from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
from freebusy.adapters.dynamodb.setups import DynamoSetups
from freebusy.adapters.dynamodb.tokens import DynamoTokens
from freebusy.adapters.vault import KmsVault
from freebusy.domain.access_request import AccessRequest
from freebusy.domain.account import (
    MOST_GRANTS,
    Account,
    Disconnected,
    Grant,
    Identity,
    Profile,
    ProviderCredential,
    ProviderName,
)
from freebusy.domain.application import Application
from freebusy.domain.authorization import AuthorizationCode, AuthorizationRequest
from freebusy.domain.channel import MOST_CHANNELS, Channel, News, NotificationType
from freebusy.domain.errors import InvalidRequest, RequestInProgress, StorageUnavailable
from freebusy.domain.event import When
from freebusy.domain.event_changes import EventUpsert, Invitee
from freebusy.domain.free_busy import Period
from freebusy.domain.idempotency import Answered, KeyedRequest
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.service.announcing import announce
from freebusy.service.applications import add_redirect_uris, rotate_secret
from freebusy.service.connecting import connect_mailbox
from freebusy.service.events import delete_event, upsert_event
from freebusy.service.idempotency import carry_out_once
from freebusy.service.organization_reader import OrganizationReader
from freebusy.service.rate_limits import RateLimiter
from tests.administrators import a_setup
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.vaults import FakeSecretVault
from tests.organizations import FakeOrganizationCalendars
from tests.people import busy, colleague, organization, organization_at_cronofy
from tests.tables import create_table

pytestmark = pytest.mark.emulator

CALLERS = 16
ROUNDS = 12
LATER = NOW + 300
CODE = AuthorizationCode("app", "acc", "pro", "https://app.example/cb", "free_busy_write", None, LATER)
REFRESH = TokenRecord(TokenKind.REFRESH, "app", LATER, "acc", "grant", "free_busy_write")


@pytest.fixture(scope="module")
def connect(emulator: str) -> Callable[[str], Any]:
    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=emulator,
            region_name="us-east-1",
            aws_access_key_id="laptop",
            aws_secret_access_key="laptop",
            config=Config(max_pool_connections=CALLERS),
        )

    return client


@pytest.fixture(scope="module")
def dynamodb(connect) -> Any:
    return connect("dynamodb")


@pytest.fixture(scope="module")
def table(dynamodb) -> str:
    return create_table(dynamodb, f"races-{uuid4().hex}")


@pytest.fixture(scope="module")
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CALLERS) as pool:
        yield pool


@pytest.fixture
def race(callers) -> Callable[[Callable[[int], Any]], list[Any]]:
    """Lets all callers go at the same moment; returns what each of them got."""

    def race(attempt: Callable[[int], Any]) -> list[Any]:
        barrier = Barrier(CALLERS)

        def run(caller: int) -> Any:
            barrier.wait()
            return attempt(caller)

        return list(callers.map(run, range(CALLERS)))

    return race


@pytest.fixture
def accounts(dynamodb, table) -> DynamoAccounts:
    return DynamoAccounts(dynamodb, table)


@pytest.fixture
def tokens(dynamodb, table) -> DynamoTokens:
    return DynamoTokens(dynamodb, table)


def account(sub: str, subject: str, grants: tuple[Grant, ...] = ()) -> Account:
    identity = Identity(ProviderName.GOOGLE, subject, "ana@example.com")
    connected = Profile("pro", identity.provider, identity.email, "cal", identity, b"sealed", LATER)
    managed = Profile("pro_managed", ProviderName.MANAGED, "Cronofy", "cal_managed")
    listed = {grant.grant_id: grant for grant in grants}
    return Account(sub, "app", identity.email, None, "UTC", (connected, managed), listed)


def winner_of(outcomes: list[Any]) -> int:
    winners = [caller for caller, outcome in enumerate(outcomes) if outcome]
    assert len(winners) == 1
    return winners[0]


def names() -> list[str]:
    return [uuid4().hex for _ in range(ROUNDS)]


def test_a_code_is_redeemed_once(race, accounts, tokens):
    accounts.create(account("acc", uuid4().hex))
    for code_hash in names():
        tokens.save_code(code_hash, CODE)

        def redeem(caller, code_hash=code_hash):
            grant = Grant(f"{code_hash}-{caller}", "free_busy_write", NOW)
            bought = {f"{code_hash}-{caller}": REFRESH._replace(grant_id=grant.grant_id)}
            return tokens.redeem_code(code_hash, code=CODE, grant=grant, tokens=bought, now=NOW)

        winner = winner_of(race(redeem))
        assert tokens.bought_with(code_hash) == ("acc", f"{code_hash}-{winner}")
        listed = [grant_id for grant_id in accounts.find("acc").grants if grant_id.startswith(code_hash)]
        assert listed == [f"{code_hash}-{winner}"]
        stored = [caller for caller in range(CALLERS) if tokens.find(f"{code_hash}-{caller}", NOW)]
        assert stored == [winner]


def test_codes_of_one_account_are_all_redeemed_and_only_the_newest_grants_stay(race, accounts, tokens):
    sub = f"acc_{uuid4().hex}"
    old = tuple(Grant(f"old-{age:02}", "free_busy_write", NOW - 1 - age) for age in range(MOST_GRANTS - 4))
    accounts.create(account(sub, uuid4().hex, old))
    code = CODE._replace(sub=sub)
    codes = [uuid4().hex for _ in range(CALLERS)]
    for code_hash in codes:
        tokens.save_code(code_hash, code)

    def redeem(caller):
        grant = Grant(f"new-{caller}", "free_busy_write", NOW)
        for _ in range(CALLERS):
            try:
                return tokens.redeem_code(codes[caller], code=code, grant=grant, tokens={}, now=NOW)
            except StorageUnavailable:
                continue
        return False

    assert all(race(redeem))
    kept = {f"old-{age:02}" for age in range(MOST_GRANTS - CALLERS)}
    assert set(accounts.find(sub).grants) == kept | {f"new-{caller}" for caller in range(CALLERS)}


def test_a_state_is_consumed_once(race, tokens):
    request = AuthorizationRequest(
        "app", "https://app.example/cb", "free_busy_write", None, None, ProviderName.GOOGLE, "browser", LATER
    )
    for state_hash in names():
        tokens.save_authorization_request(state_hash, request)
        outcomes = race(
            lambda _, state_hash=state_hash: tokens.consume_authorization_request(
                state_hash, browser_hash="browser", now=NOW
            )
        )
        assert outcomes[winner_of(outcomes)] == request


def test_a_setup_is_consumed_once(race, dynamodb, table):
    setups = DynamoSetups(dynamodb, table)
    for handle_hash in names():
        setups.save(handle_hash, a_setup())
        winner_of(
            race(lambda _, handle_hash=handle_hash: setups.consume(handle_hash, browser_hash="browser", now=NOW)),
        )
        assert setups.find(handle_hash, NOW) is None


def test_an_answer_of_cronofys_is_taken_once(race, dynamodb, table):
    requests = DynamoAccessRequests(dynamodb, table)
    for name in names():
        request = AccessRequest(f"req_{name}", "app", "ser", "ana@example.com", "https://app.example", "s", None, NOW)
        requests.save([request])
        requests.expect_answer(name, request, until=LATER)
        outcomes = race(lambda _, name=name: requests.take_answer(name, NOW))
        assert outcomes[winner_of(outcomes)] == request.request_id


def test_a_link_token_is_consumed_once(race, tokens):
    for token_hash in names():
        tokens.save_link_token(token_hash, client_id="app", sub="acc", expires_at=LATER)
        winner_of(
            race(
                lambda _, token_hash=token_hash: tokens.consume_link_token(token_hash, client_id="app", now=NOW),
            )
        )


def test_a_refresh_token_is_rotated_once(race, tokens):
    for refresh_hash in names():
        tokens.save(refresh_hash, REFRESH)

        def rotate(caller, refresh_hash=refresh_hash):
            return tokens.rotate(
                refresh_hash,
                successor_hash=f"{refresh_hash}-{caller}",
                successor=REFRESH,
                derived_with=caller,
                now=NOW + caller,
            )

        winner = winner_of(race(rotate))
        rotated = tokens.find(refresh_hash, NOW)
        assert (rotated.rotated_at, rotated.derived_with) == (NOW + winner, winner)
        stored = [caller for caller in range(CALLERS) if tokens.find(f"{refresh_hash}-{caller}", NOW)]
        assert stored == [winner]


def test_a_refresh_is_leased_to_one_caller_and_written_once(race, accounts):
    sub = f"acc_{uuid4().hex}"
    accounts.create(account(sub, uuid4().hex))
    for version in range(ROUNDS):
        winner_of(
            race(
                lambda _, version=version: accounts.lease_refresh(sub, "pro", version=version, now=NOW, seconds=10),
            )
        )
        winner = winner_of(
            race(
                lambda caller, version=version: accounts.renew(
                    sub, "pro", sealed=b"by %d" % caller, expires_at=LATER, version=version
                ),
            )
        )
        profile = accounts.find(sub).profile("pro")
        assert (profile.version, profile.sealed_credential) == (version + 1, b"by %d" % winner)


class TestOrganizations:
    """Sandboxes that read one organization at once, each with a reader of its own."""

    @pytest.fixture
    def service_accounts(self, dynamodb, table):
        return DynamoServiceAccounts(dynamodb, table)

    @pytest.fixture
    def ser(self, service_accounts):
        ser = organization(f"ser_{uuid4().hex}", client_id=uuid4().hex)
        service_accounts.connect(ser)
        return ser

    @pytest.fixture
    def vaults(self, connect, dynamodb, table):
        kms = connect("kms")
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        return [KmsVault(kms, dynamodb, table, key_id=key_id) for _ in range(CALLERS)]

    @pytest.fixture
    def read_all(self, race, ser, service_accounts, vaults):
        """What each sandbox read of three colleagues."""
        people = [colleague(f"acc_{number}", ser) for number in range(3)]

        def read_all(calendars):
            calendars.kept = {each.email: busy((1, 2)) for each in people} | {"admin@example.com": []}

            def read(caller):
                reader = OrganizationReader(
                    service_accounts=service_accounts,
                    calendars={ProviderName.GOOGLE: calendars},
                    vault=vaults[caller],
                    clock=FakeClock(),
                )
                with ThreadPoolExecutor(4) as pool:
                    sources = [(each, each.profiles[0]) for each in people]
                    under_way = reader.start(
                        sources, Period(NOW, NOW + 86400), deadline=time.monotonic() + 20, pool=pool
                    )
                    return list(under_way.finish().values())

            return race(read)

        return read_all

    def test_all_who_renew_its_token_read_with_one_and_one_is_kept(self, read_all, ser, service_accounts, vaults):
        for before in (0, 2, 4):
            calendars = FakeOrganizationCalendars()
            assert read_all(calendars) == [[busy((1, 2))] * 3] * CALLERS
            kept = service_accounts.find(ser.sub)
            opened = vaults[0].unseal(kept.sealed_credential, client_id=ser.client_id, profile_id=ser.sub)
            assert kept.version == before + 1
            issued = {f"token {number} of example.com" for number in range(1, len(calendars.credentials) + 1)}
            assert opened.access_token in issued
            stale = replace(opened, expires_at=NOW)
            sealed = vaults[0].seal(stale, client_id=ser.client_id, profile_id=ser.sub)
            assert service_accounts.renew(ser.sub, sealed=sealed, version=kept.version)

    def test_that_it_withdrew_is_found_out_by_many_and_marked_once(self, read_all, ser, service_accounts):
        readings = read_all(FakeOrganizationCalendars(delegated=set()))
        assert {error.reason for each in readings for error in each} == {"delegation_missing"}
        marked = service_accounts.find(ser.sub)
        assert (marked.disconnected, marked.disconnected_at, marked.version) == (Disconnected.WITHDRAWN, NOW, 1)

    def test_a_credential_at_cronofy_is_renewed_by_one(self, race, service_accounts):
        sub = f"ser_{uuid4().hex}"
        service_accounts.connect(organization_at_cronofy(sub, client_id=uuid4().hex))

        def lease(_: int) -> bool:
            return service_accounts.lease_refresh(sub, version=0, now=NOW, seconds=30)

        winner_of(race(lease))


def test_one_account_is_made_for_a_person_who_comes_twice_at_once(race, accounts):
    for subject in names():
        winner = winner_of(
            race(lambda caller, subject=subject: accounts.create(account(f"{subject}-{caller}", subject)))
        )
        identity = Identity(ProviderName.GOOGLE, subject, "ana@example.com")
        assert accounts.sub_of("app", identity) == f"{subject}-{winner}"
        assert list(accounts.find_many([f"{subject}-{caller}" for caller in range(CALLERS)])) == [f"{subject}-{winner}"]


def test_one_account_is_made_for_a_mailbox_that_is_asked_for_many_times_at_once(race, accounts):
    service_account = organization(client_id="app")
    for name in names():

        def connect(_, mailbox=f"{name}@example.com"):
            return connect_mailbox(service_account, mailbox, accounts=accounts, now=NOW)

        made = race(connect)
        assert len(set(made)) == 1
        account = accounts.find(made[0].sub)
        assert (account.client_id, len(account.profiles)) == ("app", 2)
        assert account.profiles[0].service_account == service_account.sub


def test_a_mailbox_that_is_disconnected_while_it_is_asked_for_stays_so(race, accounts):
    """An answer that has looked at it before may not write after it."""
    giver = organization()
    for name in names():
        mailbox = f"{name}@example.com"
        made = connect_mailbox(giver, mailbox, accounts=accounts, now=NOW)
        accounts.disconnect(made.sub, made.profile_id, because=Disconnected.CREDENTIAL_REVOKED)

        def attempt(caller, made=made, mailbox=mailbox):
            if caller == 0:
                return accounts.disconnect(made.sub, made.profile_id, because=Disconnected.REVOKED)
            with suppress(StorageUnavailable):
                connect_mailbox(giver, mailbox, accounts=accounts, now=NOW)
            return None

        race(attempt)
        assert accounts.find(made.sub).profile(made.profile_id).disconnected is Disconnected.REVOKED


def test_sandboxes_that_need_a_first_data_key_at_once_end_with_one(race, connect, dynamodb, table):
    kms = connect("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    credential = ProviderCredential("access", "refresh", LATER)
    for client_id in names()[:4]:
        vaults = [KmsVault(kms, dynamodb, table, key_id=key_id) for _ in range(CALLERS)]

        def seal(caller, vaults=vaults, client_id=client_id):
            return vaults[caller].seal(credential, client_id=client_id, profile_id="pro")

        sealed = race(seal)
        fresh = KmsVault(kms, dynamodb, table, key_id=key_id)
        assert {fresh.unseal(each, client_id=client_id, profile_id="pro") for each in sealed} == {credential}
        assert len({vault.derive(client_id, "value") for vault in vaults}) == 1


def test_of_all_who_replace_a_data_key_at_once_one_adds_it(race, connect, dynamodb, table):
    kms = connect("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    credential = ProviderCredential("access", "refresh", LATER)
    for client_id in names()[:4]:
        vaults = [KmsVault(kms, dynamodb, table, key_id=key_id) for _ in range(CALLERS)]
        vaults[0].seal(credential, client_id=client_id, profile_id="pro")

        def add(caller, vaults=vaults, client_id=client_id):
            vaults[caller].add_key(client_id, after=1)
            return vaults[caller].seal(credential, client_id=client_id, profile_id="pro")

        sealed = race(add)
        fresh = KmsVault(kms, dynamodb, table, key_id=key_id)
        assert {fresh.key_of(each) for each in sealed} == {2}
        assert {fresh.unseal(each, client_id=client_id, profile_id="pro") for each in sealed} == {credential}


def test_no_change_to_an_application_is_lost(race, dynamodb, table):
    registry = DynamoApplications(dynamodb, table)
    client_id = uuid4().hex
    registry.create(Application(client_id, "Scheduler", ("https://app.example/cb",)))

    def add(caller):
        for _ in range(CALLERS):
            try:
                return add_redirect_uris(client_id, [f"https://app.example/{caller}"], registry=registry)
            except StorageUnavailable:
                continue
        return None

    assert all(race(add))
    assert len(registry.find(client_id).redirect_uris) == CALLERS + 1


def test_two_secrets_live_at_once_however_many_ask(race, dynamodb, table):
    registry = DynamoApplications(dynamodb, table)
    client_id = uuid4().hex
    registry.create(Application(client_id, "Scheduler", ("https://app.example/cb",)))

    def rotate(_):
        try:
            return rotate_secret(client_id, registry=registry, vault=FakeSecretVault(), now=NOW)
        except InvalidRequest:
            return None

    assert sum(outcome is not None for outcome in race(rotate)) == 2
    assert len(registry.find(client_id).secrets) == 2


class TestEvents:
    """Everybody who writes an event is told that it was stored, and it was: one after the other."""

    @pytest.fixture
    def sub(self, accounts):
        sub = f"acc_{uuid4().hex}"
        accounts.create(account(sub, uuid4().hex))
        return sub

    @pytest.fixture
    def events(self, dynamodb, table):
        return DynamoEvents(dynamodb, table)

    @pytest.fixture
    def upsert(self, accounts, events, sub):
        def upsert(caller, event_id="e", **wanted):
            usual = {"event_id": event_id, "summary": f"by {caller}", "when": When(NOW, NOW + 3600)}
            upsert_event(
                accounts.find(sub),
                "cal_managed",
                EventUpsert(**usual | wanted),
                accounts=accounts,
                events=events,
                now=NOW,
            )
            return True

        return upsert

    def test_of_upserts_that_differ_one_is_the_last(self, race, events, sub, upsert):
        assert all(race(upsert))
        event = events.find(sub, "e")
        assert event.details.summary in {f"by {caller}" for caller in range(CALLERS)}
        # The first to be stored created it; each of the others changed its summary.
        assert (event.sequence, event.revision, event.version) == (CALLERS - 1, CALLERS, CALLERS)
        assert (event.timed_sequence, event.revised_at) == (0, NOW + CALLERS - 1)
        assert events.find_by_organizer(event.organizer) == event

    def test_of_upserts_that_agree_one_is_stored(self, race, events, sub, upsert):
        assert all(race(lambda _: upsert("somebody")))
        event = events.find(sub, "e")
        assert (event.sequence, event.revision, event.version) == (0, 1, 1)

    def test_no_invitation_is_lost(self, race, events, sub, upsert):
        guests = [f"guest-{caller}@example.com" for caller in range(CALLERS)]
        assert all(race(lambda caller: upsert("somebody", invite=(Invitee(guests[caller]),))))
        event = events.find(sub, "e")
        assert {attendee.email for attendee in event.attendees[1:]} == set(guests)

    def test_an_account_takes_many_first_events_at_once(self, race, accounts, events, sub, upsert):
        assert all(race(lambda caller: upsert(caller, f"e-{caller}")))
        assert len(list(events.all_of(sub))) == CALLERS
        assert accounts.find(sub).has_events

    def test_a_deletion_among_upserts_takes_its_turn(self, race, accounts, events, sub, upsert):
        upsert("somebody")

        def write(caller):
            if caller % 2:
                return upsert(caller)
            delete_event(accounts.find(sub), "cal_managed", "e", events=events, now=NOW)
            return True

        assert all(race(write))
        event = events.find(sub, "e")
        assert event.sequence + 1 == event.revision == event.version
        assert event.deleted or event.details.summary.startswith("by ")


@pytest.mark.parametrize("limit", [1, 40, 500])
def test_sandboxes_admit_no_more_than_the_limit_and_hardly_less(race, dynamodb, table, limit):
    """What one has taken and another one could have used is lost: a part of the limit, which is stated."""
    limiters = [
        RateLimiter(
            applications=FakeApplications(), permits=lambda: DynamoPermits(dynamodb, table), default=limit, clock=clock
        )
        for clock in [FakeClock()] * CALLERS
    ]
    client_id = uuid4().hex

    def ask(caller: int) -> int:
        return sum(limiters[caller].count(client_id).admitted for _ in range(limit))

    assert 0.9 * limit <= sum(race(ask)) <= limit


def test_of_many_who_open_the_last_channel_one_does(race, accounts, dynamodb, table):
    channels = DynamoChannels(dynamodb, table)
    sub = f"acc_{uuid4().hex}"
    assert accounts.create(account(sub, sub))
    for number in range(MOST_CHANNELS - 1):
        assert channels.create(Channel(f"chn_{number}", sub, "app", "https://app.example/hook"))
    opened = race(lambda caller: channels.create(Channel(f"chn_last_{caller}", sub, "app", "https://app.example/hook")))
    assert sum(opened) == 1
    assert len(channels.of(sub)) == MOST_CHANNELS
    assert sum(race(lambda _: channels.close(sub, "chn_7"))) == 1
    assert sum(race(lambda caller: channels.create(Channel(f"chn_new_{caller}", sub, "app", "https://a.example")))) == 1


def test_nothing_that_is_noted_at_once_is_lost(race, accounts, dynamodb, table):
    channels = DynamoChannels(dynamodb, table)
    sub = f"acc_{uuid4().hex}"
    assert accounts.create(account(sub, sub))
    assert channels.create(Channel("chn_1", sub, "app", "https://app.example/hook", version=1))
    race(lambda caller: announce(News(sub, NotificationType.CHANGE, NOW - caller), channels=channels))
    (noted,) = channels.of(sub)
    assert noted.pending == {NotificationType.CHANGE: NOW - CALLERS + 1}
    assert noted.version == 1 + CALLERS


def test_a_request_with_a_key_is_carried_out_once_however_many_send_it(race, dynamodb, table):
    effects: list[int] = []

    def send(caller: int) -> Answered | None:
        def carry_out() -> Answered:
            effects.append(caller)
            return Answered(202, f"by {caller}")

        request = KeyedRequest("app", "acc", key, "POST", "/v1/batch", "{}")
        try:
            return carry_out_once(request, carry_out, answers=DynamoAnswers(dynamodb, table), now=NOW)
        except RequestInProgress:
            return None

    for _ in range(ROUNDS):
        key = uuid4().hex
        effects.clear()
        told = race(send)
        assert len(effects) == 1
        assert set(told) - {None} == {send(0)} == {Answered(202, f"by {effects[0]}")}
