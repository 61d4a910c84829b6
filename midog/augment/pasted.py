"""Figures pasted into patches: where none is, in the light of the place, with soft edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.constants import constant
from midog.augment.flip import turn_boxes

if TYPE_CHECKING:
    from midog.boxes import FloatArray, IntArray

_WHOLE, _NOTHING = 0.6, 0.95
"""Shares of half a crop's side: nearer to its centre all of the crop is seen, farther none."""
_BRIGHTER = 2.0
"""A crop is made brighter or darker at most by this, channel by channel."""


class Figures(NamedTuple):
    """Mitotic figures that can be pasted.

    crops: (N, c, c, 3) uint8, a figure in the centre of each. boxes: (N, 4) float32 of the figures,
    px of their crop. by_scanner: numbers of the crops of each scanner.
    """

    crops: NDArray[np.uint8]
    boxes: FloatArray
    by_scanner: Mapping[str, IntArray]


class Paste(NamedTuple):
    """A figure for one patch. x, y: corner of its crop, px. crop: (c, c, 3) uint8."""

    x: int
    y: int
    crop: NDArray[np.uint8]


class Pastes(NamedTuple):
    """Figures that are pasted into K of B patches, at most one each, before all else.

    patches: (K,) int64, rising. corners: (K, 2) int64 x y of the crops, px. crops: (K, c, c, 3)
    uint8. boxes: (K, 4) float32 array, x1 y1 x2 y2 of the figures, px of their patch.
    """

    patches: Tensor
    corners: Tensor
    crops: Tensor
    boxes: FloatArray

    def moved(self, move: Callable[[Tensor], Tensor]) -> Pastes:
        """Return the same with `move` done to each tensor."""
        patches, corners, crops = (move(part) for part in self[:3])
        return Pastes(patches, corners, crops, self.boxes)


def figures_of(figures: Iterable[tuple[str, NDArray[np.uint8], FloatArray]]) -> Figures:
    """Gather figures, given with their scanner and box as `ReferencePixels.figures` does."""
    scanners, crops, boxes = [], [], []
    for scanner, crop, box in figures:
        scanners.append(scanner)
        crops.append(crop)
        boxes.append(box)
    names = np.array(scanners, dtype=object)
    by_scanner = {name: np.flatnonzero(names == name) for name in dict.fromkeys(scanners)}
    side = len(crops[0]) if crops else 0
    return Figures(
        np.array(crops, np.uint8).reshape(len(crops), side, side, 3),
        np.array(boxes, np.float32).reshape(-1, 4),
        by_scanner,
    )


def pastes_of(
    parameters: Mapping[str, NDArray[Any]],
    figures: Figures,
    scanners: Sequence[str],
    taken: Sequence[FloatArray],
    side: int,
) -> Pastes | None:
    """Choose what is pasted into some patches, and where.

    A crop lies whole in its patch and touches no annotated box: of the places that are drawn the
    first free one is taken. It is of the patch's own scanner, so that its colours give nothing
    away, and turned.

    Args:
        parameters: Of `copy_paste`, for B patches.
        figures: To choose from.
        scanners: Of the patches.
        taken: Every annotated box of each patch, figure, imposter or ignored, (N, 4) px of it.
        side: Of the patches, px.

    Returns:
        None where nothing is pasted.
    """
    extent = figures.crops.shape[1]
    room = side - extent
    patches, corners, crops, boxes = [], [], [], []
    for patch in np.flatnonzero(parameters["pasted"]).tolist():
        own = figures.by_scanner.get(scanners[patch])
        if own is None or room < 0:
            continue
        places = np.minimum((parameters["places"][patch] * (room + 1)).astype(np.int64), room)
        free = _free(places, extent, taken[patch])
        if not len(free):
            continue
        number = own[min(int(parameters["choices"][patch] * len(own)), len(own) - 1)]
        crop, turn = figures.crops[number], int(parameters["turns"][patch])
        box = turn_boxes(figures.boxes[number][None], np.array([turn]), extent)[0]
        patches.append(patch)
        corners.append(free[0])
        crops.append(np.rot90(crop[:, ::-1] if turn >= 4 else crop, turn % 4))
        boxes.append(box + np.tile(free[0], 2))
    if not patches:
        return None
    return Pastes(
        torch.tensor(patches),
        torch.from_numpy(np.stack(corners)),
        torch.from_numpy(np.stack(crops)),
        np.array(boxes, np.float32),
    )


def paste_on_device(images: Tensor, pastes: Pastes) -> Tensor:
    """Paste into patches on their device.

    Args:
        images: (B, S, S, 3) uint8; they stay as they are.
        pastes: Of these patches, on the same device.
    """
    patches, corners, crops, _ = pastes
    side = crops.shape[1]
    along = torch.arange(side, device=images.device)
    columns, rows = (corners[:, axis, None] + along for axis in (0, 1))
    places = patches[:, None, None], rows[:, :, None], columns[:, None, :]
    seen, rim = constant(_weights, images.device, side)
    before, figures = images[places].to(torch.float32), crops.to(torch.float32)
    lights = [(part * rim).sum(dim=(1, 2), keepdim=True) for part in (before, figures)]
    gains = (lights[0] / lights[1].clamp(min=1e-6)).clamp(1 / _BRIGHTER, _BRIGHTER)
    after = before + seen * ((figures * gains).clamp(max=255) - before)
    return images.index_put(places, after.round().clamp(0, 255).to(torch.uint8))


def paste_on_cpu(patch: NDArray[np.uint8], paste: Paste) -> None:
    """Paste into a patch (S, S, 3) uint8, which is changed."""
    side = len(paste.crop)
    place = patch[paste.y : paste.y + side, paste.x : paste.x + side]
    seen, rim = _weights(side)
    before, figure = place.astype(np.float32), paste.crop.astype(np.float32)
    lights = [(part * rim).sum(axis=(0, 1)) for part in (before, figure)]
    gains = (lights[0] / np.maximum(lights[1], 1e-6)).clip(1 / _BRIGHTER, _BRIGHTER)
    after = before + seen * (np.minimum(figure * gains, 255) - before)
    place[...] = np.rint(after).clip(0, 255)


def _free(corners: IntArray, side: int, taken: FloatArray) -> IntArray:
    """Those of the corners (T, 2) whose crop touches none of the boxes (N, 4)."""
    low, high = corners[:, None], corners[:, None] + side
    touches = np.all((low < taken[:, 2:]) & (high > taken[:, :2]), axis=2)
    return np.asarray(corners[~touches.any(axis=1)])


@lru_cache(maxsize=4)
def _weights(side: int) -> NDArray[np.float32]:
    """How much of a crop is seen, and the ring in which it takes the light of its place: (2, c, c,
    1)."""
    along = (np.arange(side) + 0.5) / (side / 2) - 1
    distance = np.hypot(along[:, None], along)[..., None]
    fall = ((_NOTHING - distance) / (_NOTHING - _WHOLE)).clip(0, 1)
    seen = (0.5 - 0.5 * np.cos(np.pi * fall)).astype(np.float32)
    return np.stack([seen, ((distance > _WHOLE) & (distance < _NOTHING)).astype(np.float32)])
