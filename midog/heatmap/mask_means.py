"""Windows scored px by px by a network that learned masks: the mean of the middle of each."""

from __future__ import annotations

import numpy as np
import torch

from midog.heatmap.view_logits import Windows
from midog.images.pixels import Pixels
from midog.inference.crop_logits import BATCH
from midog.inference.orientations import Orientation
from midog.inference.patch_classifier import PatchClassifier
from midog.metrics.points import Values


def mask_means(
    classifier: PatchClassifier, windows: Windows, orientation: Orientation, middle: int
) -> Values:
    """Return the mean probability of the second class in the middle of windows.

    Args:
        classifier: Of a network with `needs_masks`.
        windows: N of them, at one magnification.
        orientation: In which they are shown; the middle is the same in all.
        middle: Side of it, px; one more where only then it has the window's centre.

    Returns:
        (N,) float64 in [0, 1].

    Raises:
        DeviceError: Memory runs out.
    """
    means = np.empty(len(windows))
    for begin in range(0, len(windows), BATCH):
        (pixels,) = windows.cut(begin, begin + BATCH)
        shares = classifier.masks(_turned(pixels, orientation))
        side = shares.shape[1]
        margin = (side - middle) // 2
        inner = shares[:, margin : side - margin, margin : side - margin]
        means[begin : begin + BATCH] = inner.mean(axis=(1, 2), dtype=np.float64)
    return means


def _turned(pixels: Pixels, orientation: Orientation) -> Pixels:
    turned: Pixels = orientation.turn(torch.from_numpy(pixels)).numpy()
    return turned
