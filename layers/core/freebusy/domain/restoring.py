"""What is brought back from a table as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wanted(NamedTuple):
    """What belongs to an account or an organization, to an application, or, where neither is named, to all of them; as
    it was at ``taken_at``. What is there already stays, unless it is to be overwritten. A dry run only counts.
    """

    taken_at: int
    sub: str = ""
    client_id: str = ""
    overwrite: bool = False
    dry_run: bool = False


class Restored(NamedTuple):
    """Numbers by kind: of what was copied, of what was there already and was left as it is, and of what was left out,
    since whoever it belongs to has been erased. All of those are named by sub and client id: ``whose`` are the former
    two, and of ``back`` something is there although it was to be left out.
    """

    copied: Mapping[str, int]
    there: Mapping[str, int]
    left_out: Mapping[str, int]
    whose: frozenset[str]
    back: frozenset[str]
