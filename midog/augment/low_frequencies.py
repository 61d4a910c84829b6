"""The lowest frequencies of a patch, and a patch with other amplitudes there, without an FFT.

Only (2 r + 1)^2 of S^2 coefficients are needed, so two small matrix products give them. As light is
real, the coefficients of rows -u and columns -v are the conjugates of those of u and v: rows 0 to r
are enough.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.constants import constant


def reach_of(side: int, beta: float) -> int:
    """Return the highest frequency, waves per side, of a window of `beta` of the spectrum."""
    return int(side * beta)


def low_amplitudes(light: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Return the amplitudes of the lowest frequencies.

    Args:
        light: (S, S, 3) float32.
        reach: r, waves per side.

    Returns:
        (r + 1, 2 r + 1, 3) float32: rows 0 to r, columns -r to r, as numpy.fft.fft2 has them.
    """
    return np.abs(_coefficients(light, reach)).astype(np.float32)


def change_on_cpu(light: NDArray[np.float32], amplitudes: NDArray[np.float32]) -> Any:
    """Return what must be added to light so that it has these amplitudes, and its own phases.

    Args:
        light: (S, S, 3) float32.
        amplitudes: (r + 1, 2 r + 1, 3) float32.

    Returns:
        (S, S, 3) float32.
    """
    side, reach = len(light), len(amplitudes) - 1
    own = _coefficients(light, reach)
    change = own * (amplitudes / np.maximum(np.abs(own), 1e-6) - 1)
    rows, columns = _rows(side, reach), _columns(side, reach)
    across = np.einsum("uvc,vx->uxc", change, columns.conj())
    across[1:] *= 2  # rows -r to -1
    parts = np.concatenate([across.real, -across.imag]).reshape(2 * (reach + 1), -1)
    added = rows.T @ parts.astype(np.float32)
    return added.reshape(side, side, 3) / np.float32(side**2)


def change_on_device(images: Tensor, amplitudes: Tensor) -> Tensor:
    """Return the same for a batch on its device.

    Args:
        images: (B, 3, S, S) float32.
        amplitudes: (B, r + 1, 2 r + 1, 3) float32.
    """
    side, reach = images.shape[-1], amplitudes.shape[1] - 1
    rows, columns = (constant(make, images.device, side, reach) for make in (_rows, _columns))
    parts = torch.einsum("uy,bcyx->bcux", rows, images)
    own = torch.complex(parts[:, :, : reach + 1], -parts[:, :, reach + 1 :])
    own = torch.einsum("bcux,vx->bcuv", own, columns)
    change = own * (amplitudes.permute(0, 3, 1, 2) / own.abs().clamp(min=1e-6) - 1)
    across = torch.einsum("bcuv,vx->bcux", change, columns.conj())
    weights = torch.full((reach + 1, 1), 2.0, device=images.device)
    weights[0] = 1
    across = across * weights
    parts = torch.cat([across.real, -across.imag], dim=2)
    return torch.einsum("uy,bcux->bcyx", rows, parts) / side**2


def _coefficients(light: NDArray[np.float32], reach: int) -> NDArray[np.complex64]:
    """(r + 1, 2 r + 1, 3): sums of light times exp(-2 pi i (u y + v x) / S)."""
    side = len(light)
    rows, columns = _rows(side, reach), _columns(side, reach)
    parts = (rows @ light.reshape(side, -1)).reshape(2 * (reach + 1), side, 3)
    down = parts[: reach + 1] - 1j * parts[reach + 1 :]
    return np.asarray(np.einsum("uxc,vx->uvc", down, columns, optimize=True), np.complex64)


@lru_cache(maxsize=4)
def _rows(side: int, reach: int) -> NDArray[np.float32]:
    """cos, then sin, of frequencies 0 to r, (2 (r + 1), S)."""
    angles = 2 * np.pi / side * np.outer(np.arange(reach + 1), np.arange(side))
    return np.concatenate([np.cos(angles), np.sin(angles)]).astype(np.float32)


@lru_cache(maxsize=4)
def _columns(side: int, reach: int) -> NDArray[np.complex64]:
    """exp(-i …) of frequencies -r to r, (2 r + 1, S)."""
    angles = 2 * np.pi / side * np.outer(np.arange(-reach, reach + 1), np.arange(side))
    return np.asarray(np.exp(-1j * angles), np.complex64)
