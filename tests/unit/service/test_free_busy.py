import pytest

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import InvalidRequest, ProviderUnavailable
from freebusy.domain.free_busy import FreeBusyStatus
from freebusy.service.calendar_reader import CalendarReader
from freebusy.service.free_busy import FreeBusyQuery, FreeBusyRow, read_free_busy
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.events import FakeEvents
from tests.fakes.vaults import FakeVault
from tests.organizations import no_organizations
from tests.people import FakeCalendars, busy, connected

DAY = 86400
TODAY = NOW - NOW % DAY
BOTH = (ProviderName.GOOGLE, ProviderName.MICROSOFT)


def read(account, query=None, **calendars):
    kept = FakeCalendars(**calendars)
    reader = CalendarReader(
        accounts=FakeAccounts(account),
        events=FakeEvents(),
        vault=FakeVault(),
        providers=dict.fromkeys(BOTH, kept),
        clock=FakeClock(),
        organizations=no_organizations,
    )
    return read_free_busy(account, query or FreeBusyQuery(), reader=reader, now=NOW), kept


def test_rows_name_their_calendar_and_come_in_order():
    answer, _ = read(connected(providers=BOTH), kept={"acc_1@example.com": busy((3, 4), (1, 2))})
    assert [(row.calendar_id, row.start) for row in answer.rows] == [
        ("cal_goacc_1", NOW + 3600),
        ("cal_msacc_1", NOW + 3600),
        ("cal_goacc_1", NOW + 3 * 3600),
        ("cal_msacc_1", NOW + 3 * 3600),
    ]


def test_free_periods_are_shown_only_when_asked_for():
    kept = {"acc_1@example.com": busy((1, 2), status=FreeBusyStatus.FREE)}
    assert read(connected(), kept=kept)[0].rows == []
    asked = FreeBusyQuery(include_free=True)
    assert [row.status for row in read(connected(), asked, kept=kept)[0].rows] == [FreeBusyStatus.FREE]


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        pytest.param(None, None, (TODAY - 42 * DAY, TODAY + 201 * DAY), id="neither: the contract's window"),
        pytest.param(NOW, NOW + DAY, (NOW, NOW + DAY), id="both"),
        pytest.param(0, 2**40, (TODAY - 42 * DAY, TODAY + 201 * DAY), id="beyond the limits: drawn in"),
    ],
)
def test_the_window_is_drawn_into_the_contracts_limits(start, end, window):
    _, calendars = read(connected(), FreeBusyQuery(start=start, end=end))
    assert calendars.windows == [window]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(0, DAY, id="long ago"),
        pytest.param(NOW, NOW, id="no time at all"),
        pytest.param(NOW + 300 * DAY, NOW + 301 * DAY, id="far ahead"),
    ],
)
def test_nobody_is_asked_about_a_window_of_which_nothing_is_left(start, end):
    answer, calendars = read(connected(), FreeBusyQuery(start=start, end=end))
    assert (answer.rows, calendars.windows) == ([], [])


def test_a_calendar_that_cannot_be_read_is_unknown_for_the_whole_window_and_named():
    asked = FreeBusyQuery(start=NOW, end=NOW + DAY)
    answer, _ = read(connected(), asked, trouble={"acc_1@example.com": ProviderUnavailable("down")})
    assert answer.rows == [FreeBusyRow("cal_goacc_1", NOW, NOW + DAY, FreeBusyStatus.UNKNOWN)]
    assert [(entry.calendar_id, entry.reason) for entry in answer.unreadable] == [
        ("cal_goacc_1", "provider_unavailable")
    ]


def test_only_the_calendars_asked_for_are_read():
    account = connected(providers=BOTH)
    answer, calendars = read(
        account, FreeBusyQuery(calendar_ids=frozenset({"cal_msacc_1"})), kept={"acc_1@example.com": busy((1, 2))}
    )
    assert {row.calendar_id for row in answer.rows} == {"cal_msacc_1"}
    assert len(calendars.reads) == 1
    _, calendars = read(account, FreeBusyQuery(calendar_ids=frozenset({account.managed_profile.calendar_id})))
    assert calendars.reads == []


def test_a_calendar_of_somebody_else_is_refused():
    with pytest.raises(InvalidRequest) as refused:
        read(connected(), FreeBusyQuery(calendar_ids=frozenset({"cal_goacc_2"})))
    assert refused.value.errors["calendar_ids"][0].key == "errors.invalid_calendar_ids"
