"""RetinaNet's two losses, torchvision's by default: of a batch at once, or image by image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import box_iou, generalized_box_iou_loss, sigmoid_focal_loss

from midog.models.protocol import BoxTargets

FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.4
BACKGROUND = -1
NO_PART = -2
"""What an anchor without a box is: background, or no part of the loss; torchvision's numbers."""

_LARGEST_GROWTH = math.log(1000 / 16)  # of a side, as torchvision's BoxCoder clips it
_EPS = 1e-7  # of torchvision's GIoU loss
_CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Focal:
    """How the focal loss weighs an anchor (Lin et al. 2017, arXiv:1708.02002, equation 5).

    alpha: weight of what is a figure, in (0, 1); that of background is 1 - alpha. gamma: by how
    much sure anchors count less, 0 or more. torchvision has 0.25 and 2.
    """

    alpha: float = 0.25
    gamma: float = 2.0


def batched_losses(
    outputs: Mapping[str, Tensor],
    anchors: Tensor,
    targets: BoxTargets,
    matches: Tensor,
    divisors: Tensor,
    focal: Focal,
) -> dict[str, Tensor]:
    """Compute both losses over all images and anchors at once; a GPU is never waited for.

    Args:
        outputs: "cls_logits" (B, A, K + 1) and "bbox_regression" (B, A, 4), float32.
        anchors: (A, 4) float32, px as the layers see them.
        targets: of the B images, in the same px.
        matches: (B, A) int64 of `match_anchors`.
        divisors: (B,), positive: what the sums of each image are divided by.
        focal: weights of the focal loss.

    Returns:
        The scalars "classification" (focal loss) and "bbox_regression" (GIoU loss): per image the
        sum over its anchors by its divisor, then the mean over the images.
    """
    foreground = matches >= 0
    rows = matches.clamp(min=0)

    logits = outputs["cls_logits"]
    labels = targets["labels"].gather(1, rows).masked_fill(~foreground, -1)
    wanted = labels[..., None] == torch.arange(logits.shape[-1], device=logits.device)
    loss = (
        sigmoid_focal_loss(logits, wanted.to(logits.dtype), focal.alpha, focal.gamma)
        .sum(dim=-1)
        .masked_fill(matches == NO_PART, 0)
    )

    boxes = decode_boxes(outputs["bbox_regression"], anchors)
    true = targets["boxes"].gather(1, rows[..., None].expand(-1, -1, 4))
    misfit = giou_loss(boxes, true).masked_fill(~foreground, 0)
    return {
        "classification": (loss.sum(dim=1) / divisors).mean(),
        "bbox_regression": (misfit.sum(dim=1) / divisors).mean(),
    }


def per_image_losses(
    outputs: Mapping[str, Tensor],
    anchors: Tensor,
    targets: BoxTargets,
    matches: Tensor,
    divisors: Tensor,
    focal: Focal,
) -> dict[str, Tensor]:
    """Compute the same losses image by image, to the bit as torchvision's own head does.

    It skips the anchors without a part in the loss, which suits a CPU and makes a GPU wait.
    Arguments and result are those of `batched_losses`.
    """
    losses, misfits = [], []
    for number, matched in enumerate(matches):
        foreground, part = torch.where(matched >= 0)[0], matched != NO_PART
        rows, logits = matched[foreground], outputs["cls_logits"][number]
        wanted = torch.zeros_like(logits)
        wanted[foreground, targets["labels"][number, rows]] = 1.0
        loss = sigmoid_focal_loss(logits[part], wanted[part], focal.alpha, focal.gamma, "sum")
        losses.append(loss / divisors[number])
        codes = outputs["bbox_regression"][number, foreground]
        boxes = _CODER.decode_single(codes, anchors[foreground])
        misfit = generalized_box_iou_loss(boxes, targets["boxes"][number, rows], "sum", _EPS)
        misfits.append(misfit / divisors[number])
    return {
        "classification": _added(losses) / len(losses),
        "bbox_regression": _added(misfits) / len(misfits),
    }


def match_each(anchors: Tensor, targets: BoxTargets) -> Tensor:
    """Match as `match_anchors` does, image by image without padding: faster on a CPU."""
    matches = []
    for boxes, labels, ignore in zip(
        targets["boxes"], targets["labels"], targets["ignore"], strict=True
    ):
        real = torch.where(is_real(boxes, labels))[0]
        image = BoxTargets(
            boxes=boxes[real][None],
            labels=labels[real][None],
            ignore=ignore[has_area(ignore)][None],
        )
        own = match_anchors(anchors, image)[0]
        matches.append(torch.where(own >= 0, real[own.clamp(min=0)], own) if len(real) else own)
    return torch.stack(matches)


def match_anchors(
    anchors: Tensor,
    targets: BoxTargets,
    *,
    foreground: float = FOREGROUND_IOU,
    background: float = BACKGROUND_IOU,
    best: bool = True,
) -> Tensor:
    """Assign a box, background or no part in the loss to every anchor.

    The rules are those of torchvision's Matcher, with ignored boxes on top. A box that no anchor
    overlaps changes nothing.

    Args:
        anchors: (A, 4) float32 px, or (B, A, 4) where every image has its own.
        targets: of B images, in the same px.
        foreground: IoU from which an anchor is a box's.
        background: IoU under which it is background.
        best: a box's best anchor is its own at any IoU.

    Returns:
        (B, A) int64: the row of a box; BACKGROUND; or NO_PART: between the two, or background that
        overlaps an ignored box (IoU >= `background`, or its centre inside it).
    """
    boxes, ignore = targets["boxes"], targets["ignore"]
    if boxes.shape[1]:
        real = is_real(boxes, targets["labels"])[..., None]
        quality = _overlaps(boxes, anchors).masked_fill(~real, -1)
        overlap, rows = quality.max(dim=1)
        taken = overlap >= foreground
        if best:
            peak = quality.amax(dim=2, keepdim=True)
            taken = taken | ((quality == peak) & (peak > 0)).any(dim=1)
        near = overlap >= background
        matches = rows.masked_fill(~taken, NO_PART).masked_fill(~(taken | near), BACKGROUND)
    else:
        matches = torch.full(
            (len(boxes), anchors.shape[-2]), BACKGROUND, dtype=torch.int64, device=anchors.device
        )
    if ignore.shape[1] == 0:
        return matches
    center = ((anchors[..., :2] + anchors[..., 2:]) / 2).unsqueeze(-3)
    corners = ignore[:, :, None]
    inside = ((center >= corners[..., :2]) & (center <= corners[..., 2:])).all(dim=-1)
    spared = (
        (inside | (_overlaps(ignore, anchors) >= background)) & has_area(ignore)[..., None]
    ).any(dim=1)
    return matches.masked_fill(spared & (matches == BACKGROUND), NO_PART)


def decode_boxes(codes: Tensor, anchors: Tensor) -> Tensor:
    """Decode codes (…, A, 4), dx dy dw dh relative to anchors (…, A, 4) px, as torchvision's
    BoxCoder.

    Returns:
        Boxes (…, A, 4) `x1 y1 x2 y2` px.
    """
    sides = anchors[..., 2:] - anchors[..., :2]
    center = codes[..., :2] * sides + (anchors[..., :2] + 0.5 * sides)
    half = 0.5 * (torch.exp(codes[..., 2:].clamp(max=_LARGEST_GROWTH)) * sides)
    return torch.cat([center - half, center + half], dim=-1)


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Encode boxes (…, 4) px relative to anchors (…, 4) px: the reverse of `decode_boxes`."""
    sides, true_sides = (own[..., 2:] - own[..., :2] for own in (anchors, boxes))
    shift = (boxes[..., :2] + 0.5 * true_sides) - (anchors[..., :2] + 0.5 * sides)
    return torch.cat([shift / sides, torch.log(true_sides / sides)], dim=-1)


def giou_loss(boxes: Tensor, true: Tensor) -> Tensor:
    """1 - GIoU (…,) of pairs of boxes (…, 4) (Rezatofighi et al. 2019, arXiv:1902.09630)."""
    low, high, true_low, true_high = boxes[..., :2], boxes[..., 2:], true[..., :2], true[..., 2:]
    # relu: no gradient where the boxes only touch
    inter = _area(F.relu(torch.min(high, true_high) - torch.max(low, true_low)))
    union = _area(high - low) + _area(true_high - true_low) - inter
    hull = _area(torch.max(high, true_high) - torch.min(low, true_low))
    return 1 - inter / (union + _EPS) + (hull - union) / (hull + _EPS)


def is_real(boxes: Tensor, labels: Tensor) -> Tensor:
    """Which rows are true boxes and not padding, in the shape of `labels`."""
    return (labels > 0) & has_area(boxes)


def has_area(boxes: Tensor) -> Tensor:
    """Which of the boxes (…, 4) are wider and higher than nothing."""
    return (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)


def _added(values: Sequence[Tensor]) -> Tensor:
    """Their sum, in order: torch.sum would round otherwise than torchvision does."""
    return reduce(torch.add, values)


def _area(sides: Tensor) -> Tensor:
    """Product of the two sides (…, 2); the gradient of `prod` would make a GPU wait."""
    width, height = sides.unbind(-1)
    return width * height


def _overlaps(boxes: Tensor, anchors: Tensor) -> Tensor:
    """IoU (B, N, A) of padded boxes (B, N, 4) with anchors (A, 4), or with each image's (B, A, 4).

    The arithmetic is torchvision's own, so that its ties are ties here.
    """
    if anchors.ndim == 3:
        return torch.stack([box_iou(*image) for image in zip(boxes, anchors, strict=True)])
    iou: Tensor = box_iou(boxes.flatten(0, 1), anchors)
    return iou.view(*boxes.shape[:2], len(anchors))
