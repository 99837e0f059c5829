"""What `make build` left: gives every file the same date, says how large each part is, and refuses what is too large.

The digest is of names, permissions and contents. Two builds of one commit have the same, on any machine with the same
release of Python 3.13; so what did not change is not deployed again, and what is deployed can be built and compared.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

DATE = 315_619_200
"""Seconds: noon of 1980-01-02, since zip files know no year before 1980, and no time zone."""

MOST = {"DependenciesLayer": 60 << 20, "CoreLayer": 4 << 20, "Function": 64 << 10, "template.yaml": 512 << 10}
"""Bytes, by how a part's name ends. Lambda's own limit is 250 MiB for a function with its layers, and CloudFormation's
1 MB for a template; but what is large is slow to load, and slow to read."""


def files_of(part: Path) -> Iterator[Path]:
    """Every file below a folder, or the file itself."""
    if part.is_file():
        yield part
    yield from sorted(path for path in part.rglob("*") if path.is_file())


def size_of(part: Path) -> int:
    return sum(file.stat().st_size for file in files_of(part))


def digest_of(part: Path) -> str:
    """Of names, permissions and contents; the same for the same, wherever and whenever it was made."""
    digest = hashlib.sha256()
    for file in files_of(part):
        name = file.relative_to(part).as_posix()
        mode = file.stat().st_mode & 0o777
        digest.update(f"{name}\0{mode:o}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def most_of(part: Path) -> int:
    return next(most for ending, most in MOST.items() if part.name.endswith(ending))


def main() -> int:
    build = Path(sys.argv[1])
    parts = sorted(path for path in build.iterdir() if not path.name.startswith("."))
    too_large = False
    for part in parts:
        for path in (part, *part.rglob("*")):
            os.utime(path, (DATE, DATE))
        size, most = size_of(part), most_of(part)
        too_large |= size > most
        verdict = "" if size <= most else f"   too large: at most {most / 1024:,.0f} KiB"
        print(f"  {part.name:<28}{size / 1024:>10,.1f} KiB   {digest_of(part)[:16]}{verdict}")
    return too_large


if __name__ == "__main__":
    sys.exit(main())
