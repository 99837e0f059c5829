"""Why a time is not offered, as JSON: with ``explain``, and of one start at ``POST /v1/availability/explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from freebusy.domain.errors import RefusedBecause
from freebusy.domain.explanation import CAUSES, Cause, Explanation, Kept, Needed, anybody, unmet
from freebusy.entrypoints.times import format_time
from freebusy.entrypoints.wire.availability import Availability, request_of
from freebusy.entrypoints.wire.participants import check_span
from freebusy.entrypoints.wire.results import Participants, chosen, dumps, extensions
from freebusy.entrypoints.wire.validation import Time, validated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freebusy.service.availability import AvailabilityRequest, StartAnswer


class Explain(Availability):
    """An availability query, and the start that is asked about."""

    start: Time


def explanation_request(body: Mapping[str, Any]) -> tuple[AvailabilityRequest, int]:
    """The query and the start. Raises InvalidRequest as ``availability_request``."""
    asked = validated(Explain, body)
    refused = RefusedBecause()
    check_span([*asked.moments, asked.start], "start", refused)
    return request_of(asked, refused), asked.start


def explanation_json(explanation: Explanation) -> str:
    groups = _Groups(explanation.members, explanation.groups)
    missing = ",".join(
        f'{{"first_start":"{format_time(row.first)}","last_start":"{format_time(row.last)}",'
        f'"groups":[{groups.json(row.kept)}]}}'
        for row in explanation.missing
    )
    until = "" if explanation.until is None else f',"explained_until":"{format_time(explanation.until)}"'
    return f'{{"missing":[{missing}]{until}}}'


def start_json(answer: StartAnswer) -> str:
    explained = answer.explanation
    groups = _Groups(explained.members, explained.groups)
    everybody = (1 << len(explained.members)) - 1
    free = Participants(explained.members)[everybody & ~anybody(explained.kept)]
    parts = [
        f'"start":"{format_time(explained.start)}"',
        f'"end":"{format_time(explained.start + answer.duration)}"',
        f'"available":{dumps(explained.available)}',
        f'"causes":{dumps(explained.causes)}',
        f'"participants":[{free}]',
        f'"groups":[{groups.json(explained.kept)}]',
    ]
    explanation = f'"explanation":{{{",".join(parts)}}}'
    return "{" + ",".join([explanation, *extensions(answer.unreadable, answer.sources)]) + "}"


class _Groups:
    """Spells out which groups lack whom. The same few members are named again and again: each is kept ready made."""

    def __init__(self, members: Sequence[str], groups: Sequence[Needed]) -> None:
        self._subs = [*map(dumps, members)]
        self._groups = groups
        self._named: dict[tuple[Cause, ...], list[tuple[int, str]]] = {}

    def json(self, kept: Kept) -> str:
        away = anybody(kept)
        return ",".join(self._group(number, kept, away) for number in unmet(self._groups, away))

    def _group(self, number: int, kept: Kept, away: int) -> str:
        mask, required = self._groups[number]
        parts = _by_causes(kept, away & mask)
        named = [each for causes, part in parts for each in chosen(self._with(causes), part)]
        if len(parts) > 1:
            named.sort()
        free = (mask & ~away).bit_count()
        members = ",".join([name for _, name in named])
        return f'{{"group":{number},"required":{required},"free":{free},"members":[{members}]}}'

    def _with(self, causes: tuple[Cause, ...]) -> Sequence[tuple[int, str]]:
        """Everybody, in the order of the request, with these causes."""
        if causes not in self._named:
            spelled = dumps(causes)
            self._named[causes] = [(n, f'{{"sub":{sub},"causes":{spelled}}}') for n, sub in enumerate(self._subs)]
        return self._named[causes]


def _by_causes(kept: Kept, away: int) -> list[tuple[tuple[Cause, ...], int]]:
    """The members in ``away``, those together who are kept by the same causes."""
    keeping = [(cause, mask & away) for cause, mask in zip(CAUSES, kept, strict=True) if mask & away]
    if len(keeping) == 1:
        return [((cause,), part) for cause, part in keeping]
    parts: list[tuple[tuple[Cause, ...], int]] = [((), away)]
    for cause, mask in keeping:
        parts = [
            divided
            for causes, part in parts
            for divided in (((*causes, cause), part & mask), (causes, part & ~mask))
            if divided[1]
        ]
    return parts
