"""Augmentation of a whole batch on its device: flips and quarter turns, stain and brightness
jitter, blur, sharpening.

Every patch is augmented, whatever was sought in it: to augment only those with figures would leak
the label. The random numbers come from (seed, epoch, index) of the draw, so they are the same on
any device, rank and restart. What they mean is worked out on the CPU, where they are known, so that
nothing on the device waits for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from midog.config.schema import AugmentSettings
from midog.devices import copies_alone
from midog.random_streams import generators
from midog.stains import mixing_matrices

DRAWS = 9
"""Random numbers a patch uses: turn, 3 stain scales, 3 channel gains, blur or not, blur amount."""

# by turn (0 to 7, see `turn_boxes`): whether a patch is transposed, then flipped top to bottom,
# then left to right
_SYMMETRIES = np.array(
    [[0, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 1, 1]],
    dtype=bool,
)


class Looks(NamedTuple):
    """What is done to each of B patches, in this order; tensors on the CPU, None where the config
    has none of it.

    flips: (B, 3) bool, whether it is transposed, flipped top to bottom, flipped left to right.
    mixing: (B, 3, 3) float32; channel d of the new optical density is the sum over c of density c *
    mixing[c, d].
    gains: (B, 3) float32, factors of the channels' light; there where `mixing` is.
    blurred: (K,) int64 numbers of the patches that are blurred or sharpened. amounts: (K,) float32,
    1: wholly replaced by its Gaussian average of sigma 1 px, -1: sharpened by as much.
    """

    flips: Tensor | None
    mixing: Tensor | None
    gains: Tensor | None
    blurred: Tensor
    amounts: Tensor

    def moved(self, move: Callable[[Tensor], Tensor]) -> Looks:
        """The same with `move` done to each tensor."""
        flips, mixing, gains = (None if each is None else move(each) for each in self[:3])
        return Looks(flips, mixing, gains, move(self.blurred), move(self.amounts))


def draw_numbers(seed: int, epoch: int, indices: Sequence[int]) -> NDArray[np.float32]:
    """Uniform numbers in [0, 1), (B, DRAWS) float32, one row per draw of the epoch."""
    rows = [rng.random(DRAWS) for rng in generators(seed, "augment", epoch, indices)]
    return np.array(rows, dtype=np.float32).reshape(-1, DRAWS)


def turns_of(numbers: NDArray[np.float32], config: AugmentSettings) -> NDArray[np.int64]:
    """The symmetry 0 to 7 of each patch, (B,), of the numbers of `draw_numbers`; 0 where patches
    are not flipped."""
    eighths = (numbers[:, 0] * 8).astype(np.int64).clip(max=7)
    return eighths if config.flip else np.zeros_like(eighths)


def looks_of(numbers: NDArray[np.float32], config: AugmentSettings) -> Looks:
    """What the numbers (B, DRAWS) of `draw_numbers` mean under a config."""
    scales = 1 + config.stain * (2 * numbers[:, 1:4] - 1)
    gains = 1 + config.brightness * (2 * numbers[:, 4:7] - 1)
    blurred = np.flatnonzero(numbers[:, 7] < config.blur)
    coloured = config.stain > 0 or config.brightness > 0
    return Looks(
        flips=torch.from_numpy(_SYMMETRIES[turns_of(numbers, config)]) if config.flip else None,
        mixing=torch.from_numpy(mixing_matrices(scales)) if coloured else None,
        gains=torch.from_numpy(gains) if coloured else None,
        blurred=torch.from_numpy(blurred),
        amounts=torch.from_numpy(2 * numbers[blurred, 8] - 1),
    )


def to_float(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [0, 1], in channels-last memory."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def augment(images: Tensor, looks: Looks) -> Tensor:
    """The patches (B, S, S, 3) uint8 as `looks` has them: (B, 3, S, S) float32 in [0, 1],
    channels-last."""
    alone = copies_alone(images.device)
    flips, mixing, gains, blurred, amounts = looks.moved(
        lambda each: each.to(images.device, non_blocking=alone)
    )
    light = (images if flips is None else turn_images(images, flips)).to(torch.float32).div_(255.0)
    if mixing is not None and gains is not None:
        logs = light.clamp_(min=1 / 255).log_()
        light = logs[..., :1] * mixing[:, 0, None, None]
        for channel in (
            1,
            2,
        ):  # three products, as a matrix product may be computed with fewer digits
            light.addcmul_(logs[..., channel, None], mixing[:, channel, None, None])
        light.exp_().mul_(gains[:, None, None]).clamp_(0, 1)
    light = light.permute(0, 3, 1, 2)
    if len(blurred):
        part = light[blurred]
        mixed = part + amounts[:, None, None, None] * (_gaussian(part) - part)
        light.index_copy_(0, blurred, mixed.clamp_(0, 1))
    return light


def turn_images(images: Tensor, flips: Tensor) -> Tensor:
    """Patches (B, S, S, 3), each moved as its row of `flips` (B, 3) bool says; on one device."""
    for axes, off in zip(
        ((1, 2), (1,), (2,)), (~flips)[:, :, None, None, None].unbind(1), strict=True
    ):
        moved = images.transpose(*axes) if len(axes) == 2 else images.flip(axes)
        images = torch.where(off, images, moved)  # laid out in memory as the first of the two is
    return images


def _gaussian(images: Tensor) -> Tensor:
    """The average of sigma 1 px over 5 x 5 px, mirrored at the edges, of (B, 3, H, W)."""
    taps = torch.exp(-0.5 * torch.arange(-2, 3, dtype=images.dtype, device=images.device) ** 2)
    kernel = (torch.outer(taps, taps) / taps.sum() ** 2).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)
