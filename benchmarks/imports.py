"""Import time of each function against the smallest handler that could do its work.

The floor is one file without anything of ours: a resolver with a route, a logger, and those modules of the standard
library and of other people that the function cannot answer its first request without. So the difference is what our
own modules cost, and whatever they load without need. boto3, httpx, joserfc, jinja2 and cryptography are in no
floor: functions load them with the first request that needs them.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import verdict

ROOT = Path(__file__).parents[1]
RUNS = 11
GOAL = 1.15

HANDLER = """
import json
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
{needs}
logger = Logger(service="floor")
app = APIGatewayHttpResolver()

@app.get("/")
def route():
    return Response(status_code=200, body=json.dumps({{}}))

def lambda_handler(event, context):
    return app.resolve(event, context)
"""

REACTION = """
import hashlib, json
from aws_lambda_powertools import Logger
{needs}
logger = Logger(service="floor")

def lambda_handler(event, context):
    return {{"batchItemFailures": []}}
"""
"""For functions that react to records instead of answering requests."""

BEARER = "import hashlib, secrets"
"""Every bearer is looked up by its hash; identifiers and tokens are random."""

ZONES = "import zoneinfo"
"""``tzid`` is a required parameter."""

THREADS = "from concurrent.futures import ThreadPoolExecutor"
"""Calendars are read side by side, and messages of a batch are handled side by side."""

MODELS = """
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, ValidationError

class Body(BaseModel):
    minutes: int
"""
"""The query is nested and is checked by a model. One is defined, since pydantic loads half of itself only then."""

NEEDS = {
    "account": [BEARER],
    "authorize": [BEARER],
    "availability": [BEARER, THREADS, MODELS],
    "connections": [BEARER],
    "availability_rules": [BEARER, ZONES, MODELS],
    "available_periods": [BEARER, ZONES, MODELS],
    "channels": [BEARER],
    "cronofy_notifications": ["import base64, hmac"],
    "docs": [],
    "enterprise_access": [BEARER],
    "enterprise_connect": [BEARER],
    "events": [BEARER, ZONES],
    "free_busy": [BEARER, ZONES, THREADS],
    "oauth_callback": [BEARER],
    "on_access_requested": [THREADS],
    "on_channel_due": [THREADS],
    "on_erasure_requested": [THREADS],
    "on_event_changed": [],
    "on_invitation_due": [THREADS],
    "on_mail_received": [],
    "on_upstream_due": [THREADS],
    "preflight": [],
    "token": [BEARER],
}
"""What is loaded beside the router, or beside the logger where nobody waits for an answer."""


def main() -> None:
    functions = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
    with TemporaryDirectory() as folder:
        floors = Path(folder)
        for name in functions:
            handler = REACTION if name.startswith("on_") else HANDLER
            _write_floor(floors / name, handler.format(needs="\n".join(NEEDS[name])))
        for compiled in (ROOT / "layers/core", ROOT / "functions", floors):
            compileall.compile_dir(str(compiled), quiet=1)
        print(f"Import time: processor time, p50 of {RUNS} fresh processes each, in turn with the floor")
        for name in functions:
            pairs = _pairs(ROOT / "functions" / name, floors / name)
            ours, floor = (statistics.median(times) for times in zip(*pairs, strict=True))
            ratio = statistics.median(ours / floor for ours, floor in pairs)
            print(f"  {name:<18}{ours:>8.1f} ms   floor{floor:>7.1f} ms   ratio {ratio:.2f}", end="")
            print(f"   goal ≤ {GOAL}  {verdict(ratio, GOAL)}")


def _write_floor(folder: Path, handler: str) -> None:
    folder.mkdir()
    (folder / "app.py").write_text(handler, encoding="utf-8")


def _pairs(ours: Path, floor: Path) -> list[tuple[float, float]]:
    """Each run of one is compared with the run of the other beside it. The first, on cold files, does not count."""
    return [(_import_ms(ours), _import_ms(floor)) for _ in range(RUNS + 1)][1:]


def _import_ms(folder: Path) -> float:
    """Milliseconds that a fresh interpreter takes to import the handler in ``folder``."""
    timed = "from time import process_time as now; began = now(); import app; print((now() - began) * 1000)"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'layers/core'}",
        "TABLE_NAME": "table",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",  # as template.yaml has it
    }
    printed = subprocess.run([sys.executable, "-c", timed], env=environment, check=True, capture_output=True, text=True)
    return float(printed.stdout)


if __name__ == "__main__":
    main()
