"""RetinaNet's two losses, torchvision's to the last rounding: over a whole batch at once, or image
by image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import box_iou, sigmoid_focal_loss

FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.4
BACKGROUND = -1
NO_PART = -2
"""What an anchor without a box to find is: background, or no part of the loss. As torchvision's
Matcher says it."""

ROWS = 8
"""Padded boxes come in multiples of this: few shapes, so that what is compiled for them stays
compiled."""

_LARGEST_GROWTH = math.log(1000 / 16)  # of a side, as torchvision's BoxCoder clips it
_EPS = 1e-7  # of torchvision's GIoU loss


class Targets(TypedDict):
    """What is to be found in a batch, padded: a row with label 0 or without area is none.

    boxes (B, N, 4) and ignore (B, M, 4) float32 x1 y1 x2 y2 px; labels (B, N) int64, 1 to K.
    """

    boxes: Tensor
    labels: Tensor
    ignore: Tensor


def pad_targets(targets: Sequence[Mapping[str, Tensor]]) -> Targets:
    """One dict of padded tensors from a dict per image: "boxes" (N, 4), "labels" (N,), "ignore" (M,
    4) or none."""
    none = targets[0]["boxes"].new_zeros((0, 4))
    return Targets(
        boxes=_padded([each["boxes"] for each in targets]),
        labels=_padded([each["labels"] for each in targets]),
        ignore=_padded([each.get("ignore", none) for each in targets]),
    )


def scale_boxes(boxes: Tensor, x: float, y: float) -> Tensor:
    """Boxes (…, 4) in another frame: x1 and x2 times `x`, y1 and y2 times `y`."""
    if x == y == 1:
        return boxes
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([x1 * x, y1 * y, x2 * x, y2 * y], dim=-1)


def batched_losses(
    outputs: Mapping[str, Tensor], anchors: Tensor, targets: Targets
) -> dict[str, Tensor]:
    """Both losses over all images and anchors at once; no loop over images, and nothing that makes
    a GPU wait.

    outputs: "cls_logits" (B, A, K + 1) and "bbox_regression" (B, A, 4), float32. anchors: (A, 4)
    px. Returns the scalars {"classification", "bbox_regression"}: per image the sum over its
    anchors by its number of foreground anchors (or 1), then the mean over the images.
    """
    matches = match_anchors(anchors, targets)
    foreground = matches >= 0
    found = matches.clamp(min=0)
    count = foreground.sum(dim=1).clamp(min=1)

    logits = outputs["cls_logits"]
    labels = targets["labels"].gather(1, found).masked_fill(~foreground, -1)
    wanted = labels[..., None] == torch.arange(logits.shape[-1], device=logits.device)
    focal = (
        sigmoid_focal_loss(logits, wanted.to(logits.dtype))
        .sum(dim=-1)
        .masked_fill(matches == NO_PART, 0)
    )

    boxes = decode_boxes(outputs["bbox_regression"], anchors)
    true = targets["boxes"].gather(1, found[..., None].expand(-1, -1, 4))
    misfit = giou_loss(boxes, true).masked_fill(~foreground, 0)
    return {
        "classification": (focal.sum(dim=1) / count).mean(),
        "bbox_regression": (misfit.sum(dim=1) / count).mean(),
    }


def per_image_losses(
    head: RetinaNetHead, outputs: dict[str, Tensor], anchors: Tensor, targets: Targets
) -> dict[str, Tensor]:
    """The same losses as torchvision computes them: image by image, of the anchors that matter
    alone."""
    single = []
    for boxes, labels, ignore in zip(
        targets["boxes"], targets["labels"], targets["ignore"], strict=True
    ):
        real = is_real(boxes, labels)
        single.append(
            Targets(boxes=boxes[real], labels=labels[real], ignore=ignore[has_area(ignore)])
        )
    matches = [
        match_anchors(
            anchors,
            Targets(boxes=t["boxes"][None], labels=t["labels"][None], ignore=t["ignore"][None]),
        )[0]
        for t in single
    ]
    losses: dict[str, Tensor] = head.compute_loss(single, outputs, [anchors] * len(single), matches)
    return losses


def match_anchors(anchors: Tensor, targets: Targets) -> Tensor:
    """For each anchor the box it is to find, as torchvision's matcher says, with ignored boxes
    heeded.

    anchors: (A, 4) float32 px. Returns (B, A) int64: the row of a box (IoU >= 0.5, or the anchor is
    a box's best one); -1, background (IoU < 0.4); or -2, no part in the loss: between the two, or
    background that overlaps an ignored box (IoU >= 0.4, or its centre inside it). A box that no
    anchor overlaps changes nothing.
    """
    boxes, ignore = targets["boxes"], targets["ignore"]
    if boxes.shape[1]:
        real = is_real(boxes, targets["labels"])[..., None]
        quality = _overlaps(boxes, anchors).masked_fill(~real, -1)
        overlap, best = quality.max(dim=1)
        peak = quality.amax(dim=2, keepdim=True)
        taken = (overlap >= FOREGROUND_IOU) | ((quality == peak) & (peak > 0)).any(dim=1)
        near = overlap >= BACKGROUND_IOU
        matches = best.masked_fill(~taken, NO_PART).masked_fill(~(taken | near), BACKGROUND)
    else:
        matches = torch.full(
            (len(boxes), len(anchors)), BACKGROUND, dtype=torch.int64, device=anchors.device
        )
    if ignore.shape[1] == 0:
        return matches
    center = (anchors[:, :2] + anchors[:, 2:]) / 2
    corners = ignore[:, :, None]
    inside = ((center >= corners[..., :2]) & (center <= corners[..., 2:])).all(dim=-1)
    spared = (
        (inside | (_overlaps(ignore, anchors) >= BACKGROUND_IOU)) & has_area(ignore)[..., None]
    ).any(dim=1)
    return matches.masked_fill(spared & (matches == BACKGROUND), NO_PART)


def decode_boxes(codes: Tensor, anchors: Tensor) -> Tensor:
    """Boxes (…, A, 4) px of codes (…, A, 4), dx dy dw dh relative to anchors (A, 4), as
    torchvision's BoxCoder."""
    sides = anchors[:, 2:] - anchors[:, :2]
    center = codes[..., :2] * sides + (anchors[:, :2] + 0.5 * sides)
    half = 0.5 * (torch.exp(codes[..., 2:].clamp(max=_LARGEST_GROWTH)) * sides)
    return torch.cat([center - half, center + half], dim=-1)


def giou_loss(boxes: Tensor, true: Tensor) -> Tensor:
    """1 - GIoU of pairs of boxes (…, 4), (…,) (Rezatofighi et al. 2019, arXiv:1902.09630)."""
    low, high, true_low, true_high = boxes[..., :2], boxes[..., 2:], true[..., :2], true[..., 2:]
    # relu: no gradient where the boxes only touch
    inter = _area(F.relu(torch.min(high, true_high) - torch.max(low, true_low)))
    union = _area(high - low) + _area(true_high - true_low) - inter
    hull = _area(torch.max(high, true_high) - torch.min(low, true_low))
    return 1 - inter / (union + _EPS) + (hull - union) / (hull + _EPS)


def is_real(boxes: Tensor, labels: Tensor) -> Tensor:
    """Which rows are boxes to find and not padding; shape of `labels`."""
    return (labels > 0) & has_area(boxes)


def has_area(boxes: Tensor) -> Tensor:
    """Which of the boxes (…, 4) are wider and higher than nothing."""
    return (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)


def _area(sides: Tensor) -> Tensor:
    """Product of the two sides (…, 2); the gradient of `prod` would make a GPU wait."""
    width, height = sides.unbind(-1)
    return width * height


def _overlaps(boxes: Tensor, anchors: Tensor) -> Tensor:
    """IoU (B, N, A) of padded boxes (B, N, 4) with anchors (A, 4), in torchvision's own arithmetic:
    ties stay ties."""
    iou: Tensor = box_iou(boxes.flatten(0, 1), anchors)
    return iou.view(*boxes.shape[:2], len(anchors))


def _padded(rows: Sequence[Tensor]) -> Tensor:
    """(B, N, …) with zeros below each image's rows, N a multiple of ROWS and not 0."""
    longest = max(len(each) for each in rows)
    length = max(-(-longest // ROWS), 1) * ROWS
    out = rows[0].new_zeros((len(rows), length, *rows[0].shape[1:]))
    for image, each in zip(out, rows, strict=True):
        image[: len(each)] = each
    return out
