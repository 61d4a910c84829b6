"""Windows scored by a classifier, each view of them turned alike, some at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from midog.augment.on_device import to_float
from midog.boxes import FloatArray
from midog.devices import is_out_of_memory
from midog.errors import DeviceError
from midog.images.pixels import Pixels
from midog.inference.crop_logits import BATCH
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
    count = len(windows)
    logits = np.empty(count, np.float32)
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        try:
            with torch.inference_mode():
                shown = [
                    to_float(orientation.turn(_filled(view)).to(device))
                    for view in windows.cut(begin, begin + BATCH)
                ]
                scores = log_odds(network.logits(shown[0] if len(shown) == 1 else shown))
                logits[begin : begin + size] = scores[:size].cpu().numpy()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            what = f"{device} is out of memory with {BATCH} windows at a time"
            raise DeviceError(what, settings={"device": "cpu"}) from None
    return logits


def _filled(windows: Pixels) -> torch.Tensor:
    """Windows as a batch of BATCH, white ones at its end, so that all batches have one shape."""
    batch = torch.full((BATCH, *windows.shape[1:]), 255, dtype=torch.uint8)
    batch[: len(windows)] = torch.from_numpy(windows)
    return batch
