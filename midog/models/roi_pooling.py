"""Maps of a pyramid pooled to one small size for each box, as torchvision does, without waiting."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align
from torchvision.ops.poolers import LevelMapper

POOLED = 7
"""Side of a box's pooled map, cells; torchvision's number."""

POOLED_LEVELS = 3
"""Boxes are pooled from P3 to P5, whatever levels there are."""

_FINEST = 3  # P3, of stride 2 ** 3
_SAMPLES = 2  # along a side of a cell, as in torchvision


def pool(maps: Sequence[Tensor], boxes: Tensor, rows: Tensor | None = None) -> Tensor:
    """Pool every box from the level that its size suits (Lin et al. 2017, arXiv:1612.03144).

    A CPU pools a box from its own level alone; another device, which would have to be waited for,
    pools all boxes from every level and takes the right one.

    Args:
        maps: (B, C, h, w) of strides 8, 16, …, finest first.
        boxes: (B, P, 4) float32 px as the layers see them.
        rows: (R,) int64, of the B * P boxes those that are wanted; None: all.

    Returns:
        (R, C, POOLED, POOLED) float32.
    """
    images = torch.arange(len(boxes), device=boxes.device).float()
    regions = torch.cat([images[:, None, None].expand(-1, boxes.shape[1], 1), boxes], dim=-1)
    regions = regions.flatten(0, 1) if rows is None else regions.flatten(0, 1)[rows]
    pooled_from = [level.float() for level in maps[:POOLED_LEVELS]]
    mapper = LevelMapper(_FINEST, _FINEST + len(pooled_from) - 1)
    levels = mapper([regions[:, 1:]])
    if regions.device.type == "cpu":
        return _by_level(pooled_from, regions, levels)
    return _from_all(pooled_from, regions, levels)


def _by_level(maps: Sequence[Tensor], regions: Tensor, levels: Tensor) -> Tensor:
    parts, order = [], []
    for level, own in enumerate(maps):
        here = (levels == level).nonzero()[:, 0]
        order.append(here)
        parts.append(_align(own, regions[here], level))
    back = torch.cat(order).argsort()
    return torch.cat(parts)[back]


def _from_all(maps: Sequence[Tensor], regions: Tensor, levels: Tensor) -> Tensor:
    pooled = _align(maps[0], regions, 0)
    for level, own in enumerate(maps[1:], 1):
        here = (levels == level)[:, None, None, None]
        pooled = torch.where(here, _align(own, regions, level), pooled)
    return pooled


def _align(level: Tensor, regions: Tensor, number: int) -> Tensor:
    """Pool regions (R, 5), the image's number and its box, from one level's map."""
    scale = 1 / 2 ** (_FINEST + number)
    result: Tensor = roi_align(level, regions, POOLED, scale, _SAMPLES)
    return result
