"""One update of the weights, and how fast an epoch of them goes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from lightning_fabric.wrappers import _unwrap_objects
from torch import Tensor
from torch.nn.utils import get_total_norm

from midog.config.schema import TrainSettings
from midog.training.learner import Learner
from midog.training.skip import step_if

Item = TypeVar("Item")


@dataclass
class Pace:
    """How fast an epoch goes.

    patches: of all processes. seconds: of wall time. waited: seconds in which no batch was ready.
    """

    patches: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def wait_for(self, batches: Iterable[Item]) -> Iterator[Item]:
        """Yield the batches, and note how long they keep the loop waiting."""
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
        """Return patches per second and the share of the time spent waiting, by name."""
        seconds = max(self.seconds, 1e-9)
        return {
            "train/patches_per_second": self.patches / seconds,
            "train/data_wait": self.waited / seconds,
        }


@contextmanager
def fixed_shapes() -> Iterator[None]:
    """Have cuDNN try its convolutions once and take the fastest: pays where shapes stay equal.

    Which one is the fastest varies, so not where all is to repeat.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def step_weights(learner: Learner, settings: TrainSettings, updates: int) -> Tensor:
    """Clip the gradient, set the learning rate, move the weights and their average.

    Nothing moves where the gradient is not finite.

    Args:
        learner: Holds the gradient of this update; its progress is moved on by one step.
        settings: Clipping, learning rate and schedule.
        updates: Of the whole run.

    Returns:
        The gradient's norm before clipping, on the device: nothing here waits for it.
    """
    progress = learner.progress
    norm = clip(learner, settings.clip_norm)
    for group in learner.optimizer.param_groups:
        group["lr"] = learning_rate(settings, progress.step + progress.schedule_offset, updates)
    good = norm.isfinite()
    step_if(learner.optimizer, good)
    learner.statistics.settle(~good)
    if learner.scaler is not None:
        learner.scaler.update()
    learner.optimizer.zero_grad(set_to_none=True)
    if learner.average is not None:
        learner.average.update()
    progress.step += 1
    return norm


def clip(learner: Learner, limit: float) -> Tensor:
    """Scale the gradient down where its norm exceeds `limit` (0: never); return the norm before."""
    if limit:
        norm = learner.fabric.clip_gradients(
            learner.wrapped, learner.optimizer, max_norm=limit, error_if_nonfinite=False
        )
        return torch.as_tensor(norm)
    if learner.scaler is not None:
        learner.scaler.unscale_(_unwrap_objects(learner.optimizer))
    gradients = [weights.grad for weights in learner.network.parameters()]
    return get_total_norm([gradient for gradient in gradients if gradient is not None])


def is_due(epoch: int, settings: TrainSettings) -> bool:
    """Return whether this epoch (from 0) ends with a validation."""
    return (epoch + 1) % settings.validate_every == 0 or epoch + 1 >= settings.epochs


def learning_rate(settings: TrainSettings, step: int, updates: int) -> float:
    """Return the learning rate of update `step` (from 0) of `updates`.

    It rises linearly over `warmup_steps`, and then is constant, falls as half a cosine or in steps,
    or goes down and up in triangles (Smith 2017, arXiv:1506.01186). It changes with every update.
    """
    warmup = min(settings.warmup_steps, updates // 2)
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    if settings.schedule == "constant":
        return settings.lr
    if settings.schedule in ("step", "cyclic"):
        periods = (step - warmup) * settings.epochs / (updates * settings.schedule_epochs)
        if settings.schedule == "step":
            return float(settings.lr * settings.schedule_factor ** int(periods))
        height = abs(2 * (periods % 1) - 1)
        return settings.lr * (settings.schedule_factor + (1 - settings.schedule_factor) * height)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(updates - warmup, 1)))
