"""From a network's outputs to boxes: the candidates of a batch at once, then suppression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms

from midog.models.protocol import Candidates, ImageDetections

PER_LEVEL = 1000
"""Most candidates of a level of the pyramid, as in torchvision."""

_CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))


def find_candidates(
    outputs: Mapping[str, Tensor], anchors: Sequence[Tensor], floor: float
) -> Candidates:
    """Take the PER_LEVEL best of every level that score over `floor`; only their boxes are decoded.

    A GPU is not waited for.

    Args:
        outputs: "cls_logits" (B, A, K + 1), where class 0 means nothing, and "bbox_regression"
            (B, A, 4), float32.
        anchors: of every level, (A_l, 4) float32 px, A in all.
        floor: in [0, 1].

    Returns:
        Candidates in px of the anchors.
    """
    logits = by_level(outputs["cls_logits"][..., 1:], anchors)
    codes = by_level(outputs["bbox_regression"], anchors)
    levels = [best_of_level(*level, _decode) for level in zip(logits, codes, anchors, strict=True)]
    candidates = joined(levels)
    return over(candidates._replace(scores=candidates.scores.sigmoid()), floor)


def by_level(outputs: Tensor, anchors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Split outputs (B, A, …) into those of the anchors (A_l, 4) of every level."""
    return torch.split(outputs, [len(level) for level in anchors], dim=1)


def best_of_level(
    ranks: Tensor, codes: Tensor, anchors: Tensor, decode: Callable[[Tensor, Tensor], Tensor]
) -> Candidates:
    """Take the PER_LEVEL best pairs of anchor and class of a level.

    Args:
        ranks: (B, A, K) of the foreground classes, higher is better.
        codes: (B, A, 4).
        anchors: (A, 4) px.
        decode: from codes and anchors (B, C, 4) to boxes (B, C, 4).

    Returns:
        Candidates, best first, with the ranks for scores.
    """
    classes = ranks.shape[2]
    flat = ranks.flatten(1)
    best, index = flat.topk(min(PER_LEVEL, flat.shape[1]), dim=1)
    place = index.div(classes, rounding_mode="floor")
    chosen = codes.gather(1, place[..., None].expand(-1, -1, 4))
    return Candidates(decode(chosen, anchors[place]), best, index % classes + 1)


def joined(levels: Sequence[Candidates]) -> Candidates:
    """Join the candidates of all levels of B images."""
    return Candidates(*(torch.cat(column, dim=1) for column in zip(*levels, strict=True)))


def over(candidates: Candidates, floor: float) -> Candidates:
    """The candidates with score 0 where theirs is not over the floor."""
    scores = candidates.scores
    return candidates._replace(scores=scores.where(scores > floor, 0))


def suppress(candidates: Candidates, nms_iou: float, max_detections: int) -> list[ImageDetections]:
    """Reduce the candidates of every image to its detections, class by class.

    Args:
        candidates: of B images.
        nms_iou: boxes of a class that overlap a better one by more than this are dropped.
        max_detections: most detections of an image.

    Returns:
        B entries, each best first.
    """
    detections = []
    for image in zip(*candidates, strict=True):
        proposed = image[1] > 0
        boxes, scores, labels = (column[proposed] for column in image)
        keep = batched_nms(boxes, scores, labels, nms_iou)[:max_detections]
        detections.append(
            ImageDetections(boxes=boxes[keep], scores=scores[keep], labels=labels[keep])
        )
    return detections


def _decode(codes: Tensor, anchors: Tensor) -> Tensor:
    boxes: Tensor = _CODER.decode_single(codes.flatten(0, 1), anchors.flatten(0, 1))
    return boxes.view_as(codes)
