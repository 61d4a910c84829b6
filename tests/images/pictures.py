"""What tests of images share: pixels that differ everywhere, and a TIFF of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from midog.errors import ImageError
from midog.images.image import open_image
from midog.images.pixels import Pixels

TILE = (64, 64)


LOSSLESS = {
    "striped": {},
    "strips of 16 rows": {"rowsperstrip": 16},
    "tiled": {"tile": TILE},
    "deflate": {"tile": TILE, "compression": "deflate", "predictor": True},
    "striped lzw": {"compression": "lzw"},
    "big tiff": {"bigtiff": True, "tile": TILE},
    "big endian": {"byteorder": ">"},
}
"""Ways to write a TIFF that loses nothing."""


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


def whole(path: Path) -> Pixels:
    """All of level 0, as a user reads it."""
    with open_image(path) as image:
        return image.read(0, 0, image.width, image.height)


def error_of(path: Path) -> str:
    """The line a user sees, whether opening or reading finds it."""
    with pytest.raises(ImageError) as caught:
        whole(path)
    line = str(caught.value)
    assert "\n" not in line
    assert path.name in line
    assert "; " in line  # says what to do
    return line


def packed(path: Path, pixels: Pixels = PIXELS, **options: Any) -> Path:
    """A TIFF that has to be decoded: one that is not compressed is mapped where it lies."""
    return tiff(path, pixels, compression="deflate", **options)


def cached(cache: Path) -> list[Path]:
    """The files of decoded pixels in a cache folder."""
    return sorted((cache / "decoded").glob("*.npy"))
