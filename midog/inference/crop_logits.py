"""Crops scored by a classifier, some at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
    _batch_by_batch(cut, count, side, device, lambda light: log_odds(network.logits(light)), logits)
    return logits


def crop_maps(network: PatchNetwork, pixels: Pixels, device: torch.device) -> FloatArray:
    """Score every px of crops by the finest map of a network that learned masks.

    Args:
        network: On `device`, for inference.
        pixels: (N, S, S, 3) uint8.
        device: Where the network runs.

    Returns:
        (N, S, S) float32, probability of the last class.

    Raises:
        DeviceError: Memory runs out.
    """
    maps: Any = network.maps
    shares = np.empty(pixels.shape[:3], np.float32)

    def cut(number: int, out: Pixels) -> None:
        out[:] = pixels[number]

    def scored(light: Tensor) -> Tensor:
        finest: Tensor = maps(light)[0]
        return finest[:, 0].sigmoid()

    _batch_by_batch(cut, len(pixels), pixels.shape[1], device, scored, shares)
    return shares


def _batch_by_batch(
    cut: Callable[[int, Pixels], None],
    count: int,
    side: int,
    device: torch.device,
    score: Callable[[Tensor], Tensor],
    out: FloatArray,
) -> None:
    """Fill `out` (count, …) with the scores of crops."""
    batch = torch.empty((BATCH, side, side, 3), dtype=torch.uint8)
    crops = batch.numpy()
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        for slot in range(size):
            cut(begin + slot, crops[slot])
        crops[size:] = 255
        try:
            with torch.inference_mode():
                scores = score(to_float(batch.to(device)))
                out[begin : begin + size] = scores[:size].cpu().numpy()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            what = f"{device} is out of memory with {BATCH} crops of {side} px at a time"
            raise DeviceError(what, settings={"device": "cpu"}) from None
