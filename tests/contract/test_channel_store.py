"""What every store of channels promises: the fake and DynamoDB, as two emulators know it, pass the same rules."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.accounts import DynamoAccounts
from freebusy.adapters.dynamodb.applications import DynamoApplications
from freebusy.adapters.dynamodb.channels import DynamoChannels
from freebusy.adapters.dynamodb.upstream_channels import DynamoUpstreamHandles
from freebusy.domain.channel import MOST_CHANNELS, Channel, NotificationType
from freebusy.domain.errors import NotFound
from freebusy.ports import AccountStore, ChannelStore
from tests.fakes.accounts import FakeAccounts
from tests.fakes.channels import FakeChannels
from tests.fakes.clock import NOW
from tests.fakes.upstream_channels import FakeUpstreamHandles
from tests.people import CLIENT_ID, connected
from tests.tables import create_table

CHANGE, VERIFICATION = NotificationType.CHANGE, NotificationType.VERIFICATION


class Stores(NamedTuple):
    accounts: AccountStore
    channels: ChannelStore


@pytest.fixture(params=["fake", "moto", pytest.param("ministack", marks=pytest.mark.emulator)])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        accounts = FakeAccounts()
        stores = Stores(accounts, FakeChannels(accounts))
    else:
        dynamodb = request.getfixturevalue(request.param)
        table = create_table(dynamodb, f"table-{uuid4().hex}")
        stores = Stores(DynamoAccounts(dynamodb, table), DynamoChannels(dynamodb, table))
    for sub in ("acc_1", "acc_2"):
        assert stores.accounts.create(connected(sub))
    return stores


def channel(name: str = "chn_1", sub: str = "acc_1", **more: object) -> Channel:
    channel = Channel(name, sub, CLIENT_ID, f"https://app.example/{name}", pending={VERIFICATION: NOW})
    return replace(channel, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("calendar_ids", [(), ("cal_1", "cal_2")])
@pytest.mark.parametrize("only_managed", [True, False])
def test_a_channel_comes_back_as_it_was_stored(stores, calendar_ids, only_managed):
    stored = channel(calendar_ids=calendar_ids, only_managed=only_managed)
    assert stores.channels.create(stored)
    assert stores.channels.find("acc_1", "chn_1") == stored
    assert stores.channels.of("acc_1") == [stored]
    assert stores.channels.of("acc_2") == []
    assert stores.channels.find("acc_2", "chn_1") is None


def test_an_account_has_so_many_and_no_more_until_one_is_closed(stores):
    for number in range(MOST_CHANNELS):
        assert stores.channels.create(channel(f"chn_{number:03}"))
    assert not stores.channels.create(channel("chn_more"))
    assert stores.channels.create(channel("chn_1", "acc_2"))
    assert stores.channels.close("acc_1", "chn_007")
    assert stores.channels.create(channel("chn_more"))
    assert len(stores.channels.of("acc_1")) == MOST_CHANNELS


def test_nobody_has_a_channel_whose_account_is_gone(stores):
    with pytest.raises(NotFound):
        stores.channels.create(channel(sub="acc_3"))
    assert stores.channels.of("acc_3") == []


@pytest.mark.parametrize("name", ["chn_2", "", "x" * 3000, "☃", "\ud800"])
def test_what_was_never_opened_is_neither_found_nor_closed(stores, name):
    stores.channels.create(channel())
    assert stores.channels.find("acc_1", name) is None
    assert not stores.channels.close("acc_1", name)
    assert stores.channels.find("acc_1", "chn_1")


def test_a_channel_is_closed_once(stores):
    stores.channels.create(channel())
    assert not stores.channels.close("acc_2", "chn_1")
    assert stores.channels.close("acc_1", "chn_1")
    assert not stores.channels.close("acc_1", "chn_1")
    assert stores.channels.find("acc_1", "chn_1") is None


def test_what_is_noted_is_pending_for_whoever_read_the_last_version(stores):
    stores.channels.create(channel())
    noted = channel(pending={CHANGE: NOW - 5}, version=2)
    assert stores.channels.note(noted, over=1)
    assert not stores.channels.note(replace(noted, pending={}, version=2), over=1)
    assert stores.channels.find("acc_1", "chn_1") == noted


def test_nothing_can_be_noted_in_a_closed_channel(stores):
    assert not stores.channels.note(channel(version=2), over=1)
    assert stores.channels.find("acc_1", "chn_1") is None


def test_what_was_told_is_not_pending_unless_something_came_meanwhile(stores):
    stores.channels.create(channel())
    stores.channels.failing(channel(), now=NOW)
    stores.channels.note(channel(pending={CHANGE: NOW}, version=2), over=1)
    stores.channels.told(channel(version=1, failing_since=NOW))
    read = stores.channels.find("acc_1", "chn_1")
    assert read.pending == {CHANGE: NOW}
    assert read.failing_since is None, "its server has answered, whatever else it is to be told"
    stores.channels.told(read)
    assert stores.channels.find("acc_1", "chn_1") == channel(pending={}, version=2)


def test_a_server_fails_since_it_began_to(stores):
    stores.channels.create(channel())
    assert stores.channels.failing(channel(), now=NOW) == NOW
    read = stores.channels.find("acc_1", "chn_1")
    assert read.failing_since == NOW
    assert stores.channels.failing(read, now=NOW + 60) == NOW
    assert stores.channels.failing(channel("chn_closed"), now=NOW + 60) == NOW + 60
    assert stores.channels.find("acc_1", "chn_closed") is None


def test_an_account_says_how_many_it_has(moto):
    table = create_table(moto, f"table-{uuid4().hex}")
    accounts, channels = DynamoAccounts(moto, table), DynamoChannels(moto, table)
    accounts.create(connected("acc_1"))
    channels.create(channel("chn_1"))
    channels.create(channel("chn_2"))
    channels.close("acc_1", "chn_1")
    assert accounts.find("acc_1").channels == 1


def test_an_erased_application_leaves_no_channel(moto):
    table = create_table(moto, f"table-{uuid4().hex}")
    channels, handles = DynamoChannels(moto, table), DynamoUpstreamHandles(moto, table)
    DynamoAccounts(moto, table).create(connected("acc_1"))
    channels.create(channel())
    handles.save("hash", client_id=CLIENT_ID, sub="acc_1", profile_id="pro_1")
    assert DynamoApplications(moto, table, pause=lambda _: None).erase(CLIENT_ID)
    assert channels.of("acc_1") == []
    assert handles.find("hash") is None


@pytest.mark.parametrize("kept_by", ["fake", "moto"])
def test_a_handle_says_for_whom_it_is_until_it_is_forgotten(request, kept_by):
    handles = FakeUpstreamHandles()
    if kept_by == "moto":
        dynamodb = request.getfixturevalue("moto")
        handles = DynamoUpstreamHandles(dynamodb, create_table(dynamodb, f"table-{uuid4().hex}"))
    for _ in range(2):
        handles.save("hash", client_id=CLIENT_ID, sub="acc_1", profile_id="pro_1")
    assert handles.find("hash") == ("acc_1", "pro_1")
    assert handles.find("another") is None
    for _ in range(2):
        handles.forget("hash")
    assert handles.find("hash") is None
