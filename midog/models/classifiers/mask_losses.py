"""The loss of maps of tumour against masks, px by px: focal, weighed by how rare tumour is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_LEAST_SHARE = 0.001
"""Share of px that a class is taken to have at least, so that no px weighs more than 500."""


@dataclass(frozen=True)
class MaskTerms:
    """How the masks of a batch count.

    Args:
        gamma: Of the focal loss, 0 or more; 0 is cross-entropy.
        share: Of the px of training that are tumour; both classes count alike by it. None: every
            px weighs 1.
    """

    gamma: float = 2.0
    share: float | None = None

    @property
    def weights(self) -> tuple[float, float]:
        """Of a px without tumour and of one with, 1 on average over the px of training."""
        if self.share is None:
            return 1.0, 1.0
        share = min(max(self.share, _LEAST_SHARE), 1 - _LEAST_SHARE)
        return 0.5 / (1 - share), 0.5 / share


def mask_losses(maps: Sequence[Tensor], masks: Tensor, terms: MaskTerms) -> dict[str, Tensor]:
    """Return a loss for each map of one place.

    A coarse map's target is the share of tumour in each of its px. The mean over its px is taken,
    so that every px counts as the area for which it stands.

    Args:
        maps: (B, 1, s, s) float32 logits each, of sides that divide S.
        masks: (B, S, S), 0 or 1, of the finest px.
        terms: How they count.

    Returns:
        A scalar float32 by "mask_SIDEpx".
    """
    fine = masks[:, None].float()
    losses = {}
    for logits in maps:
        side = logits.shape[-1]
        shares = F.avg_pool2d(fine, fine.shape[-1] // side)
        losses[f"mask_{side}px"] = focal_of_shares(logits.float(), shares, terms)
    return losses


def focal_of_shares(logits: Tensor, shares: Tensor, terms: MaskTerms) -> Tensor:
    """Return the focal loss of two classes (Lin et al. 2017, arXiv:1708.02002, equation 4).

    A px of share t counts as t px of tumour and 1 - t without. The weighted mean over px is taken
    of losses, never the loss of a mean; all comes from log p, so that it and its slope are finite
    for any finite logits.

    Args:
        logits: Any shape, float32, log odds of tumour.
        shares: Of the same shape, 0 to 1.
        terms: Focal exponent and weights.

    Returns:
        A scalar float32.
    """
    without, with_tumour = terms.weights
    total, weight = logits.new_zeros(()), logits.new_zeros(())
    for sign, part, own in ((1, shares, with_tumour), (-1, 1 - shares, without)):
        log_p = F.logsigmoid(sign * logits)
        # 1 - p without cancellation; where it is 0 the slope of a power below 1 would be infinite
        rest = torch.sigmoid(-sign * logits).clamp(min=1e-12)
        total = total + own * (part * -(rest**terms.gamma) * log_p).sum()
        weight = weight + own * part.sum()
    return total / weight
