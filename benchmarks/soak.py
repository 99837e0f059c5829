"""``make soak``: a thousand events while a fifth of all sends fail and functions are killed, and what came of it.

It starts a laptop stack of its own, with its logs in ``.local/soak/logs``. Trouble goes on until every calendar is
right, so that the last messages take as long as the pauses between their tries: minutes. Ends with 1 when a calendar
is wrong after all. ``EVENTS=100 make soak`` is shorter.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pycronofy

from tests.laptop import connect, running_stack
from tests.soak import SHARE, Verdict, soak

OWN = Path(__file__).parents[1] / ".local" / "soak" / "stack.json"
EVENTS = int(os.environ.get("EVENTS") or 1000)
ACCOUNTS = 6
KILL_EVERY = 2.0
PATIENCE = 1200.0


def main() -> int:
    OWN.unlink(missing_ok=True)
    with running_stack(OWN) as (_, stack):
        pycronofy.settings.API_BASE_URL = pycronofy.settings.APP_BASE_URL = stack["url"]
        emails = [f"person-{number}@google.example" for number in range(ACCOUNTS)]
        accounts = {email: connect(stack, email) for email in emails}
        print(f"Soak: {EVENTS:,} events of {ACCOUNTS} accounts; {SHARE:.0%} of sends fail, functions die", flush=True)
        verdict = soak(stack, accounts, events=EVENTS, kill_every=KILL_EVERY, patience=PATIENCE, until_right=True)
    _report(verdict)
    return bool(verdict.wrong)


def _report(verdict: Verdict) -> None:
    writing, all_in_all = verdict.writing_seconds, verdict.all_seconds
    print(f"  writes             {verdict.writes:>8,}   in {writing:.0f} s, {verdict.repeated} of them repeated")
    print(
        f"  messages           {verdict.messages:>8,}   {verdict.duplicates} of them copies, known to calendars as such"
    )
    print(f"  processes killed   {verdict.killed:>8,}")
    print(f"  calendars wrong    {len(verdict.wrong):>8,}   of {verdict.people}, after {all_in_all:.0f} s")
    for person, difference in verdict.wrong.items():
        print(f"    {person}: {difference}")


if __name__ == "__main__":
    sys.exit(main())
