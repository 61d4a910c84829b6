"""A training step, from a batch on its device to updated weights, as `midog train` runs it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from midog.augment.draw import cut_side
from midog.bench.conditions import Conditions
from midog.bench.forward import best_precision, median_ms
from midog.bench.measured import Measured, measured
from midog.bench.network_cost import gflop_of, kernels_and_waits, peak_memory
from midog.bench.timing import Seconds, fits, synchronize, take_turns
from midog.config.schema import RunConfig
from midog.loading.rois import decode_rois
from midog.loading.source import Batch
from midog.models.build import build_model
from midog.models.protocol import ROWS, BoxTargets
from midog.training.learner import make_fabric, make_learner
from midog.training.optimise import Pace, fixed_shapes, step_weights
from midog.training.tasks.detection import DetectionTask, prepare
from midog.training.train import resolve

BOXES = ((100.0, 100.0, 150.0, 150.0), (300.0, 300.0, 350.0, 350.0))
"""The figures of every patch, px."""
_STUDY_PATCHES = 2400 * 1500
"""Of the reference study: 2400 epochs of some 1,500."""


class TrainingStep:
    """One step of midog's own training on one prepared batch (B, 3, S, S), again and again."""

    def __init__(self, config: RunConfig, images: Tensor) -> None:
        config = config.with_values(machine={"device": str(images.device)})
        self.config = config.model_copy(update={"machine": resolve(config.machine)})
        torch.manual_seed(self.config.train.seed)
        self.network, machine = build_model(self.config), self.config.machine
        self.learner = make_learner(self.network, self.config.train, make_fabric(machine))
        if machine.compile:
            self.network.compile_parts()
        self.learner.wrapped.train()
        self.images = images.contiguous(memory_format=torch.channels_last)
        boxes = images.new_zeros(len(images), ROWS, 4)
        boxes[:, : len(BOXES)] = images.new_tensor(BOXES)
        labels = (boxes[..., 2] > 0).long()
        self.targets = BoxTargets(boxes=boxes, labels=labels, ignore=torch.zeros_like(boxes))

    def whole(self) -> None:
        """Gradients, then the update."""
        self.gradients()
        self.update()

    def gradients(self) -> None:
        """Forward, losses, backward."""
        with fixed_shapes():
            self.learn_from(self.images, self.targets)

    def learn_from(self, images: Tensor, targets: BoxTargets) -> None:
        """Compute the gradients of one prepared batch."""
        losses = self.learner.wrapped(images, targets)
        self.learner.fabric.backward(sum(losses.values()))

    def update(self) -> None:
        """Clip, update the weights and their average."""
        step_weights(self.learner, self.config.train, updates=1000)


def step_stage(conditions: Conditions) -> Measured:
    """Measure patches per second of each config: the whole step, and its gradients alone."""
    rounds, device = conditions.rounds, conditions.device
    images = random_images(conditions)
    steps = {name: TrainingStep(config, images) for name, config in conditions.configs.items()}
    taken = take_turns(step_parts(steps), rounds=rounds, device=device, warm_up=rounds > 1)
    rows = []
    for name, step in steps.items():
        what, limit, detail = step_row(conditions, name, step, taken)
        seconds = taken[f"{name} gradients"] + taken[f"{name} update"]
        if fits(seconds):
            detail |= kernels_and_waits(step.whole, device) | parts_ms(taken, name)
            detail |= {"with_loader": with_loader(step, conditions)}
        rows += [
            measured(what, "patches/s", conditions.batch / seconds, limit=limit, detail=detail),
            measured(
                f"{name}: forward and backward alone",
                "patches/s",
                conditions.batch / taken[f"{name} gradients"],
                limit=limit,
            ),
        ]
    return rows[0].with_also(*rows[1:])


def random_images(conditions: Conditions) -> Tensor:
    """A batch (B, 3, S, S) float32 in [0, 1] on the device."""
    side = conditions.config.sampling.patch_size
    conditions.say(f"step: {conditions.batch} x {side} px")
    torch.manual_seed(0)
    return torch.rand(conditions.batch, 3, side, side, device=conditions.device)


def step_parts(steps: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    """The two parts of steps, to be timed apart; an update takes the gradients before it."""
    parts: dict[str, Callable[[], object]] = {}
    for name, step in steps.items():
        parts |= {f"{name} gradients": step.gradients, f"{name} update": step.update}
    return parts


def step_row(
    conditions: Conditions, name: str, step: TrainingStep, taken: Mapping[str, Seconds]
) -> tuple[str, tuple[str, float], dict[str, Any]]:
    """The words, the limit and the details of a config's training step."""
    config = step.config
    precision = best_precision(conditions.device, config.machine.precision)
    gflop = gflop_of(step.network, config.sampling.patch_size, backward=True)
    compiled = ", compiled" if config.machine.compile else ""
    side = conditions.config.sampling.patch_size
    seconds = np.median(taken[f"{name} gradients"] + taken[f"{name} update"])
    hours = _STUDY_PATCHES / (conditions.batch / float(seconds)) / 3600
    return (
        f"{name}: training step, {conditions.batch} x {side} px, {precision}{compiled}",
        conditions.convolution_limit(precision, gflop),
        {"gflop": gflop, "study_hours": hours},
    )


def parts_ms(taken: Mapping[str, Seconds], name: str) -> dict[str, float]:
    """Milliseconds of a step's two parts."""
    return {f"{part}_ms": median_ms(taken[f"{name} {part}"]) for part in ("gradients", "update")}


def with_loader(step: TrainingStep, conditions: Conditions) -> dict[str, float]:
    """Measure the same steps on patches from the loader.

    Returns:
        Patches per second, and the share of the time spent waiting for them. On a GPU also the
        most memory, GiB: the network's, its optimizer's, and that of the others in this stage.
    """
    batch, device = conditions.batch, conditions.device
    count = max(3, 512 // batch) if device.type == "cuda" else 3
    per_roi = -(-2 * count * batch // len(conditions.rois))
    config = step.config.with_values(
        sampling={"patches_per_roi": per_roi},
        train={"batch_size": batch},
        machine={"workers": conditions.threads},
    )
    side = config.sampling.patch_size
    decoded = decode_rois(
        conditions.rois, config.data, config.machine, cut_side(config.augment, side), device
    )
    batches = DetectionTask(config, decoded, decoded, device).patches.batches()
    peak_memory(device)
    with fixed_shapes():
        _train(step, batches, count)  # from here on, as much is under way as ever will be
        pace = _train(step, batches, count)
    values = pace.scalars()
    rates = {
        "patches_per_s": values["train/patches_per_second"],
        "data_wait": values["train/data_wait"],
    }
    return rates | peak_memory(device)


def _train(step: TrainingStep, batches: Iterator[Batch[BoxTargets]], count: int) -> Pace:
    """Run steps on the next `count` batches."""
    pace, device = Pace(), step.images.device
    for batch in pace.wait_for(itertools.islice(batches, count)):
        step.learn_from(*prepare(batch, device))
        step.update()
        pace.patches += len(batch)
    synchronize(device)
    return pace
