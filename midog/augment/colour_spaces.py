"""LAB, HSV and HED of light and back: of a batch on its device, and of a patch by OpenCV."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.constants import constant
from midog.stains import STAINS, UNMIX

SPACES = ("lab", "hsv", "hed")
"""lab: CIELAB, D65, L 0 to 100. hsv: hue in degrees from green on, so that its jump is at a colour
that no stain has; saturation and value 0 to 1. hed: optical density (-log10 of light) of
haematoxylin, eosin and a residual."""

_GREEN = 120.0
_DARKEST = 1 / 255
# sRGB to XYZ (IEC 61966-2-1) and the white point D65
_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
) / [[0.950456], [1.0], [1.088754]]


_MATRICES: dict[str, NDArray[Any]] = {
    "rgb to xyz": _XYZ,
    "xyz to rgb": np.linalg.inv(_XYZ),
    "density to stains": UNMIX.T,
    "stains to density": STAINS.T,
}


def to_space(images: Tensor, space: str) -> Tensor:
    """Convert (B, 3, H, W) float32 RGB in [0, 1] to one of SPACES."""
    return {"lab": _to_lab, "hsv": _to_hsv, "hed": _to_hed}[space](images)


def from_space(values: Tensor, space: str) -> Tensor:
    """Convert back to RGB in [0, 1]; what no colour has is clipped."""
    back = {"lab": _from_lab, "hsv": _from_hsv, "hed": _from_hed}[space]
    return back(values).clamp(0, 1)


def patch_to_space(patch: NDArray[np.uint8], space: str) -> NDArray[np.float32]:
    """Convert a patch (H, W, 3) uint8 RGB to one of SPACES, float32."""
    light = np.multiply(patch, np.float32(1 / 255), dtype=np.float32)
    if space == "lab":
        return np.asarray(cv2.cvtColor(light, cv2.COLOR_RGB2LAB))
    if space == "hsv":
        values = cv2.cvtColor(light, cv2.COLOR_RGB2HSV)
        values[..., 0] = (values[..., 0] - _GREEN) % 360
        return np.asarray(values)
    logs = cv2.log(np.maximum(light, np.float32(_DARKEST)))
    return np.asarray(cv2.transform(logs, (-UNMIX.T / math.log(10)).astype(np.float32)))


def patch_from_space(values: Any, space: str) -> NDArray[np.uint8]:
    """Convert (H, W, 3) float32 of one of SPACES back to uint8 RGB; the values are spoiled."""
    if space == "hed":
        logs = cv2.transform(values, (-STAINS.T * math.log(10)).astype(np.float32))
        light = cv2.exp(np.minimum(logs, 1))
    elif space == "lab":
        light = cv2.cvtColor(values, cv2.COLOR_LAB2RGB)
    else:
        values[..., 0] = (values[..., 0] + _GREEN) % 360
        np.clip(values[..., 1:], 0, 1, out=values[..., 1:])
        light = cv2.cvtColor(values, cv2.COLOR_HSV2RGB)
    return np.asarray(cv2.convertScaleAbs(np.maximum(light, 0), alpha=255))


def _to_lab(images: Tensor) -> Tensor:
    linear = torch.where(images <= 0.04045, images / 12.92, ((images + 0.055) / 1.055) ** 2.4)
    xyz = _by_matrix(linear, "rgb to xyz")
    cubes = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = cubes.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def _from_lab(values: Tensor) -> Tensor:
    lightness, a, b = values.unbind(1)
    y = (lightness + 16) / 116
    cubes = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    xyz = torch.where(cubes > 6 / 29, cubes**3, (cubes - 16 / 116) / 7.787)
    linear = _by_matrix(xyz, "xyz to rgb")
    bright = 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, bright)


def _to_hsv(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    spread = value - least
    some = spread.clamp(min=1e-12)
    hue = torch.where(
        value == red,
        (green - blue) / some,
        torch.where(value == green, 2 + (blue - red) / some, 4 + (red - green) / some),
    )
    return torch.stack([(60 * hue - _GREEN) % 360, spread / value.clamp(min=1e-12), value], dim=1)


def _from_hsv(values: Tensor) -> Tensor:
    hue, saturation, value = values[:, 0] + _GREEN, *values[:, 1:].clamp(0, 1).unbind(1)
    sectors = 5 - 2 * torch.arange(3, device=values.device)[:, None, None]
    place = (sectors + hue[:, None] / 60) % 6
    lost = torch.minimum(place, 4 - place).clamp(0, 1)
    return value[:, None] * (1 - saturation[:, None] * lost)


def _to_hed(images: Tensor) -> Tensor:
    return _by_matrix(-images.clamp(min=_DARKEST).log10(), "density to stains")


def _from_hed(values: Tensor) -> Tensor:
    return 10 ** -_by_matrix(values, "stains to density")


def _columns(name: str) -> NDArray[np.float32]:
    return _MATRICES[name].T.astype(np.float32)


def _by_matrix(channels: Tensor, name: str) -> Tensor:
    """Channels (B, 3, H, W) mapped by one of _MATRICES; three products keep all digits."""
    columns = constant(_columns, channels.device, name)
    parts = [channels[:, c, None] * columns[c, :, None, None] for c in range(3)]
    return parts[0] + parts[1] + parts[2]
