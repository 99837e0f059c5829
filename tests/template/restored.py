"""``python -m tests.template.restored SAMPLE``: one snapshot, restored twice.

The function is imported, and two processes go on from there with the same event, as sandboxes do that start from one
snapshot. What each answers is printed, a line of JSON each, with whether its clock went on.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

from tests.api import Context
from tests.template.sample_deployment import deployment_for
from tests.template.sample_events import event_of, function_of

PAUSE = 1.1
"""Seconds: more than the clock's unit."""


def main(sample: str) -> None:
    from freebusy.bootstrap import Dependencies

    clock = Dependencies.clock  # before the sample's own time takes its place
    app = importlib.import_module(f"functions.{function_of(sample)}.app")
    with deployment_for(sample) as wired:
        before = clock(wired)
        for _ in range(2):
            sys.stdout.flush()
            child = os.fork()
            if not child:
                time.sleep(PAUSE)
                answer: dict[str, Any] = app.lambda_handler(event_of(sample), Context())
                sys.stdout.write(json.dumps({"answer": answer, "went_on": clock(wired) > before}) + "\n")
                sys.stdout.flush()
                os._exit(0)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1])
