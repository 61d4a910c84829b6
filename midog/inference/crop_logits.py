"""Crops scored by a classifier, some at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from midog.augment.on_device import to_float
from midog.boxes import FloatArray
from midog.devices import is_out_of_memory
from midog.errors import DeviceError
from midog.images.pixels import Pixels
from midog.models.classifier import log_odds
from midog.models.classifiers.network import PatchNetwork

BATCH = 32
"""Crops at a time, always: the last ones are filled up, so that all batches have one shape."""


def crop_logits(
    network: PatchNetwork,
    cut: Callable[[int, Pixels], None],
    count: int,
    side: int,
    device: torch.device,
) -> FloatArray:
    """Score crops, some at a time, so that any number of them takes the same memory.

    Args:
        network: On `device`, for inference.
        cut: Called as (number, out) to write a crop into `out` (side, side, 3) uint8.
        count: Of the crops.
        side: Of a crop, px.
        device: Where the network runs.

    Returns:
        (count,) float32, log odds of the last class.

    Raises:
        DeviceError: Memory runs out.
    """
    logits = np.empty(count, np.float32)
    batch = torch.empty((BATCH, side, side, 3), dtype=torch.uint8)
    crops = batch.numpy()
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        for slot in range(size):
            cut(begin + slot, crops[slot])
        crops[size:] = 255
        try:
            with torch.inference_mode():
                scores = log_odds(network.logits(to_float(batch.to(device))))
                logits[begin : begin + size] = scores[:size].cpu().numpy()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            what = f"{device} is out of memory with {BATCH} crops of {side} px at a time"
            raise DeviceError(what, settings={"device": "cpu"}) from None
    return logits
