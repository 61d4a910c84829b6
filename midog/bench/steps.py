"""A training step, from a batch on its device to moved weights: ours against torchvision's
RetinaNet as shipped."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from midog.bench.counting import gflop_of, kernels_and_waits, peak_memory, shown_px
from midog.bench.forward import best_precision
from midog.bench.plain_network import SHIPPED_PX, shipped
from midog.bench.plan import Plan, with_settings
from midog.bench.result import Compared, compare
from midog.bench.timing import Seconds, synchronize, take_turns
from midog.config.schema import RunConfig
from midog.loading.rois import decode_rois
from midog.loading.source import Batch
from midog.models.build import build_model, num_classes
from midog.models.protocol import ROWS, BoxTargets
from midog.training.learner import make_fabric, make_learner
from midog.training.optimise import Pace, fixed_shapes, step_weights
from midog.training.tasks.detection import prepare, training_loader
from midog.training.train import resolve

_BOXES = ((100.0, 100.0, 150.0, 150.0), (300.0, 300.0, 350.0, 350.0))
_STUDY_PATCHES = 2400 * 1500
"""Of the reference study: 2400 epochs of some 1,500."""


class OurStep:
    """One step of midog's own training on one prepared batch (B, 3, S, S), again and again."""

    def __init__(self, config: RunConfig, images: Tensor) -> None:
        self.config = resolve(with_settings(config, machine={"device": str(images.device)}))
        torch.manual_seed(self.config.train.seed)
        network, machine = build_model(self.config), self.config.machine
        self.learner = make_learner(network, self.config.train, make_fabric(machine))
        if machine.compile:
            network.compile_parts()
        self.learner.wrapped.train()
        self.images = images.contiguous(memory_format=torch.channels_last)
        boxes = images.new_zeros(len(images), ROWS, 4)
        boxes[:, : len(_BOXES)] = images.new_tensor(_BOXES)
        labels = (boxes[..., 2] > 0).long()
        self.targets = BoxTargets(boxes=boxes, labels=labels, ignore=torch.zeros_like(boxes))

    def gradients(self) -> None:
        """Forward, losses, backward."""
        with fixed_shapes():
            self.learn_from(self.images, self.targets)

    def learn_from(self, images: Tensor, targets: BoxTargets) -> None:
        """The gradients of one prepared batch."""
        losses = self.learner.wrapped(images, targets)
        self.learner.fabric.backward(sum(losses.values()))

    def update(self) -> None:
        """Clip, move the weights and their average."""
        step_weights(self.learner, self.config.train, updates=1000)


class PlainStep:
    """The same by a plain loop over torchvision's network: float32, AdamW as torch makes it, no
    average."""

    def __init__(self, config: RunConfig, images: Tensor) -> None:
        self.network = (
            shipped(config.model.backbone.kind, num_classes(config.sampling))
            .train()
            .to(images.device)
        )
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)
        self.images = list(images)
        boxes = images.new_tensor(_BOXES)
        labels = torch.ones(len(boxes), dtype=torch.int64, device=images.device)
        self.targets = [{"boxes": boxes, "labels": labels} for _ in self.images]

    def gradients(self) -> None:
        """Forward, losses, backward."""
        losses = self.network(self.images, self.targets)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]

    def update(self) -> None:
        """Move the weights."""
        self.optimizer.step()
        self.optimizer.zero_grad()


def step_stage(plan: Plan) -> Compared:
    """Patches a second of each config, the first one's whole step first."""
    side, device = plan.config.sampling.patch_size, plan.device
    plan.say(f"step: {plan.batch} x {side} px")
    torch.manual_seed(0)
    images = torch.rand(plan.batch, 3, side, side, device=device)
    ours = {name: OurStep(config, images) for name, config in plan.configs.items()}
    other = PlainStep(plan.config, images)
    steps: dict[str, OurStep | PlainStep] = {**ours, "plain": other}
    things: dict[str, Callable[[], object]] = {}
    for name, step in steps.items():  # in this order: an update takes the gradients before it
        things |= {f"{name} gradients": step.gradients, f"{name} update": step.update}
    taken = take_turns(things, rounds=plan.rounds, device=device, warm_up=plan.rounds > 1)
    counts = {
        name: kernels_and_waits(functools.partial(_whole, step), device)
        for name, step in steps.items()
    }
    plain_gflop = gflop_of(other.network, SHIPPED_PX, backward=True)
    plain = {"gflop": plain_gflop, **counts["plain"], **_parts(taken, "plain")}
    rows: list[Compared] = []
    for name, each in ours.items():
        detail = {
            **counts[name],
            **_parts(taken, name),
            "plain": plain,
            "with_loader": with_loader(each, plan),
        }
        rows += _rows(plan, name, each, taken, detail)
    return rows[0].with_also(*rows[1:])


def with_loader(step: OurStep, plan: Plan) -> dict[str, float]:
    """The same steps on patches that the loader brings: patches a second, and the share of the time
    waited for them.

    On a GPU with the most memory taken: the network's, its optimizer's, and that of the others in
    this stage.
    """
    count = max(3, 512 // plan.batch) if plan.device.type == "cuda" else 3
    per_roi = -(-2 * count * plan.batch // len(plan.rois))
    config = with_settings(
        step.config,
        sampling={"patches_per_roi": per_roi},
        train={"batch_size": plan.batch},
        machine={"workers": plan.threads},
    )
    side = config.sampling.patch_size
    decoded = decode_rois(plan.rois, config.data, config.machine, side, plan.device)
    batches = training_loader(decoded, config, plan.device).batches()
    peak_memory(plan.device)
    with fixed_shapes():
        _train(step, batches, count)  # from here on, as much is under way as ever will be
        pace = _train(step, batches, count)
    values = pace.scalars()
    found = {
        "patches_per_s": values["train/patches_per_second"],
        "data_wait": values["train/data_wait"],
    }
    return found | peak_memory(plan.device)


def _train(step: OurStep, batches: Iterator[Batch[BoxTargets]], count: int) -> Pace:
    """Steps on the next `count` batches, and how quickly they went."""
    pace, device = Pace(), step.images.device
    for batch in pace.wait_for(itertools.islice(batches, count)):
        step.learn_from(*prepare(batch, device))
        step.update()
        pace.patches += len(batch)
    synchronize(device)
    return pace


def _rows(
    plan: Plan, name: str, step: OurStep, taken: Mapping[str, Seconds], detail: dict[str, Any]
) -> list[Compared]:
    """The whole step, and its gradients alone."""
    precision = best_precision(plan.device, step.config.machine.precision)
    gflop = gflop_of(step.learner.network, shown_px(step.config), backward=True)
    limit = plan.conv_limit(precision, gflop)
    compiled = ", compiled" if step.config.machine.compile else ""
    how = f"{plan.batch} x {plan.config.sampling.patch_size} px, {precision}{compiled}"
    plainly = f"torchvision as shipped (resized to {SHIPPED_PX}, float32)"
    seconds = {who: taken[f"{who} gradients"] + taken[f"{who} update"] for who in (name, "plain")}
    rate = plan.batch / float(np.median(seconds[name]))
    whole = compare(
        f"{name}: training step, {how}",
        plainly,
        "patches/s",
        plan.batch / seconds[name],
        plan.batch / seconds["plain"],
        limit=limit,
        detail={"gflop": gflop, "study_hours": _STUDY_PATCHES / rate / 3600, **detail},
    )
    gradients = compare(
        f"{name}: forward and backward alone",
        plainly,
        "patches/s",
        plan.batch / taken[f"{name} gradients"],
        plan.batch / taken["plain gradients"],
        limit=limit,
    )
    return [whole, gradients]


def _parts(taken: Mapping[str, Seconds], name: str) -> dict[str, float]:
    """Milliseconds of a step's two parts."""
    return {
        f"{part}_ms": 1000 * float(np.median(taken[f"{name} {part}"]))
        for part in ("gradients", "update")
    }


def _whole(step: OurStep | PlainStep) -> None:
    step.gradients()
    step.update()
