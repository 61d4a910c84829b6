"""STAGES of `midog bench`, and all that is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midog.bench.conditions import Conditions
    from midog.bench.measured import Measured


@dataclass(frozen=True)
class Stage:
    """A piece of work that is measured.

    Args:
        about: Its words for the help.
        run: Measures it.
        needs_rois: Whether it cuts patches from ROIs or detects in them.
    """

    about: str
    run: Callable[[Conditions], Measured]
    needs_rois: bool


def _samples(conditions: Conditions) -> Measured:
    from midog.bench.samples import samples_stage

    return samples_stage(conditions)


def _augment(conditions: Conditions) -> Measured:
    from midog.bench.augmentation import augment_stage

    return augment_stage(conditions)


def _forward(conditions: Conditions) -> Measured:
    from midog.bench.forward import forward_stage

    return forward_stage(conditions)


def _step(conditions: Conditions) -> Measured:
    from midog.bench.step import step_stage

    return step_stage(conditions)


def _infer(conditions: Conditions) -> Measured:
    from midog.bench.infer import infer_stage

    return infer_stage(conditions)


def _sweep(conditions: Conditions) -> Measured:
    from midog.bench.sweep import sweep_stage

    return sweep_stage(conditions)


STAGES = {
    "samples": Stage("training patches with their boxes", _samples, True),
    "augment": Stage("each op of augmentation alone", _augment, True),
    "forward": Stage("the network with its detections, on patches", _forward, False),
    "step": Stage("a training step, alone and with the loader", _step, True),
    "infer": Stage("a whole ROI, from file to JSON", _infer, True),
    "sweep": Stage("counts at all thresholds", _sweep, False),
}
"""In the order in which they run."""
