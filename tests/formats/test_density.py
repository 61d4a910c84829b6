"""The density picture: figures per mm2 that add up, small whatever the image, the hotspot drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.formats.density import figure_density, write_density
from midog.formats.registry import DetectedImage
from midog.metrics.hotspot import HotspotSettings
from midog.mpp import Mpp
from tests.formats.test_hotspot_files import CLUSTER, OTHERS, detected


def rows(scale: float) -> Iterator[tuple[int, np.ndarray]]:
    """A white image of 6000 x 4000 px in two bands."""
    height, width = round(4000 * scale), round(6000 * scale)
    for top in (0, height // 2):
        yield top, np.full((height // 2 if top == 0 else height - top, width, 3), 255, np.uint8)


def drawn(tmp_path: Path, image: DetectedImage) -> np.ndarray:
    write_density(tmp_path / "a.density.png", image)
    return np.asarray(Image.open(tmp_path / "a.density.png").convert("RGB"), float)


@pytest.mark.parametrize("shape", ["4:3", "circle"])
def test_the_hotspot_has_its_outline_and_glass_its_colour(tmp_path: Path, shape: str) -> None:
    wanted = HotspotSettings(2.0, shape)
    picture = drawn(tmp_path, detected([*CLUSTER, *OTHERS], rows=rows, hotspot=wanted))
    assert picture.shape[:2] == (1067 + 64, 1600)
    outline = np.argwhere((picture[:1060] == (0, 230, 255)).all(axis=2))
    middle = (outline.min(axis=0) + outline.max(axis=0)) / 2
    assert middle == pytest.approx(np.array([1150, 1100]) * 1600 / 6000, abs=20)
    assert (picture[1000, 50] == 255).all()
    assert picture[290, 270].mean() < 250


def test_figures_per_mm2_add_up_to_the_figures() -> None:
    image = detected([(3000, 2000), (3000, 2001), (2500, 1500)])
    density = figure_density(image, Mpp(1.0, 1.0), 0.1, 0.2, (400, 600))
    assert density.sum() * 0.01 * 0.01 == pytest.approx(3, rel=1e-6)
    assert density[200, 300] > density[150, 250] > density[100, 100]


def test_an_image_without_figures_and_a_small_one(tmp_path: Path) -> None:
    picture = drawn(tmp_path, detected([], rows=rows))
    assert (picture[:1060] == 255).all()
    ground = np.full((30, 40, 3), 200, np.uint8)
    small = detected([(20, 15)], rows=lambda scale: iter([(0, ground)]), width=40, height=30)
    assert drawn(tmp_path, small).shape == (94, 420, 3)
