"""Whatever fails on the way, everybody's calendar ends as the application last wrote it; see also `make soak`."""

from __future__ import annotations

import time

import pytest

from tests.soak import PROCESSES, soak

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not (PROCESSES / "self" / "environ").exists(), reason="finds processes as Linux shows them"),
]

ACCOUNTS, EVENTS = 3, 60
PATIENCE = 120.0
"""Seconds. Two failures in a row are waited out in fifteen."""


def test_every_calendar_is_right_in_the_end_though_sends_fail_and_functions_are_killed(stack, connect):
    emails = [f"soak-{number}-{time.monotonic_ns()}@google.example" for number in range(ACCOUNTS)]
    accounts = {email: connect("google", email, []) for email in emails}
    verdict = soak(stack, accounts, events=EVENTS, kill_every=1.0, patience=PATIENCE)
    assert verdict.wrong == {}
    assert verdict.killed, "nothing was killed, so that nothing was tried"
