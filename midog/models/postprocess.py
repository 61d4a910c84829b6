"""From a network's outputs to boxes: the candidates of a batch at once, then suppression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    lengths = [len(level) for level in anchors]
    logits = torch.split(outputs["cls_logits"][..., 1:], lengths, dim=1)
    codes = torch.split(outputs["bbox_regression"], lengths, dim=1)
    levels = [_best_of_level(*level, floor) for level in zip(logits, codes, anchors, strict=True)]
    return Candidates(*(torch.cat(column, dim=1) for column in zip(*levels, strict=True)))


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
