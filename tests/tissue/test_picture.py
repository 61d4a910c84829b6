"""The picture of a mask: tints by kind, an outline around tissue, small whatever the slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from midog.images.image import as_image
from midog.tissue.from_areas import mask_with
from midog.tissue.from_pixels import tissue_mask
from midog.tissue.kinds import GLASS, KINDS, PEN, TISSUE
from midog.tissue.picture import draw_tissue, no_tissue, write_tissue
from midog.tissue.qupath_areas import Area
from tests.tissue.slides import INK, MPP, draw_slide, pixels_of
from tests.tissue.test_from_areas import box


def test_glass_is_tinted_tissue_is_as_it_is_and_pen_has_its_colour() -> None:
    drawn = draw_slide()
    ImageDraw.Draw(drawn).line([(1200, 0), (1200, 999)], INK["blue"], width=90)
    image = as_image(pixels_of(drawn), MPP)
    mask = tissue_mask(image)
    picture = draw_tissue(mask, image).astype(float)
    assert picture.shape == (1000, 1500, 3)
    pixels = image.read(0, 0, 1500, 1000)
    np.testing.assert_array_equal(picture[450, 550], pixels[450, 550])
    for (x, y), kind in {(40, 40): GLASS, (1200, 500): PEN}.items():
        expected = 0.45 * pixels[y, x] + 0.55 * np.array(KINDS[kind].colour)
        assert picture[y, x] == pytest.approx(expected, abs=1)
    edge = np.flatnonzero((picture[450] == KINDS[TISSUE].colour).all(axis=1))
    assert edge.min() == pytest.approx(200, abs=6)
    assert edge.max() == pytest.approx(900, abs=6)


@pytest.mark.parametrize(("width", "height"), [(3000, 40), (40, 3000), (5, 3), (1, 1)])
def test_pictures_of_any_shape_keep_the_images(width: int, height: int) -> None:
    image = as_image(np.full((height, width, 3), (214, 150, 190), np.uint8), 0.25)
    mask = tissue_mask(image)
    drawn = draw_tissue(mask, image)
    assert max(drawn.shape) <= 1600
    shown = drawn.shape[1] / drawn.shape[0]
    assert shown == pytest.approx(width / height, rel=0.1)
    whole = mask_with([Area((box(0, 0, width, height),), False)], image, None, "a")
    assert draw_tissue(whole, image).shape == drawn.shape


def test_a_small_roi_is_shown_at_its_own_size() -> None:
    image = as_image(pixels_of(draw_slide(300, 200)), 0.25)
    assert draw_tissue(tissue_mask(image), image).shape == (200, 300, 3)


def test_the_file_is_png_and_the_error_of_no_tissue_names_it(tmp_path: Path) -> None:
    image = as_image(pixels_of(draw_slide(300, 200, section=False)), 0.25)
    mask, path = tissue_mask(image), tmp_path / "made" / "a.tissue.png"
    write_tissue(path, mask, image)
    assert Image.open(path).size == (300, 200)
    line = str(no_tissue("a.tiff", mask, path))
    assert line.startswith("a.tiff: no tissue: 0 % is tissue")
    assert f"its mask is {path}" in line
    assert line.endswith("tissue=all looks everywhere")
