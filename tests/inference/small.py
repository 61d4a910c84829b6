"""What tests of detection share: a config of the real network, small, and comparisons of what it
finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from midog.boxes import Detections
from midog.config.load import parse_config
from midog.inference.detector import Detector

Pixels = NDArray[np.uint8]
TILE, OVERLAP = 256, 64
CONFIG = parse_config(
    {
        "model": {"backbone": "resnet18", "weights": "none", "anchor_sizes": [[40, 56]]},
        "inference": {"tile": TILE, "overlap": 32, "precision": "32-true"},
    }
)


def same(one: Detections, other: Detections) -> bool:
    pairs = ((one.boxes, other.boxes), (one.scores, other.scores), (one.labels, other.labels))
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def detect(model: nn.Module, roi: Pixels, **settings: Any) -> Detections:
    return Detector(model, CONFIG, device="cpu", floor=0.3, **settings)(roi, mpp=0.25)
