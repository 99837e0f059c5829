"""Reading a long window in pieces: split to the providers' limits, read side by side, put together again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from freebusy.adapters.provider_http import Timing
from freebusy.domain.errors import ProviderUnavailable
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period

LONGEST_WINDOW = 60 * 86400
"""Seconds. Microsoft refuses 62 days and more; Google was seen to refuse more than about three months."""

MOST_AT_ONCE = 4
"""Microsoft throttles a fifth concurrent request to one mailbox (Graph throttling limits, Outlook service)."""


def read_in_pieces(
    window: Period, read: Callable[[Period], list[FreeBusyPeriod]], *, deadline: float, timing: Timing
) -> list[FreeBusyPeriod]:
    """What overlaps ``window``, sorted by start. Raises what ``read`` raises, and ProviderUnavailable."""
    pieces = _pieces(window)
    if len(pieces) <= 1:
        rows = sorted(row for piece in pieces for row in _forward(read(piece)))
    else:
        answers = _side_by_side(read, pieces, deadline - timing.monotonic())
        rows = joined(answers, seams={piece.start for piece in pieces[1:]})
    return [row for row in rows if row.start < window.end and row.end > window.start and row.end > row.start]


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


def _forward(answer: Iterable[FreeBusyPeriod]) -> Iterator[FreeBusyPeriod]:
    """Seen before anything is joined: what goes backwards from a seam would make shorter what ends there."""
    for row in answer:
        if row.end < row.start:
            raise ProviderUnavailable("a period ends before it starts")
        yield row


def _pieces(window: Period) -> Sequence[Period]:
    starts = range(window.start, window.end, LONGEST_WINDOW)
    return [Period(start, min(start + LONGEST_WINDOW, window.end)) for start in starts]


def _side_by_side(
    read: Callable[[Period], list[FreeBusyPeriod]], pieces: Sequence[Period], seconds: float
) -> list[list[FreeBusyPeriod]]:
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


def _raise_first(
    futures: Iterable[Future[list[FreeBusyPeriod]]], done: Collection[Future[list[FreeBusyPeriod]]]
) -> None:
    for future in futures:
        if future in done:
            future.result()
