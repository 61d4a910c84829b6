"""A detector with random weights that detects something: a few locations score over 0.5."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from midog.augment.on_device import to_float
from midog.models.protocol import DetectionNetwork
from midog.models.registry import DETECTORS


@torch.no_grad()
def random_detector(
    network: DetectionNetwork, kind: str, pixels: NDArray[np.uint8], *, share: float = 3e-4
) -> DetectionNetwork:
    """Return the network in eval mode, its weights changed to detect in images like `pixels`.

    Args:
        network: With random weights.
        kind: Its key in DETECTORS.
        pixels: (B, S, S, 3) uint8, from which the BatchNorm statistics are computed.
        share: Of the anchors that score over 0.5.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the statistics of this one batch, not a tenth of them
    images = to_float(torch.from_numpy(pixels))
    network.train().candidates(images, 0.5)
    network.eval()
    spread = DETECTORS[kind].spread
    if spread is not None:
        spread(network, images, share)
    return network
