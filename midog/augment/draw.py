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
from midog.augment.magnification import widest_window, window_sides
from midog.augment.ops import OPS
from midog.augment.pasted import Pastes, pastes_of
from midog.random_streams import generators

if TYPE_CHECKING:
    from midog.augment.op import Op, Parameters
    from midog.boxes import FloatArray
    from midog.config.schema import AugmentSettings


_ELSEWHERE = ("mpp", "copy_paste")
"""Ops that act where patches are cut, as they depend on what is there."""


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
    pastes: figures that are pasted into patches before all of this.
    """

    flips: Tensor | None
    mixing: Tensor | None
    gains: Tensor | None
    blurred: Tensor
    amounts: Tensor
    steps: tuple[Step, ...] = ()
    moves: tuple[Step, ...] = ()
    pastes: Pastes | None = None

    def moved(self, move: Callable[[Tensor], Tensor]) -> Augmentation:
        """Return the same with `move` done to each tensor that images need."""
        flips, mixing, gains = (None if part is None else move(part) for part in self[:3])
        steps = [
            Step(op, {name: move(values) for name, values in parameters.items()})
            for op, parameters in self.steps
        ]
        blurred, amounts = move(self.blurred), move(self.amounts)
        pastes = None if self.pastes is None else self.pastes.moved(move)
        return Augmentation(
            flips, mixing, gains, blurred, amounts, tuple(steps), self.moves, pastes
        )

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


def augmentation_of(
    numbers: NDArray[np.float32],
    settings: AugmentSettings,
    references: Mapping[str, Any] | None = None,
) -> Augmentation:
    """Say what numbers mean under some settings.

    Args:
        numbers: (B, draw_count()) float32 of `draw_numbers`.
        settings: One for each op.
        references: Of the ops that are on and take any from the data, by name.
    """
    steps = _steps(numbers, settings, references or {})
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


def windows_of(
    numbers: NDArray[np.float32], settings: AugmentSettings, side: int
) -> NDArray[np.int64] | None:
    """Return the sides of the windows that patches of `side` px are cut from, (B,); None: theirs.

    Args:
        numbers: (B, draw_count()) float32 of `draw_numbers`.
        settings: One for each op.
        side: Of the patches, px.
    """
    if not settings.mpp:
        return None
    parameters = OPS["mpp"].parameters(_own(numbers, "mpp"), settings.mpp)
    return window_sides(parameters["magnifications"], side)


def cut_side(settings: AugmentSettings, side: int) -> int:
    """Return the side of the largest window that a patch of `side` px is cut from."""
    return widest_window(settings.mpp, side)


def pastes_into(
    numbers: NDArray[np.float32],
    settings: AugmentSettings,
    references: Mapping[str, Any],
    scanners: Sequence[str],
    taken: Sequence[FloatArray],
    side: int,
) -> Pastes | None:
    """Return the figures that are pasted into patches; None: nowhere.

    Args:
        numbers: (B, draw_count()) float32 of `draw_numbers`.
        settings: One for each op.
        references: As of `augmentation_of`.
        scanners, taken, side: Of the patches, see `pastes_of`.
    """
    if not settings.copy_paste:
        return None
    figures = references["copy_paste"]
    own = _own(numbers, "copy_paste")
    parameters = OPS["copy_paste"].parameters(own, settings.copy_paste, figures)
    return pastes_of(parameters, figures, scanners, taken, side)


def ops_without_cpu_form(settings: AugmentSettings) -> list[str]:
    """Return the names of the ops that are on and can run on a CPU by their device form alone."""
    return [
        name
        for name, op in OPS.items()
        if getattr(settings, name) and op.on_device is not None and op.on_cpu is None
    ]


def ops_with_references(settings: AugmentSettings) -> list[str]:
    """Return the names of the ops that are on and take something from the data of a training."""
    return [name for name, op in OPS.items() if op.references and getattr(settings, name)]


def of_pixels_alone(settings: AugmentSettings) -> AugmentSettings:
    """Return the same without the ops that need more than the pixels of a patch.

    Those are the ops that take references from the data, and those that act where patches are cut.
    """
    names = {*ops_with_references(settings), *(name for name in _ELSEWHERE if name in OPS)}
    off = {name: OPS[name].default for name in names}
    assert not any(off.values())
    return settings.model_copy(update=off)


def _steps(
    numbers: NDArray[np.float32], settings: AugmentSettings, references: Mapping[str, Any]
) -> list[Step]:
    """The ops that are on, in the order of `OPS`, each with the parameters of its own numbers."""
    steps = []
    for name, op in OPS.items():
        setting = getattr(settings, name)
        if setting and name not in _ELSEWHERE:
            taken = () if op.references is None else (references[name],)
            parameters: Parameters = op.parameters(_own(numbers, name), setting, *taken)
            steps.append(Step(op, parameters))
    return steps


def _own(numbers: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """The numbers of one op, (B, draws)."""
    names = list(OPS)
    first = sum(OPS[other].draws for other in names[: names.index(name)])
    return numbers[:, first : first + OPS[name].draws]
