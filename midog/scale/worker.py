"""A worker of a cluster: it loads the detector once, then does the images that it is told."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from midog.errors import MidogError
from midog.inference.batch import Work
from midog.inference.jobs import Job
from midog.inference.model_folder import versions
from midog.inference.order import Order
from midog.inference.outcome import Outcome

logger = logging.getLogger(__name__)

EQUAL = ("midog", "torch", "torchvision")
"""Packages of `versions` that all nodes must have alike, as others give other bytes."""


@dataclass(frozen=True)
class Report:
    """What a worker answers.

    Attributes:
        outcome: Of the image that it was told; None: it is ready.
        error: What ends all work.
        lines: Level and text of what was logged meanwhile.
    """

    outcome: Outcome | None = None
    error: MidogError | None = None
    lines: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Setting:
    """Where the command runs, which every worker must match.

    Attributes:
        folder: Its current folder, from which relative paths count.
        threads: Of the CPU, for a network there; another number gives other last digits.
        versions: Of packages, see EQUAL.
    """

    folder: Path
    threads: int
    versions: Mapping[str, str]

    @classmethod
    def here(cls) -> Setting:
        """That of this process."""
        return cls(Path.cwd(), torch.get_num_threads(), versions())


class Worker:
    """Does images one after the other; it raises nothing, as an error may not find its way back."""

    def __init__(self) -> None:
        self._work: Work | None = None
        self._jobs: Sequence[Job] = ()
        self._lines = _Lines()
        log = logging.getLogger("midog")
        log.setLevel(logging.INFO)
        log.addHandler(self._lines)
        log.propagate = False  # its own stderr is nobody's

    def prepare(self, order: Order, jobs: Sequence[Job], setting: Setting) -> Report:
        """Load the detector and open the folder of detections.

        Args:
            order: What is asked for.
            jobs: Those of its images that the cluster does.
            setting: Of the command.
        """

        def load() -> None:
            _match(setting)
            self._work = order.open(order.choice.load())
            self._jobs = jobs

        return self._reported(load)

    def do(self, number: int) -> Report:
        """Detect in an image and write its files.

        Args:
            number: Of the image in `jobs`.
        """

        def detect() -> Outcome:
            assert self._work is not None, "it is not prepared"
            return self._work.do([self._jobs[number]])

        return self._reported(detect)

    def check(self) -> Report:
        """Answer, so that whoever asks knows that this worker lives."""
        return Report()

    def _reported(self, act: Callable[[], Outcome | None]) -> Report:
        outcome, error = None, None
        try:
            outcome = act()
        except MidogError as stop:
            error = type(stop)(f"{stop.what} (on node {platform.node()})", stop.fix, stop.settings)
        except Exception as mistake:
            name = type(mistake).__name__
            error = MidogError(f"node {platform.node()}: unexpected {name}: {mistake}")
        return Report(outcome, error, self._lines.taken())


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append((record.levelno, record.getMessage()))

    def taken(self) -> tuple[tuple[int, str], ...]:
        """What was logged since the last call."""
        records, self._records = self._records, []
        return tuple(records)


def _match(setting: Setting) -> None:
    """Make this process one like the command's."""
    own = versions()
    for package in EQUAL:
        if own[package] != setting.versions[package]:
            raise MidogError(
                f"{package} is {own[package]} here and {setting.versions[package]} where the"
                " command runs",
                "install the same versions on all nodes",
            )
    try:
        os.chdir(setting.folder)
    except OSError as error:
        raise MidogError(
            f"{setting.folder} cannot be used here: {error.strerror}",
            "run the command in a folder that all nodes share, with images, models and output",
        ) from None
    torch.set_num_threads(setting.threads)
