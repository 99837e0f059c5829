"""The query parameters that paged reads share, and their answers.

They are parsed by hand: a model would cost a cold start a tenth of a second.
Unknown parameters are ignored, as the contract has it.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from aws_lambda_powertools.event_handler import Response

from freebusy.domain.errors import InvalidRequest, NotFound, RefusedBecause
from freebusy.domain.identifiers import hashed, new_page_token
from freebusy.entrypoints.http import JSON
from freebusy.entrypoints.times import parse_date_or_time, parse_time, zone_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from freebusy.domain.account import Account
    from freebusy.ports import PageStore

PAGE_SIZE = 100
PAGE_BYTES = 300_000
"""A page is one item of the table, which holds 400 KB."""
MOST_BYTES = 32_000_000
"""Of all pages of one answer, which are stored before its first one is given."""
PAGES_LIFETIME = 3600

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False, "": False}


class ReadQuery(NamedTuple):
    """Bounds and ``last_modified`` in epoch seconds; ``flags`` holds the names of the booleans that are true."""

    zone: ZoneInfo
    start: int | None
    end: int | None
    last_modified: int | None
    calendar_ids: frozenset[str]
    flags: frozenset[str]


def read_query(
    query: Mapping[str, Sequence[str]], booleans: Sequence[str], *, default_zone: str | None = None
) -> ReadQuery:
    """Raises InvalidRequest with everything that is wrong at once; without ``default_zone``, ``tzid`` is required."""
    refused = RefusedBecause()
    zone = _zone(query, default_zone, refused)
    start, end = _bound(query, "from", zone, refused), _bound(query, "to", zone, refused)
    if start is not None and end is not None and end < start:
        refused.add("to", "errors.invalid_time_pair", "to must not be before from")
    parsed = ReadQuery(
        zone=zone,
        start=start,
        end=end,
        last_modified=_last_modified(query, refused),
        calendar_ids=frozenset((*query.get("calendar_ids[]", ()), *query.get("calendar_ids", ()))) - {""},
        flags=frozenset(name for name in booleans if _boolean(query, name, refused)),
    )
    refused.raise_if_any()
    return parsed


def given(query: Mapping[str, Sequence[str]], name: str) -> str:
    """The last value of that name, empty when there is none."""
    return query[name][-1] if query.get(name) else ""


def _zone(query: Mapping[str, Sequence[str]], default: str | None, refused: RefusedBecause) -> ZoneInfo:
    tzid = given(query, "tzid") or default
    if not tzid:
        refused.add("tzid", "errors.required", "tzid must be specified")
    else:
        try:
            return zone_named(tzid)
        except ValueError:
            refused.add("tzid", "errors.tzid_unrecognized", "tzid must be a zone of the IANA database")
    return ZoneInfo("Etc/UTC")


def _bound(query: Mapping[str, Sequence[str]], name: str, zone: ZoneInfo, refused: RefusedBecause) -> int | None:
    if not (text := given(query, name)):
        return None
    try:
        return parse_date_or_time(text, zone)
    except ValueError:
        refused.add(name, "errors.invalid_format", f"{name} must be a date or a time with an offset")
        return None


def _last_modified(query: Mapping[str, Sequence[str]], refused: RefusedBecause) -> int | None:
    if not (text := given(query, "last_modified")):
        return None
    try:
        return parse_time(text)
    except ValueError:
        refused.add("last_modified", "errors.invalid_format", "last_modified must be a time with an offset")
        return None


def _boolean(query: Mapping[str, Sequence[str]], name: str, refused: RefusedBecause) -> bool:
    value = _BOOLEANS.get(given(query, name).lower())
    if value is None:
        refused.add(name, "errors.must_be_boolean", f"{name} must be true or false")
    return bool(value)


def first_page(  # noqa: PLR0913 - an answer, and what its later pages are kept under
    path: str,
    key: str,
    rows: Sequence[Any],
    extra: Mapping[str, Any],
    *,
    account: Account,
    public_url: str,
    pages: PageStore,
    now: int,
) -> Response[str]:
    """The first page of ``rows`` under ``key``; ``extra`` stands on every page.

    Further pages are kept for an hour, so that all of them show the same moment. Each is a ready answer under the
    hash of its own address: ``{public_url}{path}/pages/{token}``. Raises InvalidRequest for more than ``MOST_BYTES``.
    """
    chunks = _chunks(rows)
    addresses = [_address(path, new_page_token()) for _ in chunks[1:]]
    bodies = []
    for number, chunk in enumerate(chunks, start=1):
        position: dict[str, Any] = {"current": number, "total": len(chunks)}
        if number < len(chunks):
            position["next_page"] = public_url + addresses[number - 1]
        rest = "".join(f",{_json(name)}:{_json(value)}" for name, value in extra.items())
        bodies.append(f'{{"pages":{_json(position)},{_json(key)}:[{",".join(chunk)}]{rest}}}')
    if addresses:
        later = {hashed(address): body.encode() for address, body in zip(addresses, bodies[1:], strict=True)}
        pages.save(later, sub=account.sub, client_id=account.client_id, expires_at=now + PAGES_LIFETIME)
    return _page(bodies[0])


def _chunks(rows: Sequence[Any]) -> list[list[str]]:
    """The rows as JSON, page by page: at most ``PAGE_SIZE`` of them, and few enough bytes for an item of the table."""
    chunks: list[list[str]] = [[]]
    size = total = 0
    for text in map(_json, rows):
        length = len(text.encode())
        size += length
        total += length
        if total > MOST_BYTES:
            raise InvalidRequest.of("to", "errors.too_long", "too much for one answer: ask for a shorter time")
        if chunks[-1] and (len(chunks[-1]) == PAGE_SIZE or size > PAGE_BYTES):
            chunks.append([])
            size = length
        chunks[-1].append(text)
    return chunks


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def kept_page(path: str, token: str, *, account: Account, pages: PageStore, now: int) -> Response[str]:
    """A later page of ``path``. Raises NotFound when it is unknown, expired, another account's or another path's."""
    body = pages.find(hashed(_address(path, token)), sub=account.sub, now=now)
    if body is None:
        raise NotFound("no such page")
    return _page(body.decode())


def _address(path: str, token: str) -> str:
    """The path is part of what is hashed, since each has a permission of its own."""
    return f"{path}/pages/{token}"


def _page(body: str) -> Response[str]:
    return Response(status_code=HTTPStatus.OK.value, content_type=JSON, body=body)
