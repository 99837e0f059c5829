"""Ends the children of a process that could not do so itself (``kill -9``). Standard library only, run by path.

It reads ``+PID`` and ``-PID`` lines, one for each process group that starts or ends, and when the pipe
closes, because the parent is gone however it went, it kills the groups that are left.
"""

import os
import signal
import sys


def main() -> None:
    living: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            living.add(group)
        else:
            living.discard(group)
    for group in living:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
