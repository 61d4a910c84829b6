"""Tissue is told from glass, ink, debris and edges, on drawn slides and on real ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from midog import tissue_mask
from midog.errors import ImageError
from midog.images.image import open_image
from midog.mpp import Mpp
from midog.tissue import from_pixels
from midog.tissue.kinds import BLACK, GLASS, GREY, KINDS, LINE, PEN, SPECK, TISSUE
from midog.tissue.mask import TissueMask
from midog.tissue.rules import RULES
from tests.tissue.slides import (
    EOSIN,
    INK,
    MPP,
    draw_slide,
    inside_section,
    pixels_of,
)

SECTION_MM2 = math.pi * 350 * 250 * MPP**2 / 1e6


def found(picture: Image.Image, rule: str = "otsu") -> TissueMask:
    return tissue_mask(pixels_of(picture), mpp=MPP, rule=rule)


def kinds_at(mask: TissueMask, x: float, y: float) -> int:
    """What the mask shows at a px of the slide."""
    return int(mask.kinds[int(y * mask.scale[1]), int(x * mask.scale[0])])


@pytest.mark.parametrize("rule", RULES)
def test_a_section_on_glass_is_tissue_and_nothing_else_is(rule: str) -> None:
    mask = found(draw_slide(), rule)
    truth = inside_section((1000, 1500))[1::2, 1::2]
    assert np.mean((mask.kinds == TISSUE) == truth) > 0.995
    assert mask.area_mm2 == pytest.approx(SECTION_MM2, rel=0.02)
    assert mask.left_out == {}
    assert rule in mask.line()


@pytest.mark.parametrize("rule", RULES)
def test_pen_beside_and_on_the_section_is_left_out(rule: str) -> None:
    picture = draw_slide()
    draw = ImageDraw.Draw(picture)
    for number, ink in enumerate(INK.values()):
        draw.line([(150 + 280 * number, 780), (100 + 280 * number, 980)], ink, width=90)
    draw.line([(500, 300), (600, 600)], INK["blue"], width=90)
    draw.line([(750, 300), (750, 600)], INK["green"], width=50)
    mask = found(picture, rule)
    for number, ink in enumerate(INK):
        expected = BLACK if ink == "black" else PEN
        assert kinds_at(mask, 125 + 280 * number, 880) == expected, ink
    assert kinds_at(mask, 550, 450) == PEN
    assert kinds_at(mask, 750, 450) == PEN
    assert kinds_at(mask, 350, 450) == TISSUE
    on_section = (math.hypot(100, 300) * 90 + 300 * 50) * MPP**2 / 1e6
    assert mask.area_mm2 == pytest.approx(SECTION_MM2 - on_section, rel=0.05)


@pytest.mark.parametrize("rule", RULES)
def test_debris_dust_and_edges_of_a_coverslip_are_left_out(rule: str) -> None:
    picture = draw_slide()
    draw = ImageDraw.Draw(picture)
    draw.ellipse((1100, 200, 1200, 300), (15, 12, 10))
    draw.line([(0, 40), (1500, 60)], (150, 148, 151), width=14)
    draw.rectangle((1300, 0, 1320, 999), (205, 190, 160))  # fringes of colour
    draw.ellipse((1000, 800, 1012, 812), EOSIN)
    mask = found(picture, rule)
    assert kinds_at(mask, 1150, 250) == BLACK
    assert kinds_at(mask, 700, 50) == GREY
    assert kinds_at(mask, 1310, 700) in {LINE, GLASS}
    assert kinds_at(mask, 1006, 806) == SPECK
    assert mask.area_mm2 == pytest.approx(SECTION_MM2, rel=0.02)
    assert KINDS[BLACK].words in mask.left_out


def test_a_core_biopsy_is_no_line() -> None:
    picture = draw_slide(section=False)
    ImageDraw.Draw(picture).rectangle((0, 400, 1499, 499), EOSIN)  # 0.4 mm wide
    assert found(picture).area_mm2 == pytest.approx(1500 * 100 * MPP**2 / 1e6, rel=0.05)


@pytest.mark.parametrize("rule", RULES)
def test_all_glass_holds_no_tissue(rule: str) -> None:
    assert found(draw_slide(section=False), rule).share == 0
    white = np.full((300, 400, 3), 255, np.uint8)
    assert tissue_mask(white, mpp=MPP, rule=rule).share == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("colour", [EOSIN, (224, 200, 218), (150, 110, 180)])
def test_an_image_that_is_all_tissue_is_all_tissue(rule: str, colour: tuple[int, ...]) -> None:
    picture = Image.new("RGB", (700, 500), colour)
    expected = 0 if rule == "grey" and sum(colour) > 0.8 * 3 * 255 else 1
    assert tissue_mask(pixels_of(picture), mpp=MPP, rule=rule).share == expected


def test_a_hole_as_of_a_lumen_is_tissue_and_one_as_of_a_tear_is_not() -> None:
    picture = draw_slide()
    draw = ImageDraw.Draw(picture)
    draw.ellipse((400, 400, 420, 420), (243, 242, 244))
    draw.ellipse((600, 400, 700, 500), (243, 242, 244))
    mask = found(picture)
    assert kinds_at(mask, 410, 410) == TISSUE
    assert kinds_at(mask, 650, 450) == GLASS


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (40, 1), (17, 23)])
@pytest.mark.parametrize("rule", RULES)
def test_tiny_images_are_tissue_where_they_are_eosin(size: tuple[int, int], rule: str) -> None:
    for mpp in (0.25, 4.0):
        pink = np.full((*size, 3), EOSIN, np.uint8)
        assert tissue_mask(pink, mpp=mpp, rule=rule).share == 1
        assert tissue_mask(np.full_like(pink, 250), mpp=mpp, rule=rule).share == 0


def test_no_light_is_no_tissue_whatever_its_saturation() -> None:
    numbers = np.random.default_rng(0)
    red = np.zeros((400, 400, 3), np.uint8)
    red[..., 0] = numbers.integers(0, 30, (400, 400))
    mask = tissue_mask(red, mpp=1.0)
    assert mask.share == 0
    assert KINDS[BLACK].words in mask.line()


def test_memory_is_bounded_however_large_the_slide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_pixels, "MOST_PX", 10_000)
    mask = found(draw_slide())
    assert mask.kinds.size <= 10_400  # rounded up along both sides
    assert mask.area_mm2 == pytest.approx(SECTION_MM2, rel=0.1)


def test_px_that_are_not_square_are_shared_rightly() -> None:
    pixels = pixels_of(draw_slide())[::2]
    mask = tissue_mask(pixels, mpp=(MPP / 2, MPP))
    assert mask.mpp == Mpp(MPP / 2, MPP)
    assert mask.area_mm2 == pytest.approx(SECTION_MM2 / 4, rel=0.02)
    assert mask.share_in(np.array([[400, 175, 500, 275]]))[0] == 1


def test_an_open_image_and_its_file_have_the_mask_of_the_pixels(tmp_path: Path) -> None:
    pixels = pixels_of(draw_slide(400, 300))
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = tissue_mask(pixels, mpp=MPP)
    with open_image(tmp_path / "a.png") as image:
        actual = tissue_mask(image, mpp=MPP)
        assert image.read(0, 0, 1, 1).shape == (1, 1, 3)  # left open
    np.testing.assert_array_equal(actual.kinds, expected.kinds)
    np.testing.assert_array_equal(tissue_mask(tmp_path / "a.png", mpp=MPP).kinds, expected.kinds)


def test_what_is_not_known_is_asked_for() -> None:
    pixels = np.full((9, 9, 3), 200, np.uint8)
    with pytest.raises(ImageError, match="mpp"):
        tissue_mask(pixels)
    with pytest.raises(ImageError, match="'ostu' is unknown; choose one of otsu, saturation, grey"):
        tissue_mask(pixels, mpp=0.25, rule="ostu")
    with pytest.raises(ImageError, match="no image file"):
        tissue_mask("nowhere.tiff")


def test_real_sections_are_found(shared: Path) -> None:
    slides = shared / "data" / "slides"
    shares = {
        "CMU-1-Small-Region.svs": (0.35, 0.42),
        "derived_cmc_pyramid.tif": (0.45, 0.62),
        "OS-1-detail.ome.tif": (0.99, 1.0),
        "hamamatsu_fluorescence_TRITC.ndpi": (0.0, 0.05),
    }
    for name, (least, most) in shares.items():
        assert least <= tissue_mask(slides / name).share <= most, name


def test_real_rois_are_all_tissue_and_no_pen(composite: Path) -> None:
    for path in sorted((composite / "images").iterdir())[::10]:
        mask = tissue_mask(path, mpp=0.25)
        assert mask.share > 0.99, path
        assert not mask.left_out, path
