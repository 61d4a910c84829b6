"""Faster R-CNN's four losses, torchvision's up to rounding; a GPU is never waited for."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from midog.models.losses import BACKGROUND, NO_PART, encode_boxes, is_real, match_anchors
from midog.models.proposals import Proposals
from midog.models.protocol import BoxTargets

RPN_IOU = (0.7, 0.3)
"""An anchor is a figure from the first, background under the second; torchvision's numbers."""

BOX_IOU = 0.5
"""A proposal is a figure from this on, background under it; torchvision's number."""

RPN_SHARE, BOX_SHARE = 0.5, 0.25
"""Most of the sampled anchors and proposals that are figures; torchvision's numbers."""

SHIFT_WEIGHT, SIDE_WEIGHT = 10.0, 5.0
"""Factors of the second stage's codes, of a shift and of a side; torchvision's numbers."""

_BETA = 1 / 9  # of the smooth L1 losses, as in torchvision
_LOW = 0xFFFFFFFF


class Sampled(NamedTuple):
    """The boxes of B images that the second stage learns from, n of each.

    boxes: (B, n, 4) float32 px.
    labels: (B, n) int64, 0 for background.
    true: (B, n, 4) the boxes of their figures; of background anything.
    chosen: (B, n) bool; the other rows are filling.
    """

    boxes: Tensor
    labels: Tensor
    true: Tensor
    chosen: Tensor


def rpn_losses(
    objectness: Tensor,
    codes: Tensor,
    anchors: Tensor,
    targets: BoxTargets,
    count: int,
    draw: Tensor,
) -> dict[str, Tensor]:
    """Compute the losses of the first stage over sampled anchors.

    They are those of Ren et al. 2015 (arXiv:1506.01497). Background that overlaps an ignored box
    (IoU >= 0.3, or its centre inside) has no part.

    Args:
        objectness: logits (B, A) float32.
        codes: (B, A, 4) float32.
        anchors: (A, 4) float32 px.
        targets: of the B images, in the same px.
        count: anchors that are sampled of each image.
        draw: () int64, the number of the draw.

    Returns:
        The scalars "loss_objectness" (cross entropy) and "loss_rpn_box_reg" (smooth L1), sums over
        the batch by the number of anchors sampled.
    """
    matches = match_anchors(anchors, targets, foreground=RPN_IOU[0], background=RPN_IOU[1])
    labels = (matches >= 0).long().masked_fill(matches == NO_PART, -1)
    rows, chosen = sample(labels, count, RPN_SHARE, random_keys(labels.shape, draw))
    labels = labels.gather(1, rows)
    total = chosen.sum().clamp(min=1)
    wrong = F.binary_cross_entropy_with_logits(
        objectness.gather(1, rows), labels.clamp(min=0).float(), reduction="none"
    ).masked_fill(~chosen, 0)

    true = targets["boxes"].gather(1, _fours(matches.clamp(min=0).gather(1, rows)))
    positive = chosen & (labels > 0)
    aims = encode_boxes(true, anchors[rows])
    misfit = _smooth_l1(codes.gather(1, _fours(rows)), aims, positive)
    return {"loss_objectness": wrong.sum() / total, "loss_rpn_box_reg": misfit / total}


def sample_boxes(proposals: Proposals, targets: BoxTargets, count: int, draw: Tensor) -> Sampled:
    """Sample the boxes that the second stage learns from: of the proposals and the true boxes.

    Background that overlaps an ignored box (IoU >= 0.5, or its centre inside) has no part.

    Args:
        proposals: of B images, px.
        targets: of the same images, in the same px.
        count: boxes that are sampled of each image.
        draw: () int64, the number of the draw.
    """
    boxes = torch.cat([proposals.boxes, targets["boxes"]], dim=1)
    real = torch.cat([proposals.real, is_real(targets["boxes"], targets["labels"])], dim=1)
    matches = match_anchors(boxes, targets, foreground=BOX_IOU, background=BOX_IOU, best=False)
    matched = matches.clamp(min=0)
    labels = targets["labels"].gather(1, matched).masked_fill(matches == BACKGROUND, 0)
    labels = labels.masked_fill((matches == NO_PART) | ~real, -1)
    rows, chosen = sample(labels, count, BOX_SHARE, random_keys(labels.shape, draw))
    return Sampled(
        boxes.gather(1, _fours(rows)),
        labels.gather(1, rows).clamp(min=0),
        targets["boxes"].gather(1, _fours(matched.gather(1, rows))),
        chosen,
    )


def box_losses(logits: Tensor, codes: Tensor, sampled: Sampled) -> dict[str, Tensor]:
    """Compute the losses of the second stage over the sampled boxes.

    Args:
        logits: (B, n, K + 1) float32; class 0 is background.
        codes: (B, n, K + 1, 4) float32.
        sampled: the boxes that they were computed of.

    Returns:
        The scalars "loss_classifier" (cross entropy) and "loss_box_reg" (smooth L1), sums over the
        batch by the number of boxes sampled.
    """
    total = sampled.chosen.sum().clamp(min=1)
    wrong = F.cross_entropy(logits.flatten(0, 1), sampled.labels.flatten(), reduction="none")
    positive = sampled.chosen & (sampled.labels > 0)
    aims = second_codes(encode_boxes(sampled.true, sampled.boxes))
    own = codes.gather(2, _fours(sampled.labels)[:, :, None])[:, :, 0]
    return {
        "loss_classifier": wrong.masked_fill(~sampled.chosen.flatten(), 0).sum() / total,
        "loss_box_reg": _smooth_l1(own, aims, positive) / total,
    }


def second_codes(codes: Tensor) -> Tensor:
    """Codes (…, 4) of a box relative to its proposal, as the second stage predicts them."""
    return torch.cat([SHIFT_WEIGHT * codes[..., :2], SIDE_WEIGHT * codes[..., 2:]], dim=-1)


def plain_codes(codes: Tensor) -> Tensor:
    """The reverse of `second_codes`."""
    return torch.cat([codes[..., :2] / SHIFT_WEIGHT, codes[..., 2:] / SIDE_WEIGHT], dim=-1)


def sample(labels: Tensor, count: int, share: float, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Sample rows as torchvision's BalancedPositiveNegativeSampler does, but of a fixed number.

    Args:
        labels: (B, A) int64: over 0 a figure, 0 background, under 0 not to be sampled.
        count: rows of an image: at most int(count * share) figures, the rest background.
        share: of the figures, in [0, 1].
        keys: (B, A) float32 in [0, 1), random: rows of higher keys are taken first.

    Returns:
        Rows (B, min(count, A)) int64, and which of them are sampled; the others are filling.
    """
    most = min(int(count * share), labels.shape[1])
    best, rows = keys.masked_fill(labels <= 0, -1).topk(most, dim=1)
    figures = torch.zeros_like(labels, dtype=torch.bool).scatter(1, rows, best >= 0)
    ranks = torch.where(figures, keys + 2, keys.masked_fill(labels != 0, -1))
    best, rows = ranks.topk(min(count, labels.shape[1]), dim=1)
    return rows, best >= 0


def random_keys(shape: torch.Size, draw: Tensor) -> Tensor:
    """Random numbers in [0, 1) of a shape, float32, that depend on the draw alone.

    They come from no generator, so that a run that is resumed draws what it would have drawn: the
    number of the draw is one of the network's buffers. A hash of 32 bits (Wellons' lowbias32).
    """
    count = torch.arange(shape.numel(), device=draw.device)
    bits = (count + draw * 0x9E3779B1) & _LOW
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = ((bits ^ (bits >> shift)) * factor) & _LOW
    bits = bits ^ (bits >> 16)
    return ((bits >> 8).float() / 2**24).view(shape)


def _smooth_l1(codes: Tensor, aims: Tensor, positive: Tensor) -> Tensor:
    """Sum of the smooth L1 loss of codes (B, n, 4) where positive; elsewhere aims are anything."""
    aims = aims.masked_fill(~positive[..., None], 0)  # also no number, which has no gradient of 0
    misfit = F.smooth_l1_loss(codes, aims, beta=_BETA, reduction="none").sum(dim=-1)
    return misfit.masked_fill(~positive, 0).sum()


def _fours(rows: Tensor) -> Tensor:
    """Rows (B, n), as an index (B, n, 4) for gathering boxes."""
    return rows[..., None].expand(-1, -1, 4)
