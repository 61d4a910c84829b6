"""What JPEG loses, for a batch on its device: libjpeg's steps without its files."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.constants import constant

# ITU-T T.81 (1992), tables K.1 and K.2, row by row
_LUMINANCE = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56
14 17 22 29 51 87 80 62 18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92
49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMINANCE = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99
47 66 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""

# JFIF 1.02: levels of R, G, B to Y, Cb, Cr (before 128 is added to the last two)
_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
_FROM_YCC = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


def through_jpeg(images: Tensor, qualities: Tensor) -> Tensor:
    """Return images as they come out of a JPEG file with colours at half resolution (4:2:0).

    The steps are those of libjpeg: levels of luminance and colours rounded, colours averaged over 2
    x 2 px, a cosine transform of blocks of 8 px whose coefficients are rounded to multiples of the
    tables of ITU-T T.81, and colours interpolated. What libjpeg computes in integers is float32
    here: levels differ by a few where a rounding falls on the other side.

    Args:
        images: (B, 3, S, S) float32 in [0, 1].
        qualities: (B,) int64, 1 to 100.

    Returns:
        The same shape, in [0, 1].
    """
    side, device = images.shape[-1], images.device
    levels = F.pad(images.mul(255).round(), (0, -side % 16, 0, -side % 16), mode="replicate")
    to_ycc, from_ycc = (constant(_matrix, device, rows) for rows in (_TO_YCC, _FROM_YCC))
    ycc = torch.einsum("bchw,dc->bdhw", levels, to_ycc).round()
    light = _through_blocks(ycc[:, :1] - 128, _table(_LUMINANCE, qualities)) + 128
    colours = F.avg_pool2d(ycc[:, 1:], 2).round()
    colours = _through_blocks(colours, _table(_CHROMINANCE, qualities))
    colours = colours.round().clamp(-128, 127)
    colours = F.interpolate(colours, scale_factor=2, mode="bilinear", align_corners=False).round()
    ycc = torch.cat([light.round().clamp(0, 255), colours], dim=1)
    levels = torch.einsum("bchw,dc->bdhw", ycc, from_ycc)[:, :, :side, :side]
    return levels.round().clamp(0, 255).div(255)


def _through_blocks(channels: Tensor, table: Tensor) -> Tensor:
    """(B, C, S, S) with its blocks' coefficients rounded to multiples of a (B, 8, 8) table."""
    batch, count, side, _ = channels.shape
    cosines = constant(_cosines, channels.device)
    blocks = channels.reshape(batch, count, side // 8, 8, side // 8, 8).transpose(3, 4)
    steps = table[:, None, None, None]
    kept = ((cosines @ blocks @ cosines.T) / steps).round() * steps
    return (cosines.T @ kept @ cosines).transpose(3, 4).reshape(channels.shape)


def _matrix(rows: tuple[tuple[float, ...], ...]) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


def _cosines() -> NDArray[np.float32]:
    """The orthonormal cosine transform of 8 values, (8, 8): row k is its frequency k."""
    places = np.arange(8)
    rows = np.cos(np.pi / 8 * (places + 0.5) * places[:, None]) / 2
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, np.float32)


def _steps(text: str) -> NDArray[np.int64]:
    return np.array(text.split(), np.int64).reshape(8, 8)


def _table(text: str, qualities: Tensor) -> Tensor:
    """The steps of each patch, (B, 8, 8) float32, as libjpeg scales the table by quality."""
    base = constant(_steps, qualities.device, text)
    percent = torch.where(
        qualities < 50,
        torch.div(5000, qualities, rounding_mode="floor"),
        200 - 2 * qualities,
    )
    steps = torch.div(base * percent[:, None, None] + 50, 100, rounding_mode="floor")
    return steps.clamp(1, 255).to(torch.float32)
