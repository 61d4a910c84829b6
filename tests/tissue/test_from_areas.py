"""The mask of drawn areas: their share of boxes, holes and cuts, and areas of another image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midog.errors import DataError
from midog.images.image import SlideImage, as_image
from midog.tissue.from_areas import mask_of_areas, mask_with
from midog.tissue.qupath_areas import Area
from tests.tissue.test_qupath_areas import feature, write

IMAGE = as_image(np.full((800, 1000, 3), 255, np.uint8), 0.25)


def box(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)], float)


def test_the_share_of_a_box_is_that_of_the_areas_in_it() -> None:
    areas = [
        Area((box(96, 96, 496, 496), box(200, 200, 304, 304)), False),
        Area((box(400, 400, 600, 600),), False),
        Area((box(0, 0, 120, 120),), True),
    ]
    mask = mask_with(areas, IMAGE, None, "a.geojson")
    boxes = np.array([[200, 200, 304, 304], [304, 304, 400, 400], [448, 448, 552, 648]])
    assert mask.share_in(boxes) == pytest.approx([0, 1, 152 / 200])
    px = 400 * 400 - 104 * 104 + 200 * 200 - 96 * 96 - 24 * 24
    assert mask.share == pytest.approx(px / 800_000)
    assert mask.contains(np.array([[250, 250], [350, 350], [110, 110], [999, 799]])).tolist() == [
        False,
        True,
        False,
        False,
    ]
    assert "areas of a.geojson" in mask.line()


def test_a_cut_takes_away_wherever_it_is_in_the_file() -> None:
    areas = [Area((box(0, 0, 504, 800),), True), Area((box(0, 0, 1000, 800),), False)]
    assert mask_with(areas, IMAGE, None, "a").share == pytest.approx(0.496)


def test_an_area_around_the_image_is_all_of_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", feature("Polygon", [box(-9, -9, 2000, 2000).tolist()]))
    assert mask_of_areas(path, IMAGE).share == 1


def test_areas_of_another_image_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", feature("Polygon", [box(2000, 0, 3000, 9).tolist()]))
    with pytest.raises(DataError, match="no area reaches into array of 1000 x 800 px"):
        mask_of_areas(path, IMAGE)


def test_the_mask_of_a_large_slide_is_coarser_not_larger() -> None:
    slide = as_image(np.broadcast_to(np.uint8(255), (60_000, 60_000, 3)), 0.25)
    mask = mask_with([Area((box(0, 0, 30_000, 60_000),), False)], slide, None, "a")
    assert mask.kinds.size < 1.01 * (1 << 22)
    assert mask.share == pytest.approx(0.5, abs=0.001)
    assert isinstance(slide, SlideImage)
