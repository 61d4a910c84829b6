"""What is watched while a run learns: losses and gradients that are not finite, requests to stop.

To look at a number makes a GPU wait, so losses and norms stay on the device for some updates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from midog.errors import TrainingError
from midog.training.failures import first_bad_batch, not_finite
from midog.training.interrupts import Interrupted, Interrupts
from midog.training.learner import Learner
from midog.training.ranks import mean_over_ranks, on_any
from midog.training.tasks.task import Task

UPDATES_BETWEEN_CHECKS = 16
"""Updates whose losses and norms are looked at together."""


class Watch:
    """Collects the losses and norms of a training, and ends it where something is wrong.

    Args:
        learner: Its progress takes up the sums of the losses, means over the processes.
        task: Says where the patches of a bad batch are from.
        folder: Of the run; nonfinite.json is written there.
        accumulate: Batches of one update.
        interrupts: Requests to stop.
    """

    def __init__(
        self,
        learner: Learner,
        task: Task[Any, Any],
        folder: Path,
        accumulate: int,
        interrupts: Interrupts,
    ) -> None:
        self.learner, self.task, self.folder = learner, task, folder
        self.accumulate, self.interrupts = accumulate, interrupts
        self._losses: list[tuple[int, dict[str, Tensor]]] = []
        self._norms: list[Tensor] = []

    def note_losses(self, step: int, losses: dict[str, Tensor]) -> None:
        """Note the losses of a batch, scalars on the device; `step` is its number in the epoch."""
        self._losses.append((step, losses))

    def note_norm(self, norm: Tensor) -> None:
        """Note the norm of an update's gradient, a scalar on the device."""
        self._norms.append(norm)

    def after_update(self, *, last: bool) -> None:
        """Check what was noted, every few updates and after the epoch's last one.

        Raises:
            TrainingError: A loss or a gradient is not finite.
            Interrupted: A stop was requested; what was noted is in the learner's progress.
        """
        fabric = self.learner.fabric
        due = last or len(self._norms) >= UPDATES_BETWEEN_CHECKS
        # several processes ask each other only when it is due: to ask makes a GPU wait
        stop = (due or fabric.world_size == 1) and on_any(fabric, self.interrupts.wanted)
        if stop or due:
            self._check()
        if stop:
            raise Interrupted(self.interrupts.signum or 0)

    def check_stop(self) -> None:
        """Raise Interrupted where a stop was requested; with several processes, not yet."""
        if self.learner.fabric.world_size == 1:
            self.interrupts.check()

    def check_stop_together(self) -> None:
        """Raise Interrupted on all processes where a stop was requested of any."""
        if on_any(self.learner.fabric, self.interrupts.wanted):
            raise Interrupted(self.interrupts.signum or 0)

    def _check(self) -> None:
        """Add the losses to the epoch's sums; stop where one, or a norm, is not finite."""
        fabric, progress = self.learner.fabric, self.learner.progress
        losses, norms = self._losses, torch.stack(self._norms)
        self._losses, self._norms = [], []
        values = torch.stack([torch.stack(list(parts.values())).float() for _, parts in losses])
        finite = values.isfinite().all(dim=1)
        here = bool(finite.all() and norms.isfinite().all())
        if on_any(fabric, not here):  # all processes stop together
            if here:
                raise TrainingError(
                    "the loss is not finite in another process", "see its line and nonfinite.json"
                )
            bad = first_bad_batch(finite, norms.isfinite(), self.accumulate)
            step, parts = losses[bad]
            named = dict(zip(parts, values[bad].tolist(), strict=True))
            raise not_finite(self.task, fabric, self.folder, progress.epoch, step, named)
        values = mean_over_ranks(fabric, values)  # all have as many patches in a batch
        for (_, parts), row in zip(losses, values.tolist(), strict=True):
            for name, value in zip(parts, row, strict=True):
                progress.losses[name] = progress.losses.get(name, 0.0) + value
