"""Files of several pictures: the largest is read, whatever comes first; planes of colour."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from midog.images.image import open_image
from midog.images.pixels import Pixels
from tests.images.pictures import BIG, PIXELS, TILE, error_of, whole

SMALL = np.ascontiguousarray(BIG[::8, ::8])
COARSE: dict[str, Any] = {"resolution": (5000, 5000), "resolutionunit": "CENTIMETER"}
FINE: dict[str, Any] = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
LAYOUTS = {
    "strips": {},
    "packed strips": {"compression": "zlib"},
    "tiles": {"tile": TILE},
    "packed tiles": {"tile": TILE, "compression": "zlib"},
    "jpeg": {"tile": TILE, "compression": "jpeg"},
    "jpeg strips": {"compression": "jpeg"},
}


def pages(path: Path, *written: tuple[Pixels, dict[str, Any]], ome: bool = False) -> Path:
    with tifffile.TiffWriter(path, ome=ome) as file:
        for pixels, options in written:
            file.write(pixels, **{"photometric": "rgb", "metadata": None, **options})
    return path


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("first", [{}, {"subfiletype": 1}], ids=["unmarked", "marked"])
def test_a_thumbnail_before_the_picture(
    tmp_path: Path, first: dict[str, Any], options: dict[str, Any]
) -> None:
    small = SMALL, COARSE | first | options | ({"tile": (16, 16)} if "tile" in options else {})
    path = pages(tmp_path / "a.tif", small, (BIG, FINE | options))
    with open_image(path) as image:
        assert (image.width, image.height, image.mpp) == (700, 620, pytest.approx((0.25, 0.25)))
        actual = image.read(0, 0, 700, 620)
    apart = np.abs(actual.astype(int) - BIG)
    assert apart.max() == 0 if options.get("compression") != "jpeg" else apart.mean() < 8


def test_a_thumbnail_first_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        whole(pages(tmp_path / "a.tif", (SMALL, {}), (BIG, {})))
    assert "a.tif holds 2 pictures (88 x 78, 700 x 620 px): the largest is read, page 2" in (
        caplog.text
    )


def test_pages_of_a_pyramid_are_one_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    halves = [np.ascontiguousarray(BIG[:: 2**n, :: 2**n]) for n in range(3)]
    with caplog.at_level(logging.WARNING):
        path = pages(tmp_path / "a.tif", *((level, {"tile": TILE}) for level in halves))
        with open_image(path) as image:
            assert [level.size for level in image.levels] == [(700, 620), (350, 310), (175, 155)]
            for number, level in enumerate(halves):
                size = level.shape[1], level.shape[0]
                np.testing.assert_array_equal(image.read(0, 0, *size, number), level)
    assert not caplog.text


def test_a_pyramid_behind_a_thumbnail(tmp_path: Path) -> None:
    half = np.ascontiguousarray(BIG[::2, ::2])
    path = pages(
        tmp_path / "a.tif", (SMALL, {"subfiletype": 1}), (BIG, {}), (half, {"subfiletype": 1})
    )
    with open_image(path) as image:
        assert [level.size for level in image.levels] == [(700, 620), (350, 310)]


def test_a_macro_that_is_larger_than_the_picture(tmp_path: Path) -> None:
    ome = pages(
        tmp_path / "a.ome.tif",
        (BIG, {"metadata": {"axes": "YXS", "Name": "macro image"}}),
        (PIXELS, {"metadata": {"axes": "YXS", "Name": "scan", "PhysicalSizeX": 0.25}}),
        ome=True,
    )
    np.testing.assert_array_equal(whole(ome), PIXELS)
    plain = pages(tmp_path / "a.tif", (PIXELS, {}), (BIG, {"description": "macro 700x620"}))
    np.testing.assert_array_equal(whole(plain), PIXELS)


@pytest.mark.parametrize(
    "macro",
    [COARSE, COARSE | {"subfiletype": 1}, {"subfiletype": 1}, {"subfiletype": 9}],
    ids=["coarse", "coarse and marked", "marked", "marked as Aperio does"],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_larger_picture_that_is_not_of_full_resolution(
    tmp_path: Path, macro: dict[str, Any], first: bool
) -> None:
    written = [(BIG, macro), (PIXELS, FINE)]
    path = pages(tmp_path / "a.tif", *(written if first else written[::-1]))
    with open_image(path) as image:
        assert image.mpp == pytest.approx((0.25, 0.25))
    np.testing.assert_array_equal(whole(path), PIXELS)


def test_the_mpp_is_that_of_the_picture(tmp_path: Path) -> None:
    path = pages(
        tmp_path / "a.ome.tif",
        (SMALL, {"metadata": {"axes": "YXS", "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0}}),
        (BIG, {"metadata": {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}}),
        ome=True,
    )
    with open_image(path) as image:
        assert (image.width, image.mpp) == (700, pytest.approx((0.25, 0.25)))


def test_a_page_that_ome_does_not_list(tmp_path: Path) -> None:
    path = pages(tmp_path / "a.ome.tif", (SMALL, {"metadata": {"axes": "YXS"}}), ome=True)
    with tifffile.TiffWriter(path, append="force") as file:
        file.write(BIG, photometric="rgb", metadata=None)
    np.testing.assert_array_equal(whole(path), BIG)


@pytest.mark.parametrize("options", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_three_planes_are_red_green_and_blue(
    tmp_path: Path, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    planes = np.ascontiguousarray(np.moveaxis(BIG, 2, 0))
    said = {"photometric": "minisblack", "metadata": {"axes": "CYX"}}
    path = pages(tmp_path / "a.ome.tif", (planes, said | options), ome=True)
    with caplog.at_level(logging.WARNING):
        actual = whole(path)
    apart = np.abs(actual.astype(int) - BIG)
    assert apart.max() == 0 if options.get("compression") != "jpeg" else apart.mean() < 8
    assert "read as red, green and blue" in caplog.text


@pytest.mark.parametrize(
    ("channels", "names"),
    [(3, ["DAPI", "FITC", "Cy5"]), (2, None), (4, None), (3, ["B", "G", "R"])],
)
def test_planes_that_are_no_colours_are_refused(
    tmp_path: Path, channels: int, names: list[str] | None
) -> None:
    planes = np.ascontiguousarray(np.moveaxis(np.dstack([PIXELS, PIXELS])[..., :channels], 2, 0))
    metadata: dict[str, Any] = {"axes": "CYX"} | ({"Channel": {"Name": names}} if names else {})
    path = pages(
        tmp_path / "a.ome.tif",
        (planes, {"photometric": "minisblack", "metadata": metadata}),
        ome=True,
    )
    assert "several planes" in error_of(path)


def test_planes_of_two_sizes_are_refused(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(np.moveaxis(PIXELS, 2, 0))
    said = {"photometric": "minisblack", "metadata": {"axes": "CYX"}}
    path = pages(tmp_path / "a.ome.tif", (planes, said), ome=True)
    with tifffile.TiffFile(path) as file:
        place = file.pages[1].aspage().tags["ImageLength"].valueoffset
    content = bytearray(path.read_bytes())
    content[place] -= 1
    path.write_bytes(content)
    assert "planes" in error_of(path)
