"""Where a window may be so that enough of it is tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from midog.metrics.windows import Window
from midog.tissue.mask import TissueMask
from midog.tissue.rules import Mask

_ROUNDED = 1e-6  # of a share: a window that is all tissue is


def tissue_share(mask: TissueMask, window: Window, x_mm: float, y_mm: float) -> float:
    """Return how much of that part of a window which is in the image is tissue, 0 to 1.

    Args:
        mask: Of the image.
        window: Of any shape; of a circle, px of the mask count by their middles.
        x_mm, y_mm: Its centre.
    """
    return float(_shares(mask, window, np.array([[x_mm, y_mm]]) * 1000 / np.array(mask.mpp))[0])


def allowed_middles(mask: TissueMask, window: Window, least: float) -> Mask:
    """Tell where the middle of a window may be.

    Args:
        mask: Of the image.
        window: Of any shape.
        least: Share of that part of it which is in the image that must be tissue.

    Returns:
        (h, w) bool, in px of the mask: those around whose middle the window has that share.
    """
    height, width = mask.kinds.shape
    allowed = np.zeros((height, width), bool)
    x = (np.arange(width) + 0.5) / mask.scale[0]
    for row in range(height):
        y = np.full(width, (row + 0.5) / mask.scale[1])
        allowed[row] = _shares(mask, window, np.stack([x, y], axis=1)) >= least - _ROUNDED
    return allowed


def _shares(mask: TissueMask, window: Window, middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of windows around middles (N, 2), level-0 px."""
    half = np.array([window.width_mm, window.height_mm]) * 500 / np.array(mask.mpp)
    if not window.is_circle:
        return mask.share_in(np.hstack([middles - half, middles + half]))
    # a circle is cut into strips one px of the mask high
    strips = max(1, round(2 * float(half[1]) * mask.scale[1]))
    down = (np.arange(strips) + 0.5) / strips * 2 - 1
    tissue, inside = np.zeros((2, len(middles)))
    for place in down:
        across = half[0] * np.sqrt(1 - place**2)
        low = middles + np.array([-across, (place - 1 / strips) * half[1]])
        high = middles + np.array([across, (place + 1 / strips) * half[1]])
        seen = np.clip(high, 0, mask.size) - np.clip(low, 0, mask.size)
        areas = np.prod(np.maximum(seen, 0), axis=1)
        tissue += mask.share_in(np.hstack([low, high])) * areas
        inside += areas
    return np.divide(tissue, inside, out=np.zeros(len(middles)), where=inside > 0)
