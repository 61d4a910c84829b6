"""From a network's outputs to boxes: the candidates of a whole batch at once, then suppression
image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms

PER_LEVEL = 1000
"""Most candidates of a level of the pyramid, as in torchvision."""

_CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))


class Candidates(NamedTuple):
    """Boxes that an image may hold, C for each of B images; those of score 0 are none.

    boxes: (B, C, 4) float32 x1 y1 x2 y2 px. scores: (B, C) float32 in [0, 1]. labels: (B, C) int64
    from 1.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def find_candidates(
    outputs: Mapping[str, Tensor], anchors: Sequence[Tensor], floor: float
) -> Candidates:
    """The PER_LEVEL best of each level that score over `floor`; only their boxes are decoded, and
    nothing waits.

    outputs: "cls_logits" (B, A, K + 1), where class 0 means nothing, and "bbox_regression" (B, A,
    4), float32.
    anchors: of each level, (A_l, 4) float32 px, A in all.
    """
    lengths = [len(level) for level in anchors]
    logits = torch.split(outputs["cls_logits"][..., 1:], lengths, dim=1)
    codes = torch.split(outputs["bbox_regression"], lengths, dim=1)
    levels = [_best_of_level(*level, floor) for level in zip(logits, codes, anchors, strict=True)]
    return Candidates(*(torch.cat(column, dim=1) for column in zip(*levels, strict=True)))


def suppress(found: Candidates, nms_iou: float, most: int) -> list[dict[str, Tensor]]:
    """Per image {"boxes" (N, 4), "scores" (N,), "labels" (N,)}, best first, N <= most.

    Boxes of a class that overlap a better one by more than nms_iou are dropped.
    """
    results = []
    for each in zip(*found, strict=True):
        there = each[1] > 0
        boxes, scores, labels = (column[there] for column in each)
        keep = batched_nms(boxes, scores, labels, nms_iou)[:most]
        results.append({"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]})
    return results


def _best_of_level(logits: Tensor, codes: Tensor, anchors: Tensor, floor: float) -> Candidates:
    """Of logits (B, A, K) and codes (B, A, 4) of anchors (A, 4)."""
    classes = logits.shape[2]
    flat = logits.flatten(1)
    best, index = flat.topk(min(PER_LEVEL, flat.shape[1]), dim=1)
    scores = best.sigmoid()
    place = index.div(classes, rounding_mode="floor")
    chosen = codes.gather(1, place[..., None].expand(-1, -1, 4))
    boxes = _CODER.decode_single(chosen.flatten(0, 1), anchors[place].flatten(0, 1)).view_as(chosen)
    return Candidates(boxes, scores.where(scores > floor, 0), index % classes + 1)
