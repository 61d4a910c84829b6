"""Scanners of the phantom: from stain to light (Beer-Lambert), through optics and camera to RGB."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from midog.data.phantom.paint import FloatImage

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Scanner:
    """A laboratory's stains as one scanner sees them.

    haematoxylin, eosin: optical density per unit of stain in red, green and blue; scaled to length
    1 when used.
    strength: how strong the laboratory stains haematoxylin and eosin, 1 = as drawn.
    white_balance: gain of red, green and blue; light_level: what empty glass reads, 0 to 1.
    gamma: exponent on the light, below 1 lifts the dark tones.
    blur_sigma_px: the optics' point spread; sharpen: share of an unsharp mask over
    `sharpen_sigma_px`.
    noise: deviation of the camera's noise, 1 = full range; jpeg_quality: 1 to 100.
    """

    name: str
    haematoxylin: Colour
    eosin: Colour
    strength: tuple[float, float]
    white_balance: Colour
    light_level: float
    gamma: float
    blur_sigma_px: float
    sharpen: float
    sharpen_sigma_px: float
    noise: float
    jpeg_quality: int


SCANNERS: tuple[Scanner, ...] = (
    Scanner(
        name="Phantom A",  # Ruifrok & Johnston's haematoxylin, a cool balance, crisp
        haematoxylin=(0.65, 0.70, 0.29),
        eosin=(0.10, 0.86, 0.50),
        strength=(1.0, 0.85),
        white_balance=(0.98, 0.98, 1.02),
        light_level=0.95,
        gamma=0.95,
        blur_sigma_px=0.7,
        sharpen=0.6,
        sharpen_sigma_px=1.2,
        noise=0.008,
        jpeg_quality=85,
    ),
    Scanner(
        name="Phantom B",  # redder eosin, warmer light, softer
        haematoxylin=(0.58, 0.74, 0.34),
        eosin=(0.07, 0.90, 0.43),
        strength=(0.95, 0.85),
        white_balance=(1.01, 0.97, 0.99),
        light_level=0.93,
        gamma=1.0,
        blur_sigma_px=0.95,
        sharpen=0.3,
        sharpen_sigma_px=1.5,
        noise=0.006,
        jpeg_quality=80,
    ),
    Scanner(
        name="Phantom C",  # a brown haematoxylin under yellowish light, oversharpened
        haematoxylin=(0.57, 0.70, 0.43),
        eosin=(0.08, 0.80, 0.58),
        strength=(0.72, 0.8),
        white_balance=(1.02, 0.99, 0.92),
        light_level=0.90,
        gamma=0.79,
        blur_sigma_px=1.4,
        sharpen=1.2,
        sharpen_sigma_px=2.0,
        noise=0.005,
        jpeg_quality=70,
    ),
    Scanner(
        name="Phantom D",  # blue and pale
        haematoxylin=(0.74, 0.62, 0.24),
        eosin=(0.22, 0.93, 0.28),
        strength=(0.9, 0.8),
        white_balance=(0.95, 0.99, 1.03),
        light_level=0.96,
        gamma=0.9,
        blur_sigma_px=0.8,
        sharpen=0.8,
        sharpen_sigma_px=1.0,
        noise=0.005,
        jpeg_quality=90,
    ),
)
"""Phantom A and B are trained on; C is labelled but only in test; D is unlabelled."""


def scan(stain: FloatImage, scanner: Scanner, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image that a scanner makes of a stained section.

    Light passed = 10 ** -(H h + E e), the law of Beer and Lambert with stain vectors h and e as in
    Ruifrok & Johnston, Quantification of histochemical staining by color deconvolution (2001).

    Args:
        stain: (2, H, W) float32, haematoxylin and eosin as concentrations, 0 or more.
        scanner: the scanner.
        rng: draws the camera's noise.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    assert stain.ndim == 3, stain.shape
    assert stain.shape[0] == 2, stain.shape
    haematoxylin = scanner.strength[0] * _unit(scanner.haematoxylin)
    eosin = scanner.strength[1] * _unit(scanner.eosin)
    image = np.empty((*stain.shape[1:], 3), np.uint8)
    for channel in range(3):
        density = stain[0] * haematoxylin[channel] + stain[1] * eosin[channel]
        light = np.exp(-math.log(10) * density)
        light = ndimage.gaussian_filter(light, scanner.blur_sigma_px, truncate=3)
        light += scanner.noise * rng.standard_normal(light.shape, dtype=np.float32)
        light += scanner.sharpen * (
            light - ndimage.gaussian_filter(light, scanner.sharpen_sigma_px, truncate=3)
        )
        tone = np.clip(light, 0, 1) ** scanner.gamma
        gain = 255 * scanner.light_level * scanner.white_balance[channel]
        image[:, :, channel] = np.clip(np.rint(tone * gain), 0, 255)
    return image


def _unit(vector: Colour) -> FloatImage:
    array = np.asarray(vector, np.float32)
    return np.asarray(array / np.linalg.norm(array), np.float32)
