"""What the answers to all availability queries have in common, as JSON text."""

from __future__ import annotations

import json
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeVar

from freebusy.entrypoints.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from freebusy.domain.errors import UnreadableMember
    from freebusy.service.participants import Sources, Turns

_Fragment = TypeVar("_Fragment")

_TRUTH_OF_DIGITS = bytes.maketrans(b"01", b"\x00\x01")


class Participants(dict[int, str]):
    """Who is free, by mask. Most results name the same people, so each distinct set of them is spelled out once."""

    def __init__(self, members: Iterable[str]) -> None:
        super().__init__()
        self._subs = [f'{{"sub":{json.dumps(sub)}}}' for sub in members]

    def __missing__(self, mask: int) -> str:
        self[mask] = spelled = ",".join(chosen(self._subs, mask))
        return spelled


def chosen(fragments: Sequence[_Fragment], mask: int) -> Iterable[_Fragment]:
    """Those whose bits are set, the first one's being the lowest; without a step in Python for each."""
    digits = f"{mask:0{len(fragments)}b}"[::-1].encode()
    return compress(fragments, digits.translate(_TRUTH_OF_DIGITS))


def extensions(unreadable: Sequence[UnreadableMember], sources: Sequence[Sources] | None) -> Iterator[str]:
    """Of the contract: keys that are present only when there is something to tell, or when they were asked for."""
    if unreadable:
        yield f'"unreadable_members":{dumps([member._asdict() for member in unreadable])}'
    if sources is not None:
        yield f'"sources":{dumps([_sources(each) for each in sources])}'


def _sources(sources: Sources) -> dict[str, Any]:
    """What is known about one member: from which calendars, since when, and whether it is all."""
    as_of = format_time(sources.as_of)
    calendars = [
        {"calendar_id": calendar_id, "provider_name": provider, **({"reason": reason} if reason else {"as_of": as_of})}
        for calendar_id, provider, reason in sources.calendars
    ]
    complete = not any(source.reason for source in sources.calendars)
    return {"sub": sources.sub, "as_of": as_of, "complete": complete, "calendars": calendars}


def turns_json(turns: Turns) -> dict[str, Any]:
    """Of one group that goes round robin."""
    return {"group": turns.group, "members": [{"sub": sub, "events": load.events} for sub, load in turns.loads]}


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
