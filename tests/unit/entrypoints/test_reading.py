"""Paged answers: each page is an item of the table, and all are stored before the first is given."""

from __future__ import annotations

import json

import pytest

from freebusy.domain.errors import InvalidRequest
from freebusy.entrypoints.wire.reading import MOST_BYTES, PAGE_BYTES, PAGE_SIZE, first_page
from tests.fakes.clock import NOW
from tests.fakes.pages import FakePages
from tests.people import connected

URL = "https://calendar.example.com"


def pages_of(rows):
    pages = FakePages()
    answer = first_page("/v1/events", "events", rows, {}, account=connected(), public_url=URL, pages=pages, now=NOW)
    return json.loads(answer.body)["pages"]["total"]


@pytest.mark.parametrize(
    ("rows", "total"),
    [
        pytest.param([], 1, id="nothing is a page"),
        pytest.param(["x"] * PAGE_SIZE, 1, id="a full page"),
        pytest.param(["x"] * (PAGE_SIZE + 1), 2, id="one row more"),
        pytest.param(["x" * (PAGE_BYTES // 2)] * 3, 3, id="long rows: with its quotes, half a page is more than half"),
        pytest.param(["é" * (PAGE_BYTES // 3)] * 2, 2, id="bytes count, not characters"),
    ],
)
def test_pages_are_bounded_by_rows_and_by_bytes(rows, total):
    assert pages_of(rows) == total


def test_more_than_can_be_stored_in_time_is_refused():
    row = "x" * PAGE_BYTES
    with pytest.raises(InvalidRequest, match="to"):
        pages_of([row] * (MOST_BYTES // PAGE_BYTES + 1))
