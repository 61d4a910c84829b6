"""Losses of classifiers of patches: cross-entropy and focal, the classes weighed or not."""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from midog.models.classifiers.network import Loss

ClassLoss = Literal["cross_entropy", "focal"]


def class_loss(kind: ClassLoss, gamma: float, weights: Tensor | None) -> Loss:
    """Return the loss of logits and labels.

    Args:
        kind: Of a patch.
        gamma: Of the focal loss, 0 or more.
        weights: (K,) float32 above 0, of the classes, on the device of the logits; None: all 1.
    """
    if kind == "cross_entropy":
        return partial(F.cross_entropy, weight=weights)
    return partial(focal_loss, gamma=gamma, weights=weights)


def focal_loss(
    logits: Tensor, labels: Tensor, gamma: float, weights: Tensor | None = None
) -> Tensor:
    """Return the focal loss of several classes (Lin et al. 2017, arXiv:1708.02002, equation 4).

    It is the mean over patches of -(1 - p)^gamma log p, with p that of the patch's own class; with
    weights the weighted mean, as that of `F.cross_entropy`. All comes from log p, never from the
    log of a mean or of a rounded p, so that it is finite for any finite logits.

    Args:
        logits: (B, K) float32.
        labels: (B,) int64, 0 to K - 1.
        gamma: 0 or more; 0 is cross-entropy.
        weights: As of `class_loss`.

    Returns:
        A scalar float32.
    """
    log_p = F.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    # 1 - p without cancellation; where it is 0 the slope of a power below 1 would be infinite
    rest = (-log_p.expm1()).clamp(min=1e-12)
    losses = -(rest**gamma) * log_p
    if weights is None:
        return losses.mean()
    own = weights[labels]
    return (own * losses).sum() / own.sum()
