"""One training step: few kernels, nothing asked of the device, the rate and the clipping as
configured."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.data.folder import read_rois
from midog.models.build import build_model
from midog.training.learner import Learner, make_fabric, make_learner
from midog.training.loop import add_gradients
from midog.training.optimise import Pace, clip, fixed_shapes, learning_rate, step_weights
from midog.training.tasks.detection_data import DetectionData

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

_VIEWS = """alias as_strided as_strided_ chunk contiguous detach detach_ empty empty_like
empty_strided expand expand_as flatten lift_fresh narrow new_empty new_empty_strided permute reshape
resize_ resolve_conj resolve_neg result_type select slice split split_with_sizes squeeze squeeze_ t
to transpose unbind unsqueeze unsqueeze_ view view_as _reshape_alias _unsafe_view"""
NO_KERNEL = {*_VIEWS.split(), "_nnpack_available"}
"""Operations that look at the same bytes in another way, take memory, or choose a CPU's kernel."""

LAUNCHES = {"convolution_backward": 2}
"""Gradients by what went in and by the weights are kernels of their own."""

TENSORS_PER_LAUNCH = {
    "_foreach_norm": 110,
    "_foreach_mul_": 110,
    "_foreach_add_": 110,
    "_fused_adamw_": 30,
}
"""How many tensors CUDA's foreach and fused kernels take at once (64, where it is not said): those
whose pointers fit into a kernel's arguments."""

SYNCS = {
    "item",
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "is_nonzero",
    "unique2",
    "_unique2",
}


def settings(phantom: Path, batch_size: int, *overrides: str) -> RunConfig:
    """default.yaml's network and recipe with small patches, its losses as on a GPU."""
    small = [
        "sampling.patch_size=64",
        f"train.batch_size={batch_size}",
        "machine.workers=0",
        "data.cache=false",
    ]
    run = [
        f"data.dir={str(phantom)!r}",
        "model.weights=none",
        "machine.precision=bf16-mixed",
        "machine.augment_on=device",
    ]
    return load_config("default", [*small, *run, f"machine.device={DEVICE}", *overrides])


def learner_on(config: RunConfig, losses: str = "batched") -> Learner:
    network = build_model(config)
    network.loss_method = losses
    return make_learner(network, config.train, make_fabric(config.machine))


def stepper(learner: Learner, config: RunConfig) -> Callable[[], None]:
    """One whole step: batch to the device, augmentation, forward, losses, backward, clipping,
    update, average."""
    task = DetectionData(config, read_rois(config.data.dir)).open(learner.fabric.device)
    batches = task.batches(0, start=0, rank=0, world=1)

    def step() -> None:
        add_gradients(learner, task, next(batches), 1, is_update=True)
        step_weights(learner, config.train, updates=100)

    step()  # the first one makes anchors and the optimizer's state
    return step


def operations(step: Callable[[], None], tensors: int) -> Counter[str]:
    """What a step has a device do, by operation: those that launch a kernel, and those that wait
    for an answer."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    counts: Counter[str] = Counter()

    def count(event: Any) -> bool:
        """Add an operation's innermost ones; whether there were any."""
        name = event.name.removeprefix("aten::")
        if name.startswith(("_foreach", "_fused")):
            counts[name] += -(-tensors // TENSORS_PER_LAUNCH.get(name, 64))
            return True
        if name in SYNCS:
            counts[name] += 1
        whole = name.startswith(
            ("native_", "convolution_backward", "mkldnn_convolution", "cudnn_convolution")
        )
        within = [count(child) for child in event.cpu_children] if not whole else []
        if event.name.startswith("aten::") and name not in NO_KERNEL and not any(within):
            counts[name] += LAUNCHES.get(name, 1)
            return True
        return any(within)

    for event in profiled.events():
        if event.cpu_parent is None:
            count(event)
    return counts


def test_a_step_is_under_1500_kernels_for_any_batch_and_asks_the_device_nothing(
    phantom: Path,
) -> None:
    learner = learner_on(settings(phantom, 1))
    tensors = len([*learner.network.parameters(), *learner.network.buffers()])
    one, three = (
        operations(stepper(learner, settings(phantom, size, "augment.blur=1")), tensors)
        for size in (1, 3)
    )
    assert not one.keys() & SYNCS
    assert {"_fused_adamw_", "_foreach_norm", "_foreach_mul_", "_foreach_lerp_"} <= one.keys()
    assert {"addcmul_", "index_copy_"} <= one.keys(), "augmentation is part of it"
    assert one == three
    assert 1000 < sum(one.values()) < 1500, sum(one.values())


def test_losses_image_by_image_are_what_asks_the_device(phantom: Path) -> None:
    config = settings(phantom, 2, "model.backbone=resnet18")
    learner = learner_on(config, "per_image")
    assert operations(stepper(learner, config), 1).keys() & SYNCS


@pytest.mark.skipif(DEVICE != "cuda", reason="no CUDA device")
def test_on_a_gpu_nothing_waits(phantom: Path) -> None:
    config = settings(phantom, 2)
    step = stepper(learner_on(config), config)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_clipping_scales_the_gradient_down_to_the_limit_and_0_leaves_it(phantom: Path) -> None:
    config = settings(
        phantom, 1, "model.backbone=resnet18", "machine.precision=32-true", "machine.device=cpu"
    )
    learner = learner_on(config)

    def norm() -> float:
        gradients = [weights.grad for weights in learner.network.parameters()]
        return sum(float(gradient.double().square().sum()) for gradient in gradients) ** 0.5

    for weights in learner.network.parameters():
        weights.grad = torch.randn_like(weights)
    before = norm()
    assert float(clip(learner, 0.0)) == pytest.approx(before, rel=1e-4)
    assert norm() == before
    assert float(clip(learner, 1.0)) == pytest.approx(before, rel=1e-4)
    assert norm() == pytest.approx(1, rel=1e-3)
    assert float(clip(learner, 5.0)) == pytest.approx(1, rel=1e-3)
    assert norm() == pytest.approx(1, rel=1e-3), "what is under the limit stays"


def test_the_learning_rate_rises_then_falls():
    config = load_config(None, ["train.lr=1", "train.warmup_steps=10"])
    rates = [learning_rate(config.train, step, 110) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[60] == pytest.approx(0.5)
    assert 0 < rates[-1] < 0.001
    constant = load_config(None, ["train.lr=1", "train.schedule=constant", "train.warmup_steps=0"])
    assert {learning_rate(constant.train, step, 110) for step in range(110)} == {1}


def rates_of(*overrides: str) -> list[float]:
    own = ["train.lr=1", "train.warmup_steps=0", "train.epochs=30", "train.schedule_epochs=10"]
    train = load_config(None, [*own, *overrides]).train
    return [learning_rate(train, step, 120) for step in range(120)]


def test_the_learning_rate_falls_in_steps_of_epochs():
    rates = rates_of("train.schedule=step", "train.schedule_factor=0.5")
    assert rates == [1.0] * 40 + [0.5] * 40 + [0.25] * 40


def test_the_learning_rate_goes_down_and_up_in_cycles():
    rates = rates_of("train.schedule=cyclic", "train.schedule_factor=0.2")
    assert rates[:40] == pytest.approx(rates[40:80])
    assert (rates[0], rates[20]) == (1, pytest.approx(0.2))
    assert rates[:21] == sorted(rates[:21], reverse=True)
    assert rates[20:40] == sorted(rates[20:40])
    assert rates[10] == pytest.approx(0.6)


def test_pace_tells_waiting_from_working(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def slow():
        for number in range(4):
            clock[0] += 1  # a batch takes a second to come
            yield number

    pace = Pace()
    for _ in pace.wait_for(slow()):
        pace.patches += 8
        clock[0] += 3  # and three to be learned from
    assert pace.scalars() == {"train/patches_per_second": 2, "train/data_wait": 0.25}
    assert Pace().scalars() == {"train/patches_per_second": 0, "train/data_wait": 0}


@pytest.mark.parametrize("before", [False, True])
def test_the_trial_of_convolutions_is_left_as_it_was(monkeypatch, before):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    with suppress(ValueError), fixed_shapes():
        assert torch.backends.cudnn.benchmark
        raise ValueError
    assert torch.backends.cudnn.benchmark is before
