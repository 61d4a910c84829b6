"""FCOS's losses, torchvision's up to rounding, of a batch at once; a GPU is never waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection._utils import BoxLinearCoder
from torchvision.ops import sigmoid_focal_loss

from midog.models.losses import BACKGROUND, NO_PART, giou_loss, has_area, is_real
from midog.models.protocol import BoxTargets

CENTER_RADIUS = 1.5
"""How far from a figure's centre a place is a positive one, in strides; torchvision's number."""

_REACH = (4, 8)
"""A level's figures reach from a place over 4 to under 8 strides; torchvision's numbers."""

CODER = BoxLinearCoder(normalize_by_size=True)
"""Codes are the distances of a place to a box's four sides, in strides."""


def fcos_losses(
    outputs: Mapping[str, Tensor],
    levels: Sequence[Tensor],
    targets: BoxTargets,
    radius: float = CENTER_RADIUS,
) -> dict[str, Tensor]:
    """Compute the three losses of Tian et al. 2019 (arXiv:1904.01355) over all images and places.

    Args:
        outputs: "cls_logits" (B, A, K + 1), "bbox_regression" (B, A, 4) and "bbox_ctrness"
            (B, A, 1), float32.
        levels: of every level (A_l, 4) float32 px: squares about its places, a stride wide.
        targets: of the B images, in the same px.
        radius: see `match_places`.

    Returns:
        The scalars "classification" (focal loss), "bbox_regression" (GIoU loss) and "bbox_ctrness"
        (cross entropy of the centerness; its least value is not 0, as its target is a share): sums
        over the batch by its number of positive places, or 1.
    """
    squares = torch.cat(list(levels))
    matches = match_places(levels, targets, radius)
    positive = matches >= 0
    rows = matches.clamp(min=0)
    count = positive.sum().clamp(min=1)

    logits = outputs["cls_logits"]
    labels = targets["labels"].gather(1, rows).masked_fill(~positive, -1)
    wanted = labels[..., None] == torch.arange(logits.shape[-1], device=logits.device)
    focal = (
        sigmoid_focal_loss(logits, wanted.to(logits.dtype))
        .sum(dim=-1)
        .masked_fill(matches == NO_PART, 0)
    )

    true = targets["boxes"].gather(1, rows[..., None].expand(-1, -1, 4))
    boxes = CODER.decode(outputs["bbox_regression"], squares)
    misfit = giou_loss(boxes, true).masked_fill(~positive, 0)

    middle = centerness(squares, true).masked_fill(~positive, 0)
    off_center = F.binary_cross_entropy_with_logits(
        outputs["bbox_ctrness"].squeeze(-1), middle, reduction="none"
    ).masked_fill(~positive, 0)
    return {
        "classification": focal.sum() / count,
        "bbox_regression": misfit.sum() / count,
        "bbox_ctrness": off_center.sum() / count,
    }


def match_places(
    levels: Sequence[Tensor], targets: BoxTargets, radius: float = CENTER_RADIUS
) -> Tensor:
    """Assign a box, background or no part in the loss to every place.

    The rules are torchvision's, with ignored boxes on top: a place is positive where it is inside a
    box, within `radius` strides of its centre along both axes, and the box's farthest side is over
    4 and under 8 strides away (on the finest level also nearer, on the coarsest also farther); of
    several boxes the smallest is taken.

    Args:
        levels: of every level (A_l, 4) float32 px: squares about its places, a stride wide.
        targets: of B images, in the same px.
        radius: in strides.

    Returns:
        (B, A) int64: the row of a box; BACKGROUND; or NO_PART: background inside an ignored box.
    """
    squares = torch.cat(list(levels))
    boxes, ignore = targets["boxes"], targets["ignore"]
    places = (squares[:, :2] + squares[:, 2:]) / 2
    if boxes.shape[1]:
        taken = (
            _may_take(levels, places, boxes, radius) & is_real(boxes, targets["labels"])[..., None]
        )
        width, height = (boxes[..., 2:] - boxes[..., :2]).unbind(-1)
        # torchvision's own sum, in float32: boxes that it holds for equally large are so here
        best, row = (taken.float() * (1e8 - width * height)[..., None]).max(dim=1)
        matches = row.masked_fill(best < 1e-5, BACKGROUND)
    else:
        matches = torch.full(
            (len(boxes), len(squares)), BACKGROUND, dtype=torch.int64, device=squares.device
        )
    if ignore.shape[1] == 0:
        return matches
    corners = ignore[:, :, None]
    inside = ((places >= corners[..., :2]) & (places <= corners[..., 2:])).all(dim=-1)
    spared = (inside & has_area(ignore)[..., None]).any(dim=1)
    return matches.masked_fill(spared & (matches == BACKGROUND), NO_PART)


def centerness(squares: Tensor, boxes: Tensor) -> Tensor:
    """How near a place is to the middle of its box, 1 there and 0 at a side; elsewhere undefined.

    Args:
        squares: (A, 4) about the places.
        boxes: (B, A, 4).

    Returns:
        (B, A), equation 3 of arXiv:1904.01355.
    """
    left, top, right, bottom = CODER.encode(squares, boxes).unbind(-1)
    across = torch.minimum(left, right) / torch.maximum(left, right)
    down = torch.minimum(top, bottom) / torch.maximum(top, bottom)
    return (across * down).sqrt()


def _may_take(levels: Sequence[Tensor], places: Tensor, boxes: Tensor, radius: float) -> Tensor:
    """Which boxes (B, N, 4) the places (A, 2) of all levels may take, (B, N, A)."""
    stride = torch.cat([level[:, 2] - level[:, 0] for level in levels])
    least, most = (times * stride for times in _REACH)
    least[: len(levels[0])] = 0
    most[-len(levels[-1]) :] = torch.inf
    low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
    near = (places - (low + high) / 2).abs().amax(dim=-1) < radius * stride
    sides = torch.cat([places - low, high - places], dim=-1)
    farthest = sides.amax(dim=-1)
    return near & (sides.amin(dim=-1) > 0) & (farthest > least) & (farthest < most)
