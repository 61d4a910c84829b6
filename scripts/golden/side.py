"""One checkout: its commands, run in a folder of their own, and what it says about itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golden.spellings import OPTIONS

PROBE = Path(__file__).resolve().parent / "probe.py"


class StepError(Exception):
    """A command that failed, with the last lines that it wrote."""


@dataclass
class Side:
    """A checkout and the folder in which it works; paths that it is given are relative to this."""

    checkout: Path
    folder: Path
    threads: int
    _helps: dict[tuple[str, ...], str] = field(default_factory=dict)

    def midog(self, *words: object) -> str:
        """What `midog` prints on stdout. Raises StepError where it fails."""
        given = [str(word) for word in words]
        command = tuple(given[: 2 if given[0] in ("data", "splits", "shift") else 1])
        return self._run(["-m", "midog", *(self._option(command, word) for word in given)])

    def ask(self, question: Mapping[str, Any]) -> Any:
        """The answer of probe.py. Raises StepError."""
        return json.loads(self._run([str(PROBE)], json.dumps(question)))

    def overrides(self, *runs: Mapping[str, str]) -> list[list[str]]:
        """Words `--set key=value` of each run, as this checkout spells its settings."""
        spelt = self.ask({"spell": runs})
        return [[word for each in overrides for word in ("--set", each)] for overrides in spelt]

    def _option(self, command: tuple[str, ...], word: str) -> str:
        if word not in OPTIONS:
            return word
        if command not in self._helps:
            self._helps[command] = self._run(["-m", "midog", *command, "--help"])
        spellings = (word, *OPTIONS[word])
        listed = self._helps[command].replace(",", " ").split()
        return next((spelling for spelling in spellings if spelling in listed), word)

    def _run(self, words: list[str], given: str = "") -> str:
        environment = os.environ | {
            "PYTHONPATH": str(self.checkout),
            "OMP_NUM_THREADS": str(self.threads),
            "MIDOG_CACHE": str(self.folder / "cache"),
            "COLUMNS": "200",
            "CUDA_VISIBLE_DEVICES": "",
        }
        done = subprocess.run(
            [sys.executable, *words],
            input=given,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment,
            check=False,
        )
        if done.returncode:
            tail = " | ".join(done.stderr.strip().splitlines()[-3:])
            raise StepError(f"{' '.join(words[:5])} ... ended with {done.returncode}: {tail}")
        return done.stdout
