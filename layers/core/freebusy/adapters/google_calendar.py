"""Google's ``freeBusy.query``, about one person's own calendar or about many of an organization.

Google knows no tentative: its busy is busy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from freebusy.adapters.provider_times import first_second, last_second, rfc3339
from freebusy.adapters.provider_windows import Reading, each_alone
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freebusy.adapters.provider_http import Answer, ProviderHttp

FREE_BUSY_URL = "https://www.googleapis.com/calendar/v3/freeBusy"
CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.freebusy"
MOST_TOGETHER = 50
"""The largest ``calendarExpansionMax``."""

# Reasons of a 403: https://developers.google.com/workspace/calendar/api/guides/errors. The capitals are
# those of the newer error model (google.rpc.ErrorInfo), which arrives beside the old one.
THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED"})
API_SWITCHED_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
SCOPE_MISSING = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
NO_CALENDAR = frozenset({"notACalendarUser"})
"""The administrator did not switch Calendar on for whoever asks."""


class NoSuchCalendar(CalendarUnreadable):
    """There is no calendar of this name, or whoever asks may not know of it."""


@dataclass(frozen=True, slots=True)
class FreeBusyQueries:
    """In the name of whoever the token speaks for.

    ``quota_user`` is who the calls are charged to in their place, in 40 characters at most. All methods raise
    AccessTokenRejected, CalendarUnreadable (NoSuchCalendar where that is why), ProviderMisconfigured or
    ProviderUnavailable.
    """

    http: ProviderHttp
    access_token: str = field(repr=False)
    deadline: float
    quota_user: str | None = None

    def own(self, window: Period) -> list[FreeBusyPeriod]:
        """Their own calendar, whatever their address."""
        return _busy_periods(self._ask({"items": [{"id": "primary"}]}, window), "primary", window)

    def read_together(self, mailboxes: Sequence[str], window: Period) -> dict[str, Reading]:
        """Up to ``MOST_TOGETHER`` calendars, as they see them. Raises where the whole call was refused."""
        items = [{"id": mailbox} for mailbox in mailboxes]
        body = self._ask({"items": items, "calendarExpansionMax": MOST_TOGETHER}, window)
        return each_alone(mailboxes, lambda mailbox: _busy_periods(body, mailbox, window))

    def _ask(self, question: Mapping[str, Any], window: Period) -> Mapping[str, Any]:
        answer = self.http.send(
            "POST",
            FREE_BUSY_URL,
            deadline=self.deadline,
            throttled=throttled,
            headers={"Authorization": f"Bearer {self.access_token}"},
            params={"quotaUser": self.quota_user} if self.quota_user else None,
            json={"timeMin": rfc3339(window.start), "timeMax": rfc3339(window.end), **question},
        )
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, "freeBusy.query")
        return answer.body


def _busy_periods(body: Mapping[str, Any], calendar: str, window: Period) -> list[FreeBusyPeriod]:
    """What a ``freeBusy.query`` says about one of the calendars that were asked for.

    Google answers 200 for calendars it could not read, with ``errors`` and possibly an empty ``busy``:
    that is not free. Nor is time that the answer, which repeats what was asked, does not reach.
    Raises CalendarUnreadable, or ProviderUnavailable when the shape is not Google's.
    """
    match _entry(body, calendar):
        case {"errors": [*errors]} if any(_is_not_found(error) for error in errors):
            raise NoSuchCalendar("freeBusy.query found no such calendar")
        case {"busy": list(busy)} as found if not found.get("errors"):
            pass
        case _:
            raise CalendarUnreadable("freeBusy.query left the calendar out, or reported an error for it")
    status = FreeBusyStatus.BUSY
    try:
        if not _covers_window(body, window):
            raise CalendarUnreadable("freeBusy.query answered for another time")
        return [FreeBusyPeriod(first_second(item["start"]), last_second(item["end"]), status) for item in busy]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise ProviderUnavailable("freeBusy.query answered with something that is not a period") from None


def throttled(answer: Answer) -> bool:
    return not THROTTLED.isdisjoint(reasons(answer))


def refusal(answer: Answer, call: str) -> ProviderError:
    """A 403 for want of a scope is left to the next token, whose answer names the scopes that are left."""
    told = f"{call} answered {answer.status}"
    if answer.status == HTTPStatus.UNAUTHORIZED or reasons(answer) & SCOPE_MISSING:
        return AccessTokenRejected(told)
    if reasons(answer) & API_SWITCHED_OFF:
        return ProviderMisconfigured(f"{told}: the API is not enabled in our project")
    return NoSuchCalendar(told) if reasons(answer) & NO_CALENDAR else CalendarUnreadable(told)


def reasons(answer: Answer) -> frozenset[str]:
    """Of a refusal in either of Google's error models."""
    error = answer.body.get("error")
    if answer.ok or not isinstance(error, dict):
        return frozenset()
    lists = [error.get("errors"), error.get("details")]
    entries = [entry for each in lists if isinstance(each, list) for entry in each if isinstance(entry, dict)]
    return frozenset(str(entry.get("reason")) for entry in entries)


def _entry(body: Mapping[str, Any], calendar: str) -> Any:
    """Names come back as they were asked for; should their case have changed, they are still the same."""
    calendars = body.get("calendars")
    named = calendars.items() if isinstance(calendars, dict) else ()
    return next((entry for name, entry in named if name.casefold() == calendar.casefold()), None)


def _is_not_found(error: Any) -> bool:
    return isinstance(error, dict) and error.get("reason") == "notFound"


def _covers_window(body: Mapping[str, Any], window: Period) -> bool:
    """Raises ValueError or AttributeError when the answer's bounds are no times."""
    since, until = body.get("timeMin"), body.get("timeMax")
    return (since is None or last_second(since) <= window.start) and (
        until is None or first_second(until) >= window.end
    )
