"""What is watched while a run learns: losses and gradients that are not finite, requests to stop.

To look at a number makes a GPU wait, so losses and norms stay on the device for some updates.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from midog.config.schema import TrainSettings
from midog.errors import EndedElsewhere
from midog.training.failures import BadBatch, first_bad_batch, not_finite, write_record
from midog.training.interrupts import Interrupts
from midog.training.learner import Learner
from midog.training.ranks import mean_over_ranks, on_any, stop_together
from midog.training.tasks.task import Task

UPDATES_BETWEEN_CHECKS = 16
"""Updates whose losses and norms are looked at together."""

logger = logging.getLogger(__name__)


class Watch:
    """Collects the losses and norms of a training, and ends it where something is wrong.

    Args:
        learner: Its progress takes up the sums of the losses, means over the processes, and the
            skipped updates.
        task: Says where the patches of a bad batch are from.
        folder: Of the run; nonfinite.json is written there.
        settings: Batches of one update, updates in a row that may be skipped, learning rate.
        interrupts: Requests to stop.
    """

    def __init__(
        self,
        learner: Learner,
        task: Task[Any, Any],
        folder: Path,
        settings: TrainSettings,
        interrupts: Interrupts,
    ) -> None:
        self.learner, self.task, self.folder = learner, task, folder
        self.settings, self.interrupts = settings, interrupts
        self._losses: list[tuple[int, dict[str, Tensor]]] = []
        self._norms: list[Tensor] = []

    def note_losses(self, step: int, losses: dict[str, Tensor]) -> None:
        """Note the losses of a batch, scalars on the device; `step` is its number in the epoch."""
        self._losses.append((step, losses))

    def note_norm(self, norm: Tensor) -> None:
        """Note the norm of an update's gradient, a scalar on the device."""
        self._norms.append(norm)

    def after_update(self, *, last: bool) -> bool:
        """Check what was noted, every few updates and after the epoch's last one.

        Returns:
            Whether the learner's progress is complete, so that it may be saved: all that was noted
            is in it, and the last update was not skipped.

        Raises:
            TrainingError: Too many updates in a row were skipped.
            Interrupted: A stop was requested; what was noted is in the learner's progress.
        """
        fabric = self.learner.fabric
        due = last or len(self._norms) >= UPDATES_BETWEEN_CHECKS
        # several processes ask each other only when it is due: to ask makes a GPU wait
        if not due and (fabric.world_size > 1 or not self.interrupts.wanted):
            return False
        self._check()
        stop_together(fabric, self.interrupts)
        return self.learner.progress.skipped_in_a_row == 0

    def check_stop(self) -> None:
        """Raise Interrupted where a stop was requested; with several processes, not yet."""
        if self.learner.fabric.world_size == 1:
            self.interrupts.check()

    def check_stop_together(self) -> None:
        """Raise Interrupted on all processes where a stop was requested of any."""
        stop_together(self.learner.fabric, self.interrupts)

    def _check(self) -> None:
        """Add the losses to the epoch's sums, and count the updates that were skipped."""
        noted, progress = self._take(), self.learner.progress
        for means, is_finite in zip(noted.means, noted.finite, strict=True):
            progress.lost += not is_finite
            for name, value in means.items():
                progress.losses[name] = progress.losses.get(name, 0.0) + (
                    value if is_finite else 0.0
                )
        bad = noted.bad(self.settings.accumulate)
        row, longest = progress.skipped_in_a_row, 0
        for is_bad in bad:
            row = row + 1 if is_bad else 0
            longest = max(longest, row)
        progress.skipped_in_a_row = row
        # gradients are exchanged: the same updates are skipped on all processes
        progress.skipped += noted.applied.count(False)
        if longest:
            self._report(noted, bad.index(True), longest)

    def _take(self) -> _Noted:
        """What was noted since the last time, brought to the host."""
        self.learner.note_scale()
        losses, norms = self._losses, self._norms
        self._losses, self._norms = [], []
        values = torch.stack([torch.stack(list(parts.values())).float() for _, parts in losses])
        means = mean_over_ranks(self.learner.fabric, values)  # all have as many patches in a batch
        names = list(losses[0][1])
        return _Noted(
            steps=[step for step, _ in losses],
            losses=[dict(zip(names, row, strict=True)) for row in values.tolist()],
            means=[dict(zip(names, row, strict=True)) for row in means.tolist()],
            own=values.isfinite().all(dim=1).tolist(),
            finite=means.isfinite().all(dim=1).tolist(),
            applied=torch.stack(norms).isfinite().tolist(),
        )

    def _report(self, noted: _Noted, first: int, in_a_row: int) -> None:
        """Log that updates were skipped; end the training where they are too many in a row.

        Args:
            noted: With bad updates on this process or another.
            first: The first update of them.
            in_a_row: Of them, and of those before.
        """
        fabric, progress = self.learner.fabric, self.learner.progress
        mine = not all(noted.own)
        someones = on_any(fabric, mine)  # asked by all, whatever they have
        # where no loss says whose batch it was, the first process speaks
        speaks = mine or (not someones and fabric.is_global_zero)
        number = first_bad_batch(noted.own, noted.applied, self.settings.accumulate)
        if number is None:  # another process's loss
            number = first * self.settings.accumulate
        batch = BadBatch(progress.epoch, noted.steps[number], noted.losses[number])
        record = write_record(self.task, fabric, self.folder, batch) if speaks else None
        if in_a_row > self.settings.max_skipped:
            if record is None:
                raise EndedElsewhere("the loss is not finite in another process")
            raise not_finite(batch, record, in_a_row, self.settings.lr)
        if fabric.is_global_zero:
            logger.warning(
                "epoch %d: updates skipped, as their gradient is not finite: %d of %d (%d in all;"
                " the patches are listed in %s)",
                progress.epoch + 1,
                noted.applied.count(False),
                len(noted.applied),
                progress.skipped,
                record or self.folder / "nonfinite-rank*.json",
            )


@dataclass(frozen=True)
class _Noted:
    """Batches and updates since the last check.

    By batch: its number in the epoch, its losses by name here and as means over the processes, and
    whether all of them are finite here (own) and on all processes (finite). applied: by update:
    its gradient, the same on all processes, was finite.
    """

    steps: list[int]
    losses: list[dict[str, float]]
    means: list[dict[str, float]]
    own: list[bool]
    finite: list[bool]
    applied: list[bool]

    def bad(self, accumulate: int) -> list[bool]:
        """By update: its gradient, or a loss of one of its batches, is not finite."""
        return [
            not applied or not all(self.finite[number * accumulate : (number + 1) * accumulate])
            for number, applied in enumerate(self.applied)
        ]
