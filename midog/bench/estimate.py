"""How long a run takes on this machine, from measured rates and the run's settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from midog.config.schema import TrainSettings

REFERENCE_SPLIT = "midog21"


@dataclass(frozen=True)
class RunSize:
    """The ROIs of a run.

    Args:
        source: Where they are counted, such as "split midog21".
        train: How many it is trained on.
        val: How many it is validated on.
    """

    source: str
    train: int
    val: int


@dataclass(frozen=True)
class Estimate:
    """The time that commands take.

    Args:
        epochs: Of the training.
        patches: Of an epoch.
        size: The ROIs that were assumed.
        training_hours: Of all training steps, the loader included; None if not measured.
        validation_hours: Of all validations; None if not measured.
        infer_seconds: Of `midog infer` per ROI of the measured size; None if not measured.
    """

    epochs: int
    patches: int
    size: RunSize
    training_hours: float | None
    validation_hours: float | None
    infer_seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self) | {"size": vars(self.size)}


def estimate_lines(tree: Mapping[str, Any]) -> list[str]:
    """What `Estimate.to_dict` gives, in words; empty if nothing was measured that it needs."""
    lines = []
    training, validation, size = tree["training_hours"], tree["validation_hours"], tree["size"]
    if training is not None:
        more = (
            "validations not included"
            if validation is None
            else f"and {_time(validation)} for validations"
        )
        lines.append(
            f"midog train: {_time(training)} for {tree['epochs']} epochs of {tree['patches']}"
            f" patches ({size['source']}, {size['train']} ROIs), {more}"
        )
    if tree["infer_seconds"] is not None:
        lines.append(f"midog infer: {tree['infer_seconds']:.3g} s per ROI of the measured size")
    return lines


def run_size(roles: Sequence[str], source: str) -> RunSize:
    """Count the ROIs of a run by their roles in the split."""
    return RunSize(source, train=list(roles).count("train"), val=list(roles).count("val"))


def estimate(
    train: TrainSettings,
    patches_per_roi: int,
    size: RunSize,
    stages: Mapping[str, Mapping[str, Any]],
) -> Estimate:
    """Estimate the time of a training and of inference.

    Args:
        train: Of the run.
        patches_per_roi: Patches drawn from each ROI and epoch.
        size: Its ROIs.
        stages: What `Measured.to_dict` gives, of the stages that were measured; training needs
            `step`, validation and inference need `infer`.
    """
    epochs, patches = train.epochs, size.train * patches_per_roi
    training = validation = seconds = None
    # neither is measured where it did not fit
    if loader := stages.get("step", {}).get("detail", {}).get("with_loader"):
        training = epochs * patches / loader["patches_per_s"] / 3600
    taken = stages.get("infer", {}).get("detail", {}).get("seconds")
    if taken is not None and not math.isnan(taken):
        seconds = float(taken)
        validations = -(-epochs // train.validate_every)
        validation = validations * size.val * seconds / 3600
    return Estimate(epochs, patches, size, training, validation, seconds)


def _time(hours: float) -> str:
    return f"{hours:.3g} h" if hours >= 1 else f"{60 * hours:.2g} min"
