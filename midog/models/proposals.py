"""From a region proposal network's outputs to proposals of a fixed number; a GPU is not waited for.

torchvision's own gives every image as many as suppression leaves, which makes a GPU wait for the
count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou, clip_boxes_to_image, nms

from midog.models.losses import decode_boxes

NMS_IOU = 0.7
"""Proposals of a level that overlap a better one by more are dropped; torchvision's number."""

_LEAST_SIDE = 1e-3  # px, of a proposal; torchvision's number
_ROUNDS = 48


class Proposals(NamedTuple):
    """Boxes that B images may hold, P of each, best first.

    boxes: (B, P, 4) float32 px as the layers see them, inside the image.
    real: (B, P) bool; the other rows are filling.
    """

    boxes: Tensor
    real: Tensor


@torch.no_grad()
def find_proposals(
    objectness: Sequence[Tensor],
    codes: Sequence[Tensor],
    anchors: Sequence[Tensor],
    size: tuple[int, int],
    most: int,
) -> Proposals:
    """Take the best of every level, suppress level by level, then take the best of all.

    Args:
        objectness: logits (B, A_l) float32 of every level.
        codes: (B, A_l, 4) float32 of every level.
        anchors: (A_l, 4) float32 px of every level.
        size: (height, width) of the images, px, to which proposals are clipped.
        most: proposals of a level before suppression, and of an image after it.
    """
    levels = [
        _best_of_level(*level, size, most) for level in zip(objectness, codes, anchors, strict=True)
    ]
    longest = max(scores.shape[1] for _, scores in levels)
    boxes = torch.stack([_filled(boxes, longest, 0.0) for boxes, _ in levels], dim=1)
    scores = torch.stack([_filled(scores, longest, -torch.inf) for _, scores in levels], dim=1)
    kept = keep_best(boxes.flatten(0, 1), scores.flatten(0, 1) > -torch.inf, NMS_IOU)
    scores = scores.masked_fill(~kept.view_as(scores), -torch.inf).flatten(1)
    best, rows = scores.topk(min(most, scores.shape[1]), dim=1)
    chosen = boxes.flatten(1, 2).gather(1, rows[..., None].expand(-1, -1, 4))
    return Proposals(chosen, best > -torch.inf)


def keep_best(boxes: Tensor, real: Tensor, iou: float) -> Tensor:
    """Suppress the boxes of S sets, each by itself.

    Args:
        boxes: (S, N, 4) px, best first.
        real: (S, N) bool; other rows are not kept and suppress nothing.
        iou: a box that overlaps a better one that is kept by more than this is dropped.

    Returns:
        (S, N) bool, which are kept.
    """
    if boxes.device.type != "cpu":
        return keep_best_in_rounds(boxes, real, iou)
    kept = torch.zeros_like(real)
    for own, here, result in zip(boxes, real, kept, strict=True):
        rows = here.nonzero()[:, 0]
        result[rows[nms(own[rows], -rows.float(), iou)]] = True
    return kept


def keep_best_in_rounds(boxes: Tensor, real: Tensor, iou: float) -> Tensor:
    """Do the same on a device that is not to be waited for.

    In every round a box is dropped if one that the round before kept suppresses it. After as many
    rounds as the longest chain of boxes that suppress one another the result stands still, and is
    that of the usual loop. Chains of over 48 boxes, which no image has, would not be settled.
    """
    later = torch.ones(boxes.shape[1], boxes.shape[1], dtype=torch.bool, device=boxes.device).triu(
        1
    )
    suppresses = torch.stack([(box_iou(own, own) > iou) & later for own in boxes])
    kept = real
    for _ in range(_ROUNDS):
        kept = real & ~(suppresses & kept[..., None]).any(dim=1)
    return kept


def _best_of_level(
    objectness: Tensor, codes: Tensor, anchors: Tensor, size: tuple[int, int], most: int
) -> tuple[Tensor, Tensor]:
    """Boxes (B, n, 4) and scores (B, n), best first; a score of -inf is none."""
    scores, rows = objectness.topk(min(most, objectness.shape[1]), dim=1)
    chosen = codes.gather(1, rows[..., None].expand(-1, -1, 4))
    boxes: Tensor = clip_boxes_to_image(decode_boxes(chosen, anchors[rows]), size)
    flat = ((boxes[..., 2:] - boxes[..., :2]) < _LEAST_SIDE).any(dim=-1)
    return boxes, scores.masked_fill(flat, -torch.inf)


def _filled(rows: Tensor, length: int, value: float) -> Tensor:
    """Rows (B, n, …) with more of them behind, up to (B, length, …)."""
    behind = [0, 0] * (rows.ndim - 2) + [0, length - rows.shape[1]]
    return F.pad(rows, behind, value=value)
