"""Windows scored by a classifier, each view of them turned alike, some at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from midog.boxes import FloatArray
from midog.images.pixels import Pixels
from midog.inference.crop_logits import BATCH, score_batches
from midog.inference.orientations import Orientation
from midog.models.classifier import log_odds
from midog.models.classifiers.network import PatchNetwork


class Windows(Protocol):
    """Some windows, cut when they are asked for."""

    def __len__(self) -> int: ...

    def cut(self, begin: int, end: int) -> tuple[Pixels, ...]:
        """Return some of them, (n, S, S, 3) uint8 RGB of each magnification."""
        ...


def view_logits(
    network: PatchNetwork,
    windows: Windows,
    orientation: Orientation,
    device: torch.device,
) -> FloatArray:
    """Score windows of one magnification or several.

    Args:
        network: On `device`, for inference.
        windows: N of them, at the network's magnifications, in its order.
        orientation: In which all of them are shown.
        device: Where the network runs.

    Returns:
        (N,) float32, log odds of the last class; that of a window does not depend on the others.

    Raises:
        DeviceError: Memory runs out.
    """
    logits = np.empty(len(windows), np.float32)

    def turned(begin: int, end: int) -> list[torch.Tensor]:
        return [orientation.turn(_filled(view)) for view in windows.cut(begin, end)]

    def scored(light: list[torch.Tensor]) -> torch.Tensor:
        return log_odds(network.logits(light[0] if len(light) == 1 else light))

    score_batches(turned, len(windows), device, scored, logits, "windows")
    return logits


def _filled(windows: Pixels) -> torch.Tensor:
    """Windows as a batch of BATCH, white ones at its end, so that all batches have one shape."""
    batch = torch.full((BATCH, *windows.shape[1:]), 255, dtype=torch.uint8)
    batch[: len(windows)] = torch.from_numpy(windows)
    return batch
