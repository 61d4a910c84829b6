"""Augmentation of a whole batch on its device: flips and quarter turns, stain and brightness jitter, blur, sharpening.

Every patch is augmented, whatever was sought in it: to augment only those with figures would leak the label. The
random numbers come from (seed, epoch, index) of the draw, so they are the same on any device, rank and restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from midog.config import AugmentConfig
from midog.data.sampling import random

DRAWS = 9
"""Random numbers a patch uses: turn, 3 stain scales, 3 channel gains, blur or not, blur amount."""

# rows: optical densities of haematoxylin, eosin and a residual in R, G, B (Ruifrok & Johnston, 'Quantification of
# histochemical staining by color deconvolution', Anal Quant Cytol Histol 2001), each of unit length
_STAINS = np.array([[0.650, 0.704, 0.286], [0.072, 0.990, 0.105], [0.268, 0.570, 0.776]])
_STAINS = _STAINS / np.linalg.norm(_STAINS, axis=1, keepdims=True)


class Target(TypedDict):
    """What a model is to find in one patch: boxes (N, 4) px, labels (N,) int64, ignore (M, 4) px."""

    boxes: Tensor
    labels: Tensor
    ignore: Tensor


def draw_numbers(seed: int, epoch: int, indices: Sequence[int]) -> Tensor:
    """Uniform numbers in [0, 1), (B, DRAWS) float32, one row per draw of the epoch."""
    rows = [random(seed, "augment", epoch, index).random(DRAWS) for index in indices]
    return torch.from_numpy(np.array(rows, dtype=np.float32).reshape(-1, DRAWS))


def to_float(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [0, 1], in channels-last memory."""
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def augment(
    images: Tensor, targets: Sequence[Target], numbers: Tensor, config: AugmentConfig
) -> tuple[Tensor, list[Target]]:
    """New images and targets.

    images: (B, 3, S, S) float32 in [0, 1]. targets: one per image. numbers: (B, DRAWS) of `draw_numbers`, any device.
    """
    moved = list(targets)
    if config.flip:
        turns = (numbers[:, 0] * 8).long().clamp(max=7).tolist()
        images = torch.stack([turn_image(image, turn) for image, turn in zip(images, turns, strict=True)])
        moved = [turn_target(target, turn, images.shape[-1]) for target, turn in zip(targets, turns, strict=True)]
    numbers = numbers.to(images.device)
    if config.stain or config.brightness:
        images = _jitter_colour(images, numbers[:, 1:7], config)
    if config.blur:
        images = _blur(images, numbers[:, 7:9], config.blur)
    return images.contiguous(memory_format=torch.channels_last), moved


def turn_image(image: Tensor, turn: int) -> Tensor:
    """One of the eight symmetries of the square: `turn % 4` quarter turns, mirrored first for turn >= 4. (…, S, S)."""
    return torch.rot90(image.flip(-1) if turn >= 4 else image, turn % 4, dims=(-2, -1))


def turn_boxes(boxes: Tensor, turn: int, side: int) -> Tensor:
    """Boxes (N, 4) x1 y1 x2 y2 px moved as `turn_image` moves the patch of that side."""
    x1, y1, x2, y2 = boxes.unbind(1)
    if turn >= 4:
        x1, x2 = side - x2, side - x1
    for _ in range(turn % 4):  # counter-clockwise: (x, y) goes to (y, side - x)
        x1, y1, x2, y2 = y1, side - x2, y2, side - x1
    return torch.stack([x1, y1, x2, y2], dim=1)


def turn_target(target: Target, turn: int, side: int) -> Target:
    """The target of the turned patch."""
    return Target(
        boxes=turn_boxes(target["boxes"], turn, side),
        labels=target["labels"],
        ignore=turn_boxes(target["ignore"], turn, side),
    )


def _jitter_colour(images: Tensor, numbers: Tensor, config: AugmentConfig) -> Tensor:
    """Scale the stains' densities by 1 ± stain and the channels' light by 1 ± brightness: one linear map of the OD."""
    stains = torch.as_tensor(_STAINS, dtype=images.dtype, device=images.device)
    scales = 1 + config.stain * (2 * numbers[:, :3] - 1)
    gains = 1 + config.brightness * (2 * numbers[:, 3:] - 1)
    mixing = torch.linalg.inv(stains) @ (scales[:, :, None] * stains)
    density = -torch.log(images.clamp(min=1 / 255))
    density = torch.einsum("bchw,bcd->bdhw", density, mixing)
    return (torch.exp(-density) * gains[:, :, None, None]).clamp(0, 1)


def _blur(images: Tensor, numbers: Tensor, share: float) -> Tensor:
    """Move a share of the patches towards (blur) or away from (sharpen) their Gaussian average of sigma 1 px."""
    amount = torch.where(numbers[:, 0] < share, 2 * numbers[:, 1] - 1, torch.zeros_like(numbers[:, 1]))
    chosen = amount.nonzero().flatten()
    if not len(chosen):
        return images
    taps = torch.exp(-0.5 * torch.arange(-2, 3, dtype=images.dtype, device=images.device) ** 2)
    kernel = (torch.outer(taps, taps) / taps.sum() ** 2).expand(3, 1, 5, 5)
    part = images[chosen]
    smooth = F.conv2d(F.pad(part, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)
    mixed = part + amount[chosen, None, None, None] * (smooth - part)
    return images.index_copy(0, chosen, mixed.clamp(0, 1))
