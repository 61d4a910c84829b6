"""Windows scored by a classifier, each view of them turned alike, some at a time."""

from __future__ import annotations

from collections.abc import Sequence

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


def view_logits(
    network: PatchNetwork,
    views: Sequence[Pixels],
    orientation: Orientation,
    device: torch.device,
) -> FloatArray:
    """Score windows of one magnification or several.

    Args:
        network: On `device`, for inference.
        views: Of each magnification (N, S, S, 3) uint8 RGB, in the network's order.
        orientation: In which all of them are shown.
        device: Where the network runs.

    Returns:
        (N,) float32, log odds of the last class; that of a window does not depend on the others.

    Raises:
        DeviceError: Memory runs out.
    """
    count = len(views[0])
    logits = np.empty(count, np.float32)
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        try:
            with torch.inference_mode():
                shown = [
                    to_float(orientation.turn(_filled(view[begin : begin + BATCH])).to(device))
                    for view in views
                ]
                scores = log_odds(network.logits(shown[0] if len(shown) == 1 else shown))
                logits[begin : begin + size] = scores[:size].cpu().numpy()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            what = f"{device} is out of memory with {BATCH} windows of {views[0].shape[1]} px"
            raise DeviceError(what, settings={"device": "cpu"}) from None
    return logits


def _filled(windows: Pixels) -> torch.Tensor:
    """Windows as a batch of BATCH, white ones at its end, so that all batches have one shape."""
    batch = torch.full((BATCH, *windows.shape[1:]), 255, dtype=torch.uint8)
    batch[: len(windows)] = torch.from_numpy(windows)
    return batch
