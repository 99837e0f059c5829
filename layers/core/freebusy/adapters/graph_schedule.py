"""Graph's ``getSchedule``, about one person's own mailbox or about many of an organization.

It is asked through a mailbox (its owner), covers each mailbox's default calendar, and is not offered to personal
Microsoft accounts: https://learn.microsoft.com/graph/api/calendar-getschedule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.adapters.provider_times import (
    first_second,
    first_second_in,
    last_second,
    last_second_in,
    wall_clock,
)
from freebusy.adapters.provider_windows import Reading, each_alone, joined
from freebusy.domain.errors import AccessTokenRejected, CalendarUnreadable, ProviderUnavailable
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from freebusy.adapters.provider_http import Answer, ProviderHttp

GRAPH = "https://graph.microsoft.com"

MOST_TOGETHER = 20
"""Schedules in a call (getSchedule, limits)."""
SMALLEST_INTERVAL = 5
LARGEST_INTERVAL = 1440
"""Bounds of ``availabilityViewInterval``, in minutes. A window may not be shorter than the interval."""
MOST_HALVINGS = 8

TOO_MANY_ENTRIES = frozenset({"5006", "ErrorResultSetTooBig"})
"""More than 1000 entries in one answer (getSchedule, limits): a shorter window has fewer."""

_STATUSES = {
    "free": FreeBusyStatus.FREE,
    "workingelsewhere": FreeBusyStatus.FREE,
    "tentative": FreeBusyStatus.TENTATIVE,
    "busy": FreeBusyStatus.BUSY,
    "oof": FreeBusyStatus.BUSY,
}
_FREE_IN_VIEW = frozenset("04")
"""Digits of ``availabilityView``: 0 free, 4 working elsewhere; the others count as busy."""


class ScheduleRefused(CalendarUnreadable):
    """``status`` of the whole answer, and what Graph calls the trouble."""

    def __init__(self, told: str, *, status: int, codes: frozenset[str]) -> None:
        super().__init__(told)
        self.status = status
        self.codes = codes


@dataclass(frozen=True, slots=True)
class GraphSchedules:
    """Asked through the mailbox of ``owner``: ``me``, or ``users/…``.

    All methods raise AccessTokenRejected, CalendarUnreadable (ScheduleRefused where Graph says why) or
    ProviderUnavailable.
    """

    http: ProviderHttp
    owner: str
    access_token: str = field(repr=False)
    deadline: float

    def read(self, mailbox: str, window: Period, *, halvings: int = MOST_HALVINGS) -> list[FreeBusyPeriod]:
        """A window with too many entries in halves.

        One after the other, so that no mailbox ever sees more calls at once than there are pieces.
        """
        try:
            return self._ask([mailbox], window)(mailbox)
        except ScheduleRefused as error:
            middle = (window.start + window.end) // 2
            if error.codes.isdisjoint(TOO_MANY_ENTRIES) or not halvings or middle == window.start:
                raise
        halves = (Period(window.start, middle), Period(middle, window.end))
        answers = [self.read(mailbox, half, halvings=halvings - 1) for half in halves]
        return joined(answers, seams={middle})

    def read_together(self, mailboxes: Sequence[str], window: Period) -> dict[str, Reading]:
        """Up to ``MOST_TOGETHER`` mailboxes in one call. Raises where the whole call was refused."""
        return each_alone(mailboxes, self._ask(mailboxes, window))

    def _ask(self, mailboxes: Sequence[str], window: Period) -> Callable[[str], list[FreeBusyPeriod]]:
        """What the answer says about each of the mailboxes."""
        interval = LARGEST_INTERVAL if window.end - window.start >= LARGEST_INTERVAL * 60 else SMALLEST_INTERVAL
        asked = Period(window.start, max(window.end, window.start + SMALLEST_INTERVAL * 60))
        answer = self.http.send(
            "POST",
            f"{GRAPH}/v1.0/{self.owner}/calendar/getSchedule",
            deadline=self.deadline,
            headers={"Authorization": f"Bearer {self.access_token}", "Prefer": 'outlook.timezone="UTC"'},
            json={
                "schedules": list(mailboxes),
                "startTime": {"dateTime": wall_clock(asked.start), "timeZone": "UTC"},
                "endTime": {"dateTime": wall_clock(asked.end), "timeZone": "UTC"},
                "availabilityViewInterval": interval,
            },
        )
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer)
        whole_intervals = (asked.end - asked.start) // (interval * 60)
        return lambda mailbox: _busy_periods(answer.body, mailbox, asked, whole_intervals=whole_intervals)


def _busy_periods(
    body: Mapping[str, Any], mailbox: str, window: Period, *, whole_intervals: int
) -> list[FreeBusyPeriod]:
    """What ``getSchedule`` says about one mailbox, and nothing of what its entries are about.

    Microsoft answers 200 for mailboxes it could not read, with ``error`` and without entries: that is not
    free. ``whole_intervals`` is how many digits of ``availabilityView`` lie within the window.
    Raises CalendarUnreadable, or ProviderUnavailable when the shape is not Microsoft's.
    """
    schedule = _schedule_of(body, mailbox)
    if (error := schedule.get("error")) is not None:
        raise _refused("getSchedule reported an error for the mailbox", HTTPStatus.OK, error)
    items = schedule.get("scheduleItems")
    if not isinstance(items, list):
        raise CalendarUnreadable("getSchedule left the entries out")
    try:
        periods = [_period(item) for item in items]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ProviderUnavailable("getSchedule answered with something that is not an entry") from None
    view = str(schedule.get("availabilityView") or "")[:whole_intervals]
    if not _FREE_IN_VIEW.issuperset(view) and not any(_blocks(period, window) for period in periods):
        raise CalendarUnreadable("getSchedule says busy, but not when")
    return periods


def _blocks(period: FreeBusyPeriod, window: Period) -> bool:
    """An entry without length counts too: it shows in the view."""
    return period.status is not FreeBusyStatus.FREE and period.start <= window.end and period.end >= window.start


def _schedule_of(body: Mapping[str, Any], mailbox: str) -> Mapping[str, Any]:
    value = body.get("value")
    for schedule in value if isinstance(value, list) else ():
        if isinstance(schedule, dict) and str(schedule.get("scheduleId")).casefold() == mailbox.casefold():
            return schedule
    raise CalendarUnreadable("getSchedule left the mailbox out")


def _period(item: Mapping[str, Any]) -> FreeBusyPeriod:
    status = _STATUSES.get(str(item.get("status")).lower(), FreeBusyStatus.UNKNOWN)
    start, end = item["start"], item["end"]
    if start["timeZone"] == end["timeZone"] == "UTC":
        return FreeBusyPeriod(first_second(f"{start['dateTime']}Z"), last_second(f"{end['dateTime']}Z"), status)
    return FreeBusyPeriod(
        first_second_in(_zone(start["timeZone"]), start["dateTime"]),
        last_second_in(_zone(end["timeZone"]), end["dateTime"]),
        status,
    )


def _zone(name: str) -> ZoneInfo:
    """For a server that does not honour ``Prefer``. Windows' own zone names are not IANA's and not guessed."""
    from zoneinfo import ZoneInfo  # rarely needed

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise CalendarUnreadable("getSchedule answered in a time zone that we do not know") from None


def _refusal(answer: Answer) -> CalendarUnreadable | AccessTokenRejected:
    told = f"getSchedule answered {answer.status}"
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return AccessTokenRejected(told)
    return _refused(told, answer.status, answer.body.get("error"))


def _refused(told: str, status: int, error: Any) -> ScheduleRefused:
    """The code stands under ``responseCode`` in a schedule, under ``code`` in a refusal, and was seen the other way."""
    codes = {str(error.get(name)) for name in ("responseCode", "code")} if isinstance(error, dict) else set()
    return ScheduleRefused(told, status=status, codes=frozenset(codes))
