"""What a channel wants to hear of, and how news pile up in it."""

from __future__ import annotations

import pytest

from freebusy.domain.channel import Channel, News, NotificationType

CHANGE = NotificationType.CHANGE


def channel(**filters: object) -> Channel:
    return Channel("chn_1", "acc_1", "client-1", "https://app.example/hook", **filters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("filters", "news", "wanted"),
    [
        pytest.param({}, {"calendar_id": "cal_1"}, True, id="no filter, every change"),
        pytest.param({}, {"calendar_id": "cal_1", "managed": False}, True, id="the person's own events too"),
        pytest.param({"calendar_ids": ("cal_1",)}, {"calendar_id": "cal_1"}, True, id="a calendar that was named"),
        pytest.param({"calendar_ids": ("cal_1",)}, {"calendar_id": "cal_2"}, False, id="a calendar that was not"),
        pytest.param({"only_managed": True}, {"calendar_id": "cal_1"}, True, id="a managed event"),
        pytest.param({"only_managed": True}, {"calendar_id": "cal_1", "managed": False}, False, id="not a managed one"),
        pytest.param(
            {"only_managed": True, "calendar_ids": ("cal_2",)}, {"calendar_id": "cal_1"}, False, id="both must hold"
        ),
    ],
)
def test_filters_narrow_changes(filters, news, wanted):
    assert channel(**filters).wants(News("acc_1", CHANGE, 0, **news)) is wanted


@pytest.mark.parametrize("kind", sorted(set(NotificationType) - {CHANGE}))
def test_whoever_has_a_channel_hears_of_every_profile(kind):
    assert channel(only_managed=True, calendar_ids=("cal_2",)).wants(News("acc_1", kind, 0))


@pytest.mark.parametrize("order", [(10, 20, 30), (30, 20, 10), (20, 10, 30)])
def test_several_changes_are_one_since_the_earliest(order):
    heard = channel()
    for since in order:
        heard = heard.hearing(News("acc_1", CHANGE, since))
    assert heard.pending == {CHANGE: 10}


def test_each_piece_of_news_makes_another_version():
    heard = channel().hearing(News("acc_1", CHANGE, 10)).hearing(News("acc_1", CHANGE, 20))
    assert heard.version == channel().version + 2
