"""From the random numbers of draws to what is done to their patches and to the boxes in them.

Every patch is augmented, whatever was requested in it: to augment only those with figures would
leak the label. The numbers come from (seed, epoch, index) of the draw, so they are the same on any
device, rank and restart. What they mean is worked out on the CPU, so that nothing on the device
waits for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.colour_map import colour_map
from midog.augment.flip import SYMMETRIES
from midog.augment.ops import OPS
from midog.random_streams import generators

if TYPE_CHECKING:
    from midog.augment.op import Op, Parameters
    from midog.boxes import FloatArray
    from midog.config.schema import AugmentSettings


class Step(NamedTuple):
    """One op and its parameters for B patches: arrays or tensors (B, ...) by name."""

    op: Op
    parameters: Mapping[str, Any]


class Augmentation(NamedTuple):
    """What is done to each of B patches, in this order; tensors on the CPU, None where it is off.

    flips: (B, 3) bool, whether it is transposed, flipped top to bottom, flipped left to right.
    mixing: (B, 3, 3) float32; channel d of the new optical density is the sum over c of density c *
    mixing[c, d].
    gains: (B, 3) float32, factors of the channels' light; None where `mixing` is.
    blurred: (K,) int64 numbers of the patches that are blurred or sharpened. amounts: (K,) float32,
    1: wholly replaced by its Gaussian average of sigma 1 px, -1: sharpened by as much.
    steps: the ops that follow, one after the other, with tensors.
    moves: the ops that move boxes, with arrays.
    """

    flips: Tensor | None
    mixing: Tensor | None
    gains: Tensor | None
    blurred: Tensor
    amounts: Tensor
    steps: tuple[Step, ...] = ()
    moves: tuple[Step, ...] = ()

    def moved(self, move: Callable[[Tensor], Tensor]) -> Augmentation:
        """Return the same with `move` done to each tensor that images need."""
        flips, mixing, gains = (None if part is None else move(part) for part in self[:3])
        steps = [
            Step(op, {name: move(values) for name, values in parameters.items()})
            for op, parameters in self.steps
        ]
        blurred, amounts = move(self.blurred), move(self.amounts)
        return Augmentation(flips, mixing, gains, blurred, amounts, tuple(steps), self.moves)

    def move_boxes(self, boxes: FloatArray, patch: NDArray[np.int64], side: int) -> FloatArray:
        """Return boxes where the augmentation takes them.

        Args:
            boxes: (N, 4) float32 x1 y1 x2 y2, px of their patch.
            patch: (N,) int64, number of the patch of each box, 0 to B - 1.
            side: Of the patches, px.
        """
        for op, parameters in self.moves:
            assert op.move_boxes is not None
            own = {name: values[patch] for name, values in parameters.items()}
            boxes = op.move_boxes(boxes, own, side)
        return boxes


def draw_count() -> int:
    """Return how many random numbers a patch uses."""
    return sum(op.draws for op in OPS.values())


def draw_numbers(seed: int, epoch: int, indices: Sequence[int]) -> NDArray[np.float32]:
    """Draw uniform numbers in [0, 1).

    Returns:
        (B, draw_count()) float32, one row per draw of the epoch; columns in the order of `OPS`.
    """
    count = draw_count()
    rows = [rng.random(count) for rng in generators(seed, "augment", epoch, indices)]
    return np.array(rows, dtype=np.float32).reshape(-1, count)


def augmentation_of(numbers: NDArray[np.float32], settings: AugmentSettings) -> Augmentation:
    """Say what numbers mean under some settings.

    Args:
        numbers: (B, draw_count()) float32 of `draw_numbers`.
        settings: One for each op.
    """
    steps = _steps(numbers, settings)
    passing = [step.parameters for step in steps if step.op.on_device is None]
    one_pass = {name: values for own in passing for name, values in own.items()}
    flips = np.array(SYMMETRIES)[one_pass["turns"]] if "turns" in one_pass else None
    colours = colour_map(passing, len(numbers))
    blurred = np.flatnonzero(one_pass.get("blurred", np.zeros(len(numbers), bool)))
    amounts = one_pass.get("amounts", np.zeros(len(numbers), np.float32))[blurred]
    return Augmentation(
        flips=None if flips is None else torch.from_numpy(flips),
        mixing=None if colours is None else torch.from_numpy(colours[0]),
        gains=None if colours is None else torch.from_numpy(colours[1]),
        blurred=torch.from_numpy(blurred),
        amounts=torch.from_numpy(amounts),
        steps=tuple(
            Step(op, {name: torch.from_numpy(values) for name, values in parameters.items()})
            for op, parameters in steps
            if op.on_device is not None
        ),
        moves=tuple(step for step in steps if step.op.move_boxes is not None),
    )


def ops_without_cpu_form(settings: AugmentSettings) -> list[str]:
    """Return the names of the ops that are on and can run on a CPU by their device form alone."""
    return [
        name
        for name, op in OPS.items()
        if getattr(settings, name) and op.on_device is not None and op.on_cpu is None
    ]


def _steps(numbers: NDArray[np.float32], settings: AugmentSettings) -> list[Step]:
    """The ops that are on, in the order of `OPS`, each with the parameters of its own numbers."""
    steps, first = [], 0
    for name, op in OPS.items():
        own, first = numbers[:, first : first + op.draws], first + op.draws
        setting = getattr(settings, name)
        if setting:
            parameters: Parameters = op.parameters(own, setting)
            steps.append(Step(op, parameters))
    return steps
