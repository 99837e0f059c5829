"""``python -m tests.template.restored SAMPLE…``: for each, one snapshot that is restored twice.

The function is imported, and two processes go on from there with the same event, as sandboxes do that start from one
snapshot. What each answers is printed, a line of JSON each, with whether its clock went on. Each sample has a process
of its own, whose failure is no other's.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from multiprocessing import get_context
from typing import Any

from tests import quick_aws
from tests.api import Context
from tests.template.sample_deployment import deployment_for
from tests.template.sample_events import event_of, function_of

PAUSE = 1.1
"""Seconds: more than the clock's unit."""


def main(*samples: str) -> None:
    quick_aws.hurry()
    for sample in samples:
        snapshot = get_context("fork").Process(target=restore, args=(sample,))
        snapshot.start()
        snapshot.join()


def restore(sample: str) -> None:
    from freebusy.bootstrap import Dependencies

    clock = Dependencies.clock  # before the sample's own time takes its place
    app = importlib.import_module(f"functions.{function_of(sample)}.app")
    with deployment_for(sample) as wired:
        before = clock(wired)
        time.sleep(PAUSE)
        for _ in range(2):
            sys.stdout.flush()
            child = os.fork()
            if not child:
                answer: dict[str, Any] = app.lambda_handler(event_of(sample), Context())
                told = {"sample": sample, "answer": answer, "went_on": clock(wired) > before}
                sys.stdout.write(json.dumps(told) + "\n")
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
