"""Crops scored by a classifier, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def filled(begin: int, end: int) -> list[Tensor]:
        for slot in range(end - begin):
            cut(begin + slot, crops[slot])
        crops[end - begin :] = 255
        return [batch]

    score_batches(filled, count, device, lambda light: score(*light), out, f"crops of {side} px")


def score_batches(
    filled: Callable[[int, int], Sequence[Tensor]],
    count: int,
    device: torch.device,
    score: Callable[[list[Tensor]], Tensor],
    out: FloatArray,
    what: str,
) -> None:
    """Score things, BATCH at a time.

    Args:
        filled: Called as (begin, end); returns the pictures of these, each (BATCH, S, S, 3) uint8,
            those from end - begin on filling.
        count: Of the things.
        device: Where they are scored.
        score: Called with the pictures as light, (BATCH, 3, S, S); returns (BATCH, …).
        out: (count, …), filled with the scores.
        what: The things, in words.

    Raises:
        DeviceError: Memory runs out.
    """
    for begin in range(0, count, BATCH):
        end = min(begin + BATCH, count)
        pictures = filled(begin, end)
        try:
            with torch.inference_mode():
                scores = score([to_float(one.to(device)) for one in pictures])
                out[begin:end] = scores[: end - begin].cpu().numpy()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            words = f"{device} is out of memory with {BATCH} {what} at a time"
            raise DeviceError(words, settings={"device": "cpu"}) from None
