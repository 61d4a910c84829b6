"""When a run is saved and how: its state is copied aside, and a thread writes it to the disk."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from midog.errors import MidogError
from midog.files import point_link
from midog.training.checkpoint import take_state, write_checkpoint
from midog.training.interrupts import Interrupted
from midog.training.learner import Learner
from midog.training.runs import Run, write_state

logger = logging.getLogger(__name__)


class Saver:
    """Context in which a run is saved; at its end, what is being written is waited for.

    In order: last.ckpt, the link `best`, state.json, each flushed to the disk; only then are models
    that `best` pointed to before deleted. So whatever a killed process leaves fits last.ckpt.

    Args:
        learner: Saved by the first process alone.
        run: Takes the files.
        facts: What the run was started with, kept in last.ckpt.
        minutes: Between saves that `save_if_due` makes; 0: at every end of an epoch.
        task: Gives what the task remembers between epochs.
    """

    def __init__(
        self,
        learner: Learner,
        run: Run,
        facts: Mapping[str, Any],
        minutes: float,
        task: Callable[[], Mapping[str, Tensor]] = dict,
    ) -> None:
        self.learner, self.run, self.facts, self.minutes = learner, run, facts, minutes
        self.task = task
        self.seconds = 0.0
        """That the training waited for its saves."""
        self._saved = time.monotonic()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def save_if_due(self, *, epoch_ended: bool = False) -> None:
        """Save where the last save is long enough ago, and written; see `save`."""
        if self._error is not None:
            self.wait()
        if self._thread is not None and self._thread.is_alive():
            return
        elapsed = time.monotonic() - self._saved
        if elapsed >= 60 * self.minutes if self.minutes else epoch_ended:
            self.save()

    def save(self) -> None:
        """Copy the state and start to write it, once the save before is written.

        Raises:
            CheckpointError: The save before could not be written.
        """
        if not self.learner.fabric.is_global_zero:
            return
        began = time.monotonic()
        self.wait()
        learner, folder = self.learner, self.run.folder
        progress = learner.progress
        state = take_state(
            progress,
            learner.network,
            learner.optimizer,
            learner.average,
            self.facts,
            self.task(),
            learner.mean,
        )
        best = progress.best_folder
        stale = [path for path in folder.glob("best-*") if best and path.name != best]
        self._thread = threading.Thread(
            target=self._write,
            args=(state, progress.summary(), best, stale),
            daemon=True,
            name="midog-saver",
        )
        self._thread.start()
        self._saved = time.monotonic()
        self.seconds += self._saved - began

    def join(self) -> None:
        """Wait until what was saved is written, or cannot be."""
        if (thread := self._thread) is not None:
            thread.join()

    def wait(self) -> None:
        """Wait until what was saved is written.

        Raises:
            CheckpointError: It could not be.
        """
        self.join()
        self._thread, error, self._error = None, self._error, None
        if error is not None:
            raise error

    def __enter__(self) -> Saver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            return self.wait()
        if isinstance(error, Exception | Interrupted):  # a second Ctrl-C waits for nothing
            try:
                self.wait()
            except MidogError as unwritten:
                logger.warning("%s", unwritten)
        return None

    def _write(
        self, state: dict[str, Any], summary: dict[str, Any], best: str, stale: list[Path]
    ) -> None:
        folder = self.run.folder
        try:
            write_checkpoint(self.run.checkpoint, state)
            if best:
                point_link(self.run.best, folder / best)
            write_state(folder, summary)
            for path in stale:
                shutil.rmtree(path, ignore_errors=True)
        except Exception as error:  # raised in the training by `wait`
            self._error = error
