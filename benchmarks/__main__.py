"""``make bench``: every measurement, or those that are named (``python -m benchmarks imports``).

Each is a process of its own, so that none meets another one's garbage, threads or imports. They report and do not
judge: a goal that is missed is marked ``over``, and only a measurement that breaks down is an error.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

MEASUREMENTS = (
    "engine",
    "options",
    "explanations",
    "sequences",
    "memory",
    "warm_request",
    "encoding",
    "provider_latency",
    "colleagues",
    "table_calls",
    "rate_limits",
    "upsert",
    "invitations",
    "event_memory",
    "imports",
)
TIME_LIMIT = 240


def main() -> int:
    chosen = sys.argv[1:] or MEASUREMENTS
    if unknown := set(chosen) - set(MEASUREMENTS):
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}. Compare what stands in one run; docs/benchmarks.md explains the lines.")
    broken = [name for name in chosen if not _ran(name)]
    if broken:
        print(f"\nnot measured: {', '.join(broken)}")
    return bool(broken)


def _ran(name: str) -> bool:
    print(flush=True)
    try:
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        subprocess.run(command, cwd=Path(__file__).parents[1], check=True, timeout=TIME_LIMIT)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
