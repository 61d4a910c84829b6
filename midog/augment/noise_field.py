"""Noise that a seed alone decides, pixel by pixel: the same numbers on every device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_DEVIATION = math.sqrt(4 * (256**2 - 1) / 12)
"""Of the sum of four bytes."""
_STRIDE, _FIRST, _SECOND = 0x9E3779B1, 0x7FEB352D, 0x846CA68B
_WORD = 0xFFFFFFFF
_PIECE = 1 << 15
"""Numbers worked on at a time: they stay in a core's own cache."""


def noise_on_cpu(seed: int, side: int) -> NDArray[np.float32]:
    """Return noise of mean 0 and deviation 1, within ± 3.5: nearly normal.

    It is the sum of the four bytes of a hash of seed and pixel (Wellons, 'Prospecting for hash
    functions', 2018: lowbias32), so it is worked out in integers.

    Args:
        seed: 0 to 2**32 - 1.
        side: Of the patch, px.

    Returns:
        (side, side, 3) float32.
    """
    noise = np.empty(3 * side**2, np.float32)
    for first in range(0, len(noise), _PIECE):
        last = min(first + _PIECE, len(noise))
        noise[first:last] = _sums(np.arange(first, last, dtype=np.uint32), seed)
    noise -= 510
    noise *= np.float32(1 / _DEVIATION)
    return noise.reshape(side, side, 3)


def noise_on_device(seeds: Tensor, side: int) -> Tensor:
    """Return the same for several patches, on the device of their seeds.

    Args:
        seeds: (B,) int64, 0 to 2**32 - 1.
        side: Of the patches, px.

    Returns:
        (B, 3, side, side) float32.
    """
    pixels = torch.arange(3 * side**2, device=seeds.device)
    words = (pixels * _STRIDE & _WORD) ^ seeds[:, None]
    for shift, factor in ((16, _FIRST), (15, _SECOND)):
        # a product beyond 64 bits wraps around; its lower 32 bits are right
        words = (words ^ (words >> shift)) * factor & _WORD
    words = words ^ (words >> 16)
    sums = (words & 255) + (words >> 8 & 255) + (words >> 16 & 255) + (words >> 24)
    noise = (sums - 510).to(torch.float32) * np.float32(1 / _DEVIATION).item()
    return noise.view(-1, side, side, 3).permute(0, 3, 1, 2)


def noise_of_sums(sums: NDArray[Any]) -> NDArray[np.float32]:
    """Return the noise that sums of four bytes stand for, float32."""
    return np.asarray((sums - 510) / _DEVIATION, np.float32)


def _sums(words: NDArray[np.uint32], seed: int) -> NDArray[np.uint32]:
    """The sums of the bytes of the hashes of words, which are spoiled."""
    words *= np.uint32(_STRIDE)
    words ^= np.uint32(seed)
    for shift, factor in ((16, _FIRST), (15, _SECOND)):
        words ^= words >> np.uint32(shift)
        words *= np.uint32(factor)
    words ^= words >> np.uint32(16)
    # the sums of bytes 0 and 2 and of bytes 1 and 3, side by side
    halves = (words & np.uint32(0x00FF00FF)) + (words >> np.uint32(8) & np.uint32(0x00FF00FF))
    return np.asarray((halves & np.uint32(0xFFFF)) + (halves >> np.uint32(16)))
