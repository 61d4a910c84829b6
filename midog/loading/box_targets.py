"""What the patches of a batch teach: figures cut, kept or ignored, turned as their patch is, padded
to one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, FloatArray, IntArray
from midog.config.schema import SamplingSettings
from midog.loading.locations import Field, Location

WIDTH = 8
"""A batch holds a multiple of this many boxes per patch: of few shapes, what was compiled for one
stays of use."""


class Targets(TypedDict):
    """What a model is to find in B patches, in px of the patch; padded with zeros.

    boxes: (B, N, 4) float32, clipped to the patch. labels: (B, N) int64, 0 where padded.
    ignore: (B, M, 4) float32, not clipped: figures too little of which is visible, neither taught
    nor counter-taught.
    """

    boxes: Tensor
    labels: Tensor
    ignore: Tensor


@dataclass(frozen=True, eq=False)
class Taught:
    """The figures that a policy teaches, of all ROIs in a row: those of ROI i from starts[i] to
    starts[i + 1].

    boxes: (T, 4) float32 px of their ROI. labels: (T,) int64. starts: (ROIs + 1,) int64.
    """

    boxes: FloatArray
    labels: IntArray
    starts: IntArray


def taught_by(fields: Sequence[Field], config: SamplingSettings) -> Taught:
    """Imposters are boxes of class 2 under 'second_class' and background otherwise."""
    kinds = [MITOTIC_FIGURE, IMPOSTER] if config.imposters == "second_class" else [MITOTIC_FIGURE]
    keep = [np.isin(field.boxes.labels, kinds) for field in fields]
    boxes = [field.boxes.xyxy[each] for field, each in zip(fields, keep, strict=True)]
    labels = [field.boxes.labels[each] for field, each in zip(fields, keep, strict=True)]
    starts = np.cumsum([0, *map(len, boxes)])
    return Taught(
        np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
        np.concatenate([starts[:0], *labels]),
        starts,
    )


def batch_targets(
    taught: Taught,
    spots: Sequence[Location],
    config: SamplingSettings,
    turns: NDArray[np.int64] | None = None,
) -> Targets:
    """Targets of the patches at `spots`, under the config's `min_visible`; turns: (B,) of
    `turn_boxes`, none: 0."""
    side, rois = config.patch_size, np.array([spot.roi for spot in spots], np.int64)
    counts = taught.starts[rois + 1] - taught.starts[rois]
    patch = np.repeat(np.arange(len(spots)), counts)
    which = np.arange(len(patch)) + np.repeat(
        taught.starts[rois] - (np.cumsum(counts) - counts), counts
    )
    origins = np.array([(spot.x, spot.y, spot.x, spot.y) for spot in spots], np.float32).reshape(
        -1, 4
    )
    shifted = taught.boxes[which] - origins[patch]
    clipped = shifted.clip(0, side)
    visible = _area(clipped) / np.maximum(_area(shifted), np.finfo(np.float32).tiny)
    keep = visible >= config.min_visible
    lost = (visible > 0) & ~keep
    turns = np.zeros(len(spots), np.int64) if turns is None else turns
    boxes, ignore = (
        turn_boxes(each, turns[patch[mask]], side)
        for each, mask in ((clipped[keep], keep), (shifted[lost], lost))
    )
    return Targets(
        boxes=torch.from_numpy(_padded(boxes, patch[keep], len(spots))),
        labels=torch.from_numpy(_padded(taught.labels[which[keep]], patch[keep], len(spots))),
        ignore=torch.from_numpy(_padded(ignore, patch[lost], len(spots))),
    )


def turn_boxes(boxes: FloatArray, turns: NDArray[np.int64], side: int) -> FloatArray:
    """Boxes (N, 4) x1 y1 x2 y2 px of patches of that side, each moved as its patch is turned.

    turns: (N,) 0 to 7, `turn % 4` quarter turns counter-clockwise, mirrored left to right first for
    turn >= 4.
    """
    x1, y1, x2, y2 = boxes.T
    mirrored = turns >= 4
    x1, x2 = np.where(mirrored, side - x2, x1), np.where(mirrored, side - x1, x2)
    for quarter in range(3):  # each takes (x, y) to (y, side - x)
        on = turns % 4 > quarter
        x1, y1, x2, y2 = (
            np.where(on, new, old)
            for new, old in ((y1, x1), (side - x2, y1), (y2, x2), (side - x1, y2))
        )
    return np.stack([x1, y1, x2, y2], axis=1)


def _padded(rows: NDArray[Any], patch: NDArray[np.int64], patches: int) -> NDArray[Any]:
    """Rows (N, …) of ascending `patch` numbers (N,) as (patches, the most of one patch rounded up,
    …)."""
    counts = np.bincount(patch, minlength=patches)
    width = max(-(-int(counts.max(initial=0)) // WIDTH), 1) * WIDTH
    out = np.zeros((patches, width, *rows.shape[1:]), rows.dtype)
    out[patch, np.arange(len(patch)) - np.repeat(np.cumsum(counts) - counts, counts)] = rows
    return out


def _area(boxes: FloatArray) -> FloatArray:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
