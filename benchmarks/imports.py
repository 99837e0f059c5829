"""Import time of each function against a handler that imports only what that function cannot do without."""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 11

HTTP = "import json, zoneinfo, urllib.parse, aws_lambda_powertools, aws_lambda_powertools.event_handler"
FLOORS = {
    "account": HTTP,
    "authorize": HTTP,
    "availability": f"{HTTP}, concurrent.futures, pydantic",
    "events": HTTP,
    "free_busy": HTTP,
    "oauth_callback": HTTP,
    "preflight": HTTP,
    "token": HTTP,
}
"""The third-party and larger standard modules without which the function could not answer its first request.

boto3, httpx, joserfc and jinja2 are not among them: they are loaded on first use, by requests that need them.
"""


def main() -> None:
    compileall.compile_dir(str(ROOT / "layers/core"), quiet=1)
    compileall.compile_dir(str(ROOT / "functions"), quiet=1)
    print(f"import time, median of {RUNS} fresh processes each, function and floor in turn (goal ≤ 1.15)")
    print(f"{'function':<16}{'function':>10}{'floor':>10}{'ratio':>8}")
    for name in sorted(path.parent.name for path in ROOT.glob("functions/*/app.py")):
        ours, floor = _medians(f"import app as _  # {name}", FLOORS[name], ROOT / "functions" / name)
        print(f"{name:<16}{ours:>7.1f} ms{floor:>7.1f} ms{ours / floor:>8.2f}")


def _medians(ours: str, floor: str, folder: Path) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS + 1):
        for code, kept in zip((ours, floor), times, strict=True):
            kept.append(_import_time(code, folder))
    # The first run of each warms the file cache and does not count.
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def _import_time(code: str, folder: Path) -> float:
    """Milliseconds, measured inside a fresh interpreter."""
    timed = f"from time import perf_counter as t; s = t()\n{code}\nprint((t() - s) * 1000)"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'layers/core'}",
        "TABLE_NAME": "table",
    }
    printed = subprocess.run([sys.executable, "-c", timed], env=environment, check=True, capture_output=True, text=True)
    return float(printed.stdout)


if __name__ == "__main__":
    main()
