"""Reading a long window in pieces: split to the providers' limits, read side by side, put together again."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from freebusy.domain.errors import CalendarUnreadable, ProviderUnavailable
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from freebusy.adapters.provider_http import Timing

T = TypeVar("T")

Reading = list[FreeBusyPeriod] | CalendarUnreadable
"""What came of one of several calendars that were asked for together."""

LONGEST_WINDOW = 60 * 86400
"""Seconds. Microsoft refuses 62 days and more; Google was seen to refuse more than about three months."""

MOST_AT_ONCE = 4
"""Microsoft throttles a fifth concurrent request to one mailbox (Graph throttling limits, Outlook service)."""


def read_in_pieces(
    window: Period, read: Callable[[Period], list[FreeBusyPeriod]], *, deadline: float, timing: Timing
) -> list[FreeBusyPeriod]:
    """What overlaps ``window``, sorted by start. Raises what ``read`` raises, and ProviderUnavailable."""
    return _whole(window, _read_pieces(window, read, deadline - timing.monotonic()))


def read_together_in_pieces(
    window: Period,
    mailboxes: Sequence[str],
    read: Callable[[Period], Mapping[str, Reading]],
    *,
    deadline: float,
    timing: Timing,
) -> dict[str, Reading]:
    """The same of several mailboxes; one that is unreadable in any piece is unreadable, and takes nobody with it."""
    pieces = _read_pieces(window, read, deadline - timing.monotonic()) if mailboxes else []

    def whole(mailbox: str) -> list[FreeBusyPeriod]:
        return _whole(window, [_readable(piece[mailbox]) for piece in pieces])

    return each_alone(mailboxes, whole)


def each_alone(mailboxes: Iterable[str], read: Callable[[str], list[FreeBusyPeriod]]) -> dict[str, Reading]:
    """What is not understood of one mailbox is that mailbox's trouble alone."""

    def reading(mailbox: str) -> Reading:
        try:
            return read(mailbox)
        except CalendarUnreadable as error:
            return error
        except ProviderUnavailable as error:
            return CalendarUnreadable(str(error))

    return {mailbox: reading(mailbox) for mailbox in mailboxes}


def joined(answers: Iterable[Iterable[FreeBusyPeriod]], *, seams: Collection[int]) -> list[FreeBusyPeriod]:
    """The rows of neighbouring pieces as one sorted list.

    A provider reports what crosses a seam either in full to both pieces (then it is kept as often as the
    piece that saw most of it did: two meetings at the same hour stay two) or cut at the seam (then the
    parts are joined again). Raises ProviderUnavailable for what is no period.
    """
    counted: Counter[FreeBusyPeriod] = Counter()
    for answer in answers:
        counted |= Counter(_forward(answer))
    rows: list[FreeBusyPeriod] = []
    cut: dict[tuple[int, FreeBusyStatus], list[int]] = {}
    for row in sorted(counted.elements()):
        if continued := cut.get((row.start, row.status)):
            index = continued.pop()
            rows[index] = rows[index]._replace(end=row.end)
        else:
            index = len(rows)
            rows.append(row)
        if row.end in seams:
            cut.setdefault((row.end, row.status), []).append(index)
    return rows


def _readable(reading: Reading) -> list[FreeBusyPeriod]:
    if isinstance(reading, CalendarUnreadable):
        raise reading
    return reading


def _whole(window: Period, answers: Sequence[list[FreeBusyPeriod]]) -> list[FreeBusyPeriod]:
    """What the answers about its pieces say together. Raises ProviderUnavailable for what is no period."""
    if len(answers) <= 1:
        rows = sorted(row for answer in answers for row in _forward(answer))
    else:
        rows = joined(answers, seams={piece.start for piece in _pieces(window)[1:]})
    return [row for row in rows if row.start < window.end and row.end > window.start and row.end > row.start]


def _forward(answer: Iterable[FreeBusyPeriod]) -> Iterator[FreeBusyPeriod]:
    """Seen before anything is joined: what goes backwards from a seam would make shorter what ends there."""
    for row in answer:
        if row.end < row.start:
            raise ProviderUnavailable("a period ends before it starts")
        yield row


def _pieces(window: Period) -> Sequence[Period]:
    starts = range(window.start, window.end, LONGEST_WINDOW)
    return [Period(start, min(start + LONGEST_WINDOW, window.end)) for start in starts]


def _read_pieces(window: Period, read: Callable[[Period], T], seconds: float) -> list[T]:
    """One piece in this thread, several side by side."""
    pieces = _pieces(window)
    return [read(piece) for piece in pieces] if len(pieces) <= 1 else _side_by_side(read, pieces, seconds)


def _side_by_side(read: Callable[[Period], T], pieces: Sequence[Period], seconds: float) -> list[T]:
    pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="free-busy")
    try:
        futures = [pool.submit(read, piece) for piece in pieces]
        done, late = wait(futures, timeout=max(0.0, seconds), return_when=FIRST_EXCEPTION)
        _raise_first(futures, done)
        if late:
            raise ProviderUnavailable("the window could not be read in time")
        return [future.result() for future in futures]
    finally:
        # Whoever is still waiting for the provider ends by its own deadline; nobody waits for it.
        pool.shutdown(wait=False, cancel_futures=True)


def _raise_first(futures: Iterable[Future[T]], done: Collection[Future[T]]) -> None:
    for future in futures:
        if future in done:
            future.result()
