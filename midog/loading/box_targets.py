"""Boxes that patches are targets for: figures cut, kept or ignored, moved as their patch is, padded
to one shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, FloatArray, IntArray
from midog.config.schema import SamplingSettings
from midog.loading.locations import Location, SampledRoi
from midog.models.protocol import ROWS, BoxTargets

MoveBoxes = Callable[[FloatArray, NDArray[np.int64], int], FloatArray]
"""From boxes (N, 4) px, the number of the patch of each, (N,), and the side of a patch to the boxes
where an augmentation takes them."""


IGNORED = 0
"""Label of a box that is no target and no background either."""


@dataclass(frozen=True, eq=False)
class TargetFigures:
    """The figures that are targets, of all ROIs in a row, and the boxes that are to be ignored:
    those of ROI i from starts[i] to starts[i + 1].

    boxes: (T, 4) float32 px of their ROI. labels: (T,) int64, IGNORED among them. starts:
    (ROIs + 1,) int64.
    """

    boxes: FloatArray
    labels: IntArray
    starts: IntArray


def target_figures(rois: Sequence[SampledRoi], sampling: SamplingSettings) -> TargetFigures:
    """Return the figures that the policy of `sampling.imposters` makes targets.

    Imposters are boxes of class 2 under 'second_class', boxes to be ignored under 'ignore', and
    background otherwise.
    """
    both = sampling.imposters == "second_class"
    targets = [MITOTIC_FIGURE, IMPOSTER] if both else [MITOTIC_FIGURE]
    keep = [np.isin(roi.boxes.labels, targets) for roi in rois]
    ignored = [
        np.concatenate([roi.ignored, roi.boxes.xyxy[roi.boxes.labels == IMPOSTER]])
        if sampling.imposters == "ignore"
        else roi.ignored
        for roi in rois
    ]
    boxes = [
        np.concatenate([roi.boxes.xyxy[kept], spared])
        for roi, kept, spared in zip(rois, keep, ignored, strict=True)
    ]
    labels = [
        np.concatenate([roi.boxes.labels[kept], np.full(len(spared), IGNORED, np.int64)])
        for roi, kept, spared in zip(rois, keep, ignored, strict=True)
    ]
    starts = np.cumsum([0, *map(len, boxes)])
    return TargetFigures(
        np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
        np.concatenate([starts[:0], *labels]),
        starts,
    )


def batch_targets(
    figures: TargetFigures,
    locations: Sequence[Location],
    sampling: SamplingSettings,
    move_boxes: MoveBoxes | None = None,
    pasted: tuple[FloatArray, NDArray[np.int64]] | None = None,
) -> BoxTargets:
    """Return the targets of some patches.

    Args:
        figures: Of all ROIs.
        locations: Of the B patches.
        sampling: A figure of which less than `min_visible` is in the patch is ignored, and so is
            every box to be ignored of which anything is.
        move_boxes: What the augmentation of these patches does to boxes; None: nothing. A figure
            that it takes out of the patch is ignored by the same rule.
        pasted: Mitotic figures that are added to patches before that: boxes (K, 4) float32, px of
            their patch, and the numbers of the patches (K,).
    """
    side, rois = sampling.patch_size, np.array([place.roi for place in locations], np.int64)
    counts = figures.starts[rois + 1] - figures.starts[rois]
    patch = np.repeat(np.arange(len(locations)), counts)
    which = np.arange(len(patch)) + np.repeat(
        figures.starts[rois] - (np.cumsum(counts) - counts), counts
    )
    shifted = boxes_in_patches(figures.boxes[which], patch, locations, side)
    clipped = shifted.clip(0, side)
    visible = _visible_share(shifted, clipped)
    labels = figures.labels[which]
    keep = (visible >= sampling.min_visible) & (labels != IGNORED)
    lost = (visible > 0) & ~keep
    boxes, ignore = clipped[keep], shifted[lost]
    owners, labels, of_ignored = patch[keep], labels[keep], patch[lost]
    if pasted is not None:
        boxes, owners, labels = _with_pasted(boxes, owners, labels, *pasted)
    if move_boxes is not None:
        boxes, ignore = move_boxes(boxes, owners, side), move_boxes(ignore, of_ignored, side)
        inside = boxes.clip(0, side)
        stay = _visible_share(boxes, inside) >= sampling.min_visible
        ignore = np.concatenate([ignore, boxes[~stay]])
        of_ignored = np.concatenate([of_ignored, owners[~stay]])
        order = np.argsort(of_ignored, kind="stable")
        ignore, of_ignored = ignore[order], of_ignored[order]
        boxes, owners, labels = inside[stay], owners[stay], labels[stay]
    return BoxTargets(
        boxes=torch.from_numpy(_padded(boxes, owners, len(locations))),
        labels=torch.from_numpy(_padded(labels, owners, len(locations))),
        ignore=torch.from_numpy(_padded(ignore, of_ignored, len(locations))),
    )


def boxes_in_patches(
    boxes: FloatArray, patch: NDArray[np.int64], locations: Sequence[Location], side: int
) -> FloatArray:
    """Return boxes (N, 4) px of their ROI as px of their patches, which may be beyond them.

    Args:
        boxes: Of the ROIs of the patches.
        patch: (N,) int64, number of the patch of each box.
        locations: Of the patches.
        side: Of the patches, px.
    """
    corners = [(place.x, place.y, place.x, place.y) for place in locations]
    scales = np.array([side / (place.window or side) for place in locations], np.float32)
    shifted = boxes - np.array(corners, np.float32).reshape(-1, 4)[patch]
    return np.asarray(shifted * scales[patch, None])


def annotated_boxes(roi: SampledRoi, place: Location, side: int) -> FloatArray:
    """Return all that is annotated in an ROI, figures, imposters, ignored, (N, 4) px of a patch."""
    boxes = np.concatenate([roi.boxes.xyxy, roi.ignored])
    return boxes_in_patches(boxes, np.zeros(len(boxes), np.int64), [place], side)


def _with_pasted(
    boxes: FloatArray,
    owners: IntArray,
    labels: IntArray,
    pasted: FloatArray,
    patches: NDArray[np.int64],
) -> tuple[FloatArray, IntArray, IntArray]:
    """Boxes, the numbers of their patches in rising order, and labels, with pasted figures."""
    owners = np.concatenate([owners, patches])
    order = np.argsort(owners, kind="stable")
    labels = np.concatenate([labels, np.full(len(pasted), MITOTIC_FIGURE, np.int64)])
    return np.concatenate([boxes, pasted])[order], owners[order], labels[order]


def _padded(rows: NDArray[Any], patch: NDArray[np.int64], patches: int) -> NDArray[Any]:
    """Rows (N, …) of ascending `patch` numbers (N,) as (patches, the most of one patch rounded up,
    …)."""
    counts = np.bincount(patch, minlength=patches)
    width = max(-(-int(counts.max(initial=0)) // ROWS), 1) * ROWS
    out = np.zeros((patches, width, *rows.shape[1:]), rows.dtype)
    out[patch, np.arange(len(patch)) - np.repeat(np.cumsum(counts) - counts, counts)] = rows
    return out


def _visible_share(boxes: FloatArray, inside: FloatArray) -> FloatArray:
    """Share of each box that is inside, (N,)."""
    return np.asarray(_area(inside) / np.maximum(_area(boxes), np.finfo(np.float32).tiny))


def _area(boxes: FloatArray) -> FloatArray:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
