"""Why somebody is not free at a time.

The public API says who is free. Why the others are not is put together here from what else it tells about them:
their free/busy and this application's own events. Nothing else of the demo knows how this comes about.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from local.demo_site.bands import Band, Kind

_WEIGHT = {Kind.UNKNOWN: 0, Kind.MEETING: 1, Kind.BUSY: 2, Kind.TENTATIVE: 3}
"""The heaviest reason comes first: whoever cannot be read may be busy with anything."""


def reason(start: datetime, end: datetime, bands: Iterable[Band]) -> Band | None:
    """What of this person's time is in the way. None when nothing that is known is, as right after a change."""
    in_the_way = [band for band in bands if band.overlaps(start, end)]
    return min(in_the_way, key=lambda band: (_WEIGHT[band.kind], band.start), default=None)
