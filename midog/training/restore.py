"""From a checkpoint to network, optimizer and average: nothing reaches native code unchecked.

A fused optimizer writes to wherever its state points, so what a file holds is compared with the
model first: names, shapes, types and layout of every tensor, and the range of every number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from midog.training.checkpoint import Checkpoint, TrainingProgress, unusable
from midog.training.ema import Average

MOST_THREADS = 1024
"""More threads than any machine has: as many would only end the process."""
_LIMIT = 2**53

_LATER = ("best_value", "smoothed_score", "averaged_epoch")
"""Parts of the progress that checkpoints of this format lack where they are older."""


def restore(
    checkpoint: Checkpoint,
    network: nn.Module,
    optimizer: Optimizer,
    average: Average | None,
    mean: AveragedModel | None = None,
) -> TrainingProgress:
    """Load the state into network, optimizer, average and mean; return the progress.

    The optimizer keeps its own settings: a checkpoint brings its moments alone.

    Raises:
        CheckpointError: The state does not fit them.
    """
    state = checkpoint.state
    try:
        progress = _progress(_mapping(state.get("progress"), "progress"))
        threads = state.get("threads")
        if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"its threads is {threads!r}, not a number from 1 to {MOST_THREADS}")
        facts = _mapping(state.get("facts"), "facts")
        if type(facts.get("steps")) is not int or not 0 < facts["steps"] < _LIMIT:
            raise ValueError(f"its steps is {facts.get('steps')!r}")
        weights = _fitted(state.get("model"), network.state_dict(), "model")
        moments = _moments(_mapping(state.get("optimizer"), "optimizer"), optimizer)
        averaged = None
        if average is not None:
            averaged = _fitted(state.get("ema"), average.state_dict(), "average")
            if not 0 <= int(averaged["n_averaged"]) < _LIMIT:
                raise ValueError("its average is of an impossible number of updates")
        means = None
        if mean is not None and progress.averaged_epoch >= 0:
            means = _fitted(state.get("mean"), mean.state_dict(), "mean")
            if not 0 < int(means["n_averaged"]) < _LIMIT:
                raise ValueError("its mean is of an impossible number of validations")
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise unusable(checkpoint.path, f"does not fit this model: {reason}") from None
    network.load_state_dict(weights)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    if average is not None and averaged is not None:
        average.load_state_dict(averaged)
    if mean is not None and means is not None:
        mean.load_state_dict(means)
    return progress


def _fitted(values: Any, likes: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors by name, if they are those of `likes`; ValueError where they are not."""
    values = _mapping(values, name)
    if values.keys() != likes.keys():
        other = next(iter(values.keys() ^ likes.keys()))
        lacks = "lacks" if other in likes else "has in excess"
        raise ValueError(f"its {name} {lacks} {other!r}")
    return {key: _like(values[key], like, f"{name} {key}") for key, like in likes.items()}


def _like(value: Any, like: Tensor, name: str) -> Tensor:
    """A copy of the value laid out as `like` is; ValueError where it is of another kind."""
    if type(value) is not Tensor or value.layout != torch.strided or value.is_quantized:
        raise ValueError(f"its {name} is no plain tensor")
    if value.shape != like.shape or value.dtype != like.dtype:
        raise ValueError(
            f"its {name} is {list(value.shape)} {value.dtype}, not {list(like.shape)} {like.dtype}"
        )
    if value.is_floating_point() and not value.isfinite().all():
        raise ValueError(f"its {name} holds values that are not finite")
    return torch.empty_like(like, device="cpu").copy_(value)


def _moments(values: Mapping[Any, Any], optimizer: Optimizer) -> dict[int, dict[str, Tensor]]:
    """The optimizer's state by the number of the weight; of a weight, all of it or nothing."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    if any(type(number) is not int or not 0 <= number < len(weights) for number in values):
        raise ValueError(f"its optimizer is of other weights than these {len(weights)}")
    moments = {}
    for number, slots in values.items():
        likes = _slots(optimizer, weights[number].detach())
        moments[number] = _fitted(slots, likes, f"optimizer {number}")
        if "step" in likes and not 0 <= float(moments[number]["step"]) < _LIMIT:
            raise ValueError(f"its optimizer {number} step is {float(moments[number]['step'])}")
    return moments


def _slots(optimizer: Optimizer, weight: Tensor) -> dict[str, Tensor]:
    """What the optimizer keeps of a weight, as tensors of its shapes and types."""
    if isinstance(optimizer, torch.optim.SGD):
        return {"momentum_buffer": weight}
    if isinstance(optimizer, torch.optim.RMSprop):
        return {"step": torch.zeros(()), "square_avg": weight, "momentum_buffer": weight}
    return {"step": torch.zeros(()), "exp_avg": weight, "exp_avg_sq": weight}


def _progress(values: Mapping[Any, Any]) -> TrainingProgress:
    """The progress of a checkpoint; ValueError where a value is missing or out of range."""
    fresh = asdict(TrainingProgress())
    values = {**{name: fresh[name] for name in _LATER}, **values}
    for name, default in fresh.items():
        if type(values.get(name)) is not type(default):
            raise ValueError(f"its {name} is {values.get(name)!r}")
    numbers = ("epoch", "batch", "step", "lost", "skipped", "skipped_in_a_row", "stale")
    losses = values["losses"].items()
    if (
        not all(0 <= values[name] < _LIMIT for name in numbers)
        or not -1 <= values["best_epoch"] <= values["epoch"]
        or not -1 <= values["averaged_epoch"] <= values["epoch"]
        or not 0 <= values["loss_scale"] <= 2.0**64
        or not 0 <= values["loss_scale_age"] < _LIMIT
        or abs(values["schedule_offset"]) >= _LIMIT
        or not all(type(key) is str and type(value) is float for key, value in losses)
        or "/" in values["best_folder"]
        or (values["best_folder"] and not values["best_folder"].startswith("best-"))
    ):
        raise ValueError(f"its progress is {dict(values)}")
    if math.isnan(values["best_value"]):  # of a checkpoint that compared by the score alone
        values["best_value"] = values["best_score"]
    return TrainingProgress(**{name: values[name] for name in fresh})


def _mapping(value: Any, name: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"its {name} is {type(value).__name__}, not a mapping")
    return value
