"""How long messages wait that have to wait again, which SQS's own measure leaves out."""

from __future__ import annotations

import pytest

from freebusy.measures import Measure
from tests.api import Context, handler
from tests.records import queue_record


@pytest.mark.parametrize(
    "function",
    ["on_access_requested", "on_channel_due", "on_erasure_requested", "on_invitation_due", "on_upstream_due"],
)
@pytest.mark.usefixtures("wired")
def test_a_function_measures_what_it_lets_wait(function, metrics):
    answer = handler(function)({"Records": [queue_record("{", "group", "id")]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "id"}]}
    assert list(metrics(Measure.WAIT)) == [("invitations.fifo",)]
