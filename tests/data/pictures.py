"""What tests of images share: pixels that differ everywhere, and a TIFF of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from midog.images.open_file import Pixels

TILE = (64, 64)


def tissue(width: int = 150, height: int = 130) -> Pixels:
    """Smooth structure with some noise, different everywhere."""
    rng = np.random.default_rng(7)
    coarse = Image.fromarray(rng.integers(60, 256, (8, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8)


PIXELS = tissue()
BIG = tissue(700, 620)


def tiff(path: Path, pixels: np.ndarray[Any, Any] = PIXELS, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **{"photometric": "rgb", **options})
    return path
