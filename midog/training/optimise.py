"""One update of the weights, and how quickly an epoch of them goes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from midog.config.schema import RunConfig
from midog.training.learner import Learner

Item = TypeVar("Item")


@dataclass
class Pace:
    """How quickly an epoch goes. patches: of all ranks. seconds: taken; waited: those in which no
    batch was there."""

    patches: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def wait_for(self, batches: Iterable[Item]) -> Iterator[Item]:
        """The batches; notes how long each makes wait."""
        coming, began = iter(batches), time.perf_counter()
        while True:
            asked = time.perf_counter()
            batch = next(coming, None)
            now = time.perf_counter()
            self.seconds, self.waited = now - began, self.waited + now - asked
            if batch is None:
                return
            yield batch

    def scalars(self) -> dict[str, float]:
        """Named numbers for the log: patches per second, and the share of the time in which a batch
        was not there."""
        seconds = max(self.seconds, 1e-9)
        return {
            "train/patches_per_second": self.patches / seconds,
            "train/data_wait": self.waited / seconds,
        }


@contextmanager
def fixed_shapes() -> Iterator[None]:
    """Within it, cuDNN tries its convolutions once and takes the quickest: this pays where batches
    are of one shape."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def step_weights(learner: Learner, config: RunConfig, updates: int) -> Tensor:
    """Clip the gradient, set the learning rate of this update of `updates`, move the weights and
    their average.

    Returns the gradient's norm before clipping, on the device: nothing here waits for it.
    """
    progress = learner.progress
    norm = clip(learner, config.train.clip_norm)
    for group in learner.optimizer.param_groups:
        group["lr"] = learning_rate(config, progress.step, updates)
    learner.optimizer.step()
    learner.optimizer.zero_grad(set_to_none=True)
    if learner.ema is not None:
        learner.ema.update()
    progress.step += 1
    return norm


def clip(learner: Learner, limit: float) -> Tensor:
    """Norm of the gradient, which is scaled down to `limit` where it is over it (0: never)."""
    if limit:
        norm = learner.fabric.clip_gradients(
            learner.model, learner.optimizer, max_norm=limit, error_if_nonfinite=False
        )
        return torch.as_tensor(norm)
    return get_total_norm([each.grad for each in learner.net.parameters() if each.grad is not None])


def learning_rate(config: RunConfig, step: int, updates: int) -> float:
    """Learning rate of update `step` of `updates`: a linear rise over warmup_steps, then constant
    or half a cosine."""
    settings = config.train
    warmup = min(settings.warmup_steps, updates // 2)
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(updates - warmup, 1)))
