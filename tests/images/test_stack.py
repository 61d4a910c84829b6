"""Stacks of crops: every page or plane, in order, with its own size and um/px."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from midog.errors import ImageError
from midog.images.image import SlideImage
from midog.images.stack import MOST_SIDE_PX, open_stack
from midog.mpp import Mpp
from tests.images.pictures import tissue
from tests.images.test_open_mha import mha

CROPS = [np.roll(tissue(48, 40), 7 * number, axis=1) for number in range(5)]


def whole(image: SlideImage) -> np.ndarray:
    return image.read(0, 0, image.width, image.height)


def write_tiff(path: Path, crops=CROPS) -> Path:
    """As the challenge's stacks are written: by Pillow, deflated, with a resolution per page."""
    pictures = [Image.fromarray(crop) for crop in crops]
    dpi = (102351, 101949)  # of the organisers' own example: 0.2482 and 0.2491 um
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        compression="tiff_deflate",
        dpi=dpi,
    )
    return path


def test_pages_are_read_in_their_order_with_their_mpp(tmp_path: Path) -> None:
    stack = open_stack(write_tiff(tmp_path / "a.tiff"))
    assert len(stack) == 5
    for image, crop in zip(stack, CROPS, strict=True):
        np.testing.assert_array_equal(whole(image), crop)
        assert image.mpp is not None
        assert image.mpp.agrees_with(Mpp.of(0.2482, 0.2491))


def test_one_array_of_all_crops_is_as_many_pages(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack(CROPS), photometric="rgb")
    stack = open_stack(tmp_path / "a.tif")
    for image, crop in zip(stack, CROPS, strict=True):
        np.testing.assert_array_equal(whole(image), crop)
    assert stack[0].mpp is None


def test_pages_may_differ_in_size_and_colour_and_be_turned(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(CROPS[0], photometric="rgb", resolution=(40000, 40000), resolutionunit=3)
        tiff.write(CROPS[1][:30, :20, 0], photometric="minisblack")
        tiff.write(np.moveaxis(CROPS[2], 2, 0), photometric="rgb", planarconfig="separate")
        tiff.write(CROPS[3], photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    first, grey, planes, turned = open_stack(tmp_path / "a.tif")
    assert (first.mpp, grey.mpp) == (Mpp.of(0.25), None)
    np.testing.assert_array_equal(whole(grey), CROPS[1][:30, :20, :1].repeat(3, axis=2))
    np.testing.assert_array_equal(whole(planes), CROPS[2])
    np.testing.assert_array_equal(whole(turned), np.rot90(CROPS[3], -1))


@pytest.mark.parametrize("deflated", [False, True])
def test_planes_of_a_metaimage_are_read_in_their_order(tmp_path: Path, deflated: bool) -> None:
    path = mha(
        tmp_path / "a.mha",
        np.concatenate(CROPS),
        deflated=deflated,
        NDims="3",
        DimSize=f"48 40 {len(CROPS)}",
        ElementSpacing="0.00025 0.00023 1",
    )
    stack = open_stack(path)
    for image, crop in zip(stack, CROPS, strict=True):
        np.testing.assert_array_equal(whole(image), crop)
        assert image.mpp == Mpp.of(0.25, 0.23)
    grey = np.concatenate(CROPS)[..., 0]
    path = mha(tmp_path / "g.mha", grey, NDims="3", DimSize=f"48 40 {len(CROPS)}")
    np.testing.assert_array_equal(whole(open_stack(path)[4]), CROPS[4][..., :1].repeat(3, axis=2))
    (only,) = open_stack(mha(tmp_path / "one.mha", CROPS[0]))
    np.testing.assert_array_equal(whole(only), CROPS[0])


def test_what_is_no_stack_of_crops_is_one_line(tmp_path: Path) -> None:
    def error(path: Path) -> str:
        with pytest.raises(ImageError) as caught:
            open_stack(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "cannot be read" in error(tmp_path / "none.tiff")
    large = tmp_path / "large.tiff"
    tifffile.imwrite(large, np.zeros((8, MOST_SIDE_PX + 1, 3), np.uint8), photometric="rgb")
    assert f"holds 1 pictures of up to {MOST_SIDE_PX + 1} px" in error(large)
    deep = tmp_path / "deep.tiff"
    tifffile.imwrite(deep, np.zeros((2, 8, 9), np.uint16))
    assert "16-bit" in error(deep)
    cut = write_tiff(tmp_path / "cut.tiff")
    cut.write_bytes(cut.read_bytes()[:-900])
    assert "cut.tiff" in error(cut)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "a.png" in error(tmp_path / "a.png")
