"""A stand-in for a slide of MIRAX: px outside of its bounds are transparent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
from PIL import Image

DOWNSAMPLES = (1, 2, 4)


def register(
    monkeypatch: pytest.MonkeyPatch, glass: Any, bounds: tuple[int, int, int, int]
) -> None:
    """Let OpenSlide read any .mrxs as one slide.

    Args:
        monkeypatch: undoes it.
        glass: (H, W, 3) uint8, all of level 0; of sides that are multiples of 4.
        bounds: x, y, width, height, px of level 0; what lies outside is transparent.
    """
    real = openslide.OpenSlide

    class Mirax:
        """What is used of an OpenSlide."""

        def __init__(self, path: Path | str) -> None:
            height, width = glass.shape[:2]
            self.level_downsamples = tuple(map(float, DOWNSAMPLES))
            self.level_dimensions = tuple((width // by, height // by) for by in DOWNSAMPLES)
            names = ("x", "y", "width", "height")
            self.properties = {
                "openslide.vendor": "mirax",
                "openslide.mpp-x": "0.25",
                "openslide.mpp-y": "0.25",
                **{
                    f"openslide.bounds-{name}": str(value)
                    for name, value in zip(names, bounds, strict=True)
                },
            }

        @staticmethod
        def detect_format(path: Path | str) -> str | None:
            return "mirax" if str(path).endswith(".mrxs") else real.detect_format(path)

        def read_region(
            self, corner: tuple[int, int], level: int, size: tuple[int, int]
        ) -> Image.Image:
            x, y, width, height = bounds
            rgba = np.zeros((*glass.shape[:2], 4), np.uint8)
            rgba[y : y + height, x : x + width, :3] = glass[y : y + height, x : x + width]
            rgba[y : y + height, x : x + width, 3] = 255
            by = DOWNSAMPLES[level]
            left, top = (side // by for side in corner)
            small = Image.fromarray(rgba).reduce(by) if by > 1 else Image.fromarray(rgba)
            return small.crop((left, top, left + size[0], top + size[1]))

        def close(self) -> None:
            pass

    monkeypatch.setattr(openslide, "OpenSlide", Mirax)
    monkeypatch.setattr("midog.images.open_slide.try_slide", lambda path: None)
