"""Packages of npm that tests use, installed once beside the other things that the laptop stack installs."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

NODE_IS_MISSING = not (shutil.which("node") and shutil.which("npm"))

_FOLDER = Path(__file__).parent.parent / ".local" / "node"


def installed(package: str) -> Path:
    """The ``node_modules`` that hold this package, ``name@version``. It has them to itself: npm removes all others."""
    name = package.rpartition("@")[0]
    folder = _FOLDER / package
    if not (folder / "node_modules" / name / "package.json").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=_FOLDER) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            (made / "package.json").write_text('{"private": true}')
            install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", package]
            subprocess.run(install, cwd=made, check=True, capture_output=True, timeout=300)
            with suppress(OSError):  # Another process was quicker.
                made.rename(folder)
    return folder / "node_modules"
