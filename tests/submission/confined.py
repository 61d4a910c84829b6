"""Runs a program as a container does: as another user where the tests are root's, offline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

NOBODY = 65534

DRIVER = """
import json, os, runpy, socket, sys

def refuse(*_):
    raise OSError("the test has no network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
report, entry, *words = sys.argv[1:]
sys.argv = [entry, *words]
sys.path[0] = os.path.dirname(entry)
try:
    runpy.run_path(entry, run_name="__main__")
except SystemExit as end:
    code = end.code
import midog
with open(report, "w") as file:
    names = sorted({name.partition(".")[0] for name in sys.modules})
    json.dump({"midog": midog.__file__, "user": os.geteuid(), "modules": names}, file)
sys.exit(code)
"""


@cache
def prefix() -> tuple[str, ...]:
    """Words before a command that take user and network from it, as far as this machine lets us."""
    offline: tuple[str, ...] = ()
    if os.geteuid() == 0 and all(map(shutil.which, ("unshare", "setpriv"))):
        ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        offline = ("unshare", "--net", "setpriv", *ids)
    elif shutil.which("unshare"):
        offline = ("unshare", "--net", "--user")
    works = (
        offline
        and not subprocess.run(
            [*offline, sys.executable, "-c", "import numpy"], capture_output=True, check=False
        ).returncode
    )
    return offline if works else ()


def run_entry(entry: Path, report: Path, *words: Any) -> subprocess.CompletedProcess[str]:
    """Run a kit's entry point; `report` gets its user and the modules that it loaded."""
    clean = {key: os.environ[key] for key in ("PATH", "OMP_NUM_THREADS") if key in os.environ}
    command = [*prefix(), sys.executable, "-c", DRIVER, report, entry, *words]
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        cwd=entry.parent,
        env={**clean, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
    )
