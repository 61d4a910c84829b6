"""Real slides and ROIs: size, mpp, pixels, levels, and one cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from midog.images.image import open_image
from midog.images.open_slide import _origin, _SlideLevel
from tests.images.pictures import error_of, tissue
from tests.images.scn import write_scn

REAL_SLIDES = {
    "CMU-1-Small-Region.svs": (2220, 2967, 0.499),
    "derived_cmc_pyramid.tif": (4096, 2048, 0.25),
    "OS-1-detail.ome.tif": (1101, 1101, 0.2271),
    "hamamatsu_fluorescence_TRITC.ndpi": (3968, 4864, 0.2282),
}


@pytest.mark.parametrize("name", REAL_SLIDES)
def test_real_slides(shared: Path, name: str) -> None:
    width, height, mpp = REAL_SLIDES[name]
    path = shared / "data" / "slides" / name
    with open_image(path) as image, tifffile.TiffFile(path) as other:
        assert (image.path, image.width, image.height) == (path, width, height)
        assert image.mpp == pytest.approx((mpp, mpp), abs=5e-5)
        expected = other.series[0].asarray()[500:600, 300:500]
        actual = image.read(300, 500, 200, 100)
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("name", "mpp"), [("001.tiff", 0.25), ("079.tiff", 0.2456)])
def test_real_rois_read_as_tifffile_reads_them(composite: Path, name: str, mpp: float) -> None:
    expected = tifffile.imread(composite / "images" / name)
    with open_image(composite / "images" / name) as image:
        assert image.mpp == pytest.approx((mpp, mpp), abs=5e-5)
        np.testing.assert_array_equal(image.read(0, 0, image.width, image.height), expected)
        np.testing.assert_array_equal(image.read(301, 407, 333, 222), expected[407:629, 301:634])


@pytest.mark.parametrize(
    "name", ["CMU-1-Small-Region.svs", "derived_cmc_pyramid.tif", "OS-1-detail.ome.tif"]
)
@pytest.mark.parametrize("cut", [0.1, 0.5])
def test_a_real_slide_cut_short(shared: Path, tmp_path: Path, name: str, cut: float) -> None:
    content = (shared / "data" / "slides" / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * cut)])
    error_of(tmp_path / name)


LEVELS = {
    "CMU-1-Small-Region.svs": [1],
    "derived_cmc_pyramid.tif": [1, 2, 4, 8],
    "OS-1-detail.ome.tif": [1],
    "hamamatsu_fluorescence_TRITC.ndpi": [1, 2, 4, 8, 16, 32, 64],
}


@pytest.mark.parametrize("name", LEVELS)
def test_levels_of_real_slides(shared: Path, name: str) -> None:
    path = shared / "data" / "slides" / name
    with open_image(path) as image, tifffile.TiffFile(path) as other:
        assert [level.downsample for level in image.levels] == LEVELS[name]
        assert image.levels[0].size == (image.width, image.height)
        for number, level in enumerate(other.series[0].levels):
            expected = level.asarray()
            assert image.levels[number].size == (expected.shape[1], expected.shape[0])
            x, y = expected.shape[1] // 3, expected.shape[0] // 4
            actual = image.read(x, y, 120, 90, number)
            np.testing.assert_array_equal(actual, expected[y : y + 90, x : x + 120])


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("scale", [1 / 8, 1 / 11, 1 / 32])
def test_overviews_of_real_slides(shared: Path, name: str, scale: float) -> None:
    with open_image(shared / "data" / "slides" / name) as image:
        actual = image.overview(scale)
        width, height = image.scaled_size(scale)
        assert actual.shape == (height, width, 3)
        # the same picture as level 0 resampled, but for how its scanner made the levels
        expected = image.read_scaled(0, 0, width, height, scale).astype(int)
        shifted = np.abs(actual[1:, 1:] - expected[:-1, :-1]).mean()
        assert np.abs(actual - expected).mean() < 0.75 * shifted


def test_a_px_of_a_level_is_the_same_in_whatever_region(shared: Path) -> None:
    class Odd:
        """A slide whose level 1 has 3.3 px of level 0 in a px."""

        def __init__(self, size: tuple[int, int]) -> None:
            self.picture = Image.fromarray(tissue(*size)).convert("RGBA")
            self.corners: list[tuple[int, int]] = []

        def read_region(
            self, corner: tuple[int, int], number: int, size: tuple[int, int]
        ) -> Image.Image:
            self.corners.append(corner)
            x, y = corner[0] / 3.3, corner[1] / 3.3
            box = (x, y, x + size[0], y + size[1])
            return self.picture.resize(size, Image.Resampling.BILINEAR, box=box)

    slide = Odd((1200, 1100))
    level = _SlideLevel(Path("a.svs"), slide, 1, (1100, 1000), 3.3)
    whole = np.empty((1000, 1100, 3), np.uint8)
    level.read_into(0, 0, whole)
    part = np.empty((300, 333, 3), np.uint8)
    level.read_into(411, 490, part)
    np.testing.assert_array_equal(part, whole[490:790, 411:744])
    tops = {corner[0] for corner in slide.corners if corner[1] == 0}
    assert tops == {0, round(512 * 3.3), round(1024 * 3.3)}


def test_the_corner_of_the_bounds_is_the_origin_where_all_four_are_stated(shared: Path) -> None:
    stated = {
        f"openslide.bounds-{key}": value
        for key, value in zip(
            ("x", "y", "width", "height"), ("1200", "35", "5000", "6000"), strict=True
        )
    }
    assert _origin(stated) == (1200, 35)
    for name in stated:
        assert _origin({key: text for key, text in stated.items() if key != name}) == (0, 0)
        assert _origin(stated | {name: "12.5"}) == (0, 0)
    with open_image(shared / "data" / "slides" / "CMU-1-Small-Region.svs") as image:
        assert image.origin == (0, 0)


def test_a_slide_with_bounds_is_read_in_px_of_the_whole_glass(tmp_path: Path) -> None:
    pixels = tissue(1024, 768)
    path = write_scn(tmp_path / "a.scn", pixels, corner=(1000, 600), size=(4000, 3000))
    with open_image(path, past_damage=True) as image:
        assert (image.width, image.height, image.origin) == (4000, 3000, (1000, 600))
        assert image.mpp == pytest.approx((0.5, 0.5))
        assert [level.downsample for level in image.levels] == [1, 2]
        part = image.read(900, 500, 300, 300).astype(int)
        assert (part[:100] == 255).all()
        assert (part[:, :100] == 255).all()
        assert np.abs(part[100:, 100:] - pixels[:200, :200]).mean() < 3
        half = image.read(500, 300, 512, 384, level=1).astype(int)
        assert np.abs(half - pixels[::2, ::2]).mean() < 3
        assert (image.read(3000, 2000, 500, 500) == 255).all()
