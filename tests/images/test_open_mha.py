"""MetaImage files as ITK writes them, plain and deflated, and damaged ones."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from midog.images.image import IMAGE_SUFFIXES, open_image
from midog.images.open_mha import is_mha
from midog.mpp import Mpp
from tests.images.pictures import PIXELS, error_of, whole

HEADER = """ObjectType = Image
NDims = 2
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = {deflated}
TransformMatrix = 1 0 0 1
Offset = 0 0
CenterOfRotation = 0 0
ElementSpacing = {spacing}
DimSize = {size}
ElementNumberOfChannels = {channels}
ElementType = MET_UCHAR
ElementDataFile = LOCAL
"""


def mha(
    path: Path, pixels=PIXELS, *, deflated: bool = False, spacing="0.00025 0.00025", **changes: str
) -> Path:
    """Write what SimpleITK.WriteImage does; changes: lines of the header by key."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    size = f"{pixels.shape[1]} {pixels.shape[0]}"
    header = HEADER.format(deflated=deflated, spacing=spacing, size=size, channels=channels)
    lines = {"HeaderSize": "-1"} | dict(line.split(" = ") for line in header.splitlines()) | changes
    data = zlib.compress(pixels.tobytes()) if deflated else pixels.tobytes()
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    path.write_bytes(text.encode() + data)
    return path


@pytest.mark.parametrize("deflated", [False, True])
def test_pixels_and_spacing_are_those_that_were_written(tmp_path: Path, deflated: bool) -> None:
    path = mha(tmp_path / "a.mha", deflated=deflated, spacing="0.00023 0.00025")
    np.testing.assert_array_equal(whole(path), PIXELS)
    with open_image(path) as image:
        assert image.mpp == Mpp.of(0.23, 0.25)
        assert image.stated_mpp.source == "MetaImage spacing"
    assert path.suffix in IMAGE_SUFFIXES


def test_grey_becomes_rgb_and_what_is_transparent_white(tmp_path: Path) -> None:
    grey = mha(tmp_path / "g.mha", PIXELS[..., 0])
    np.testing.assert_array_equal(whole(grey), np.repeat(PIXELS[..., :1], 3, axis=2))
    alpha = np.zeros((*PIXELS.shape[:2], 1), np.uint8)
    clear = mha(tmp_path / "c.mha", np.concatenate([PIXELS, alpha], axis=2))
    assert (whole(clear) == 255).all()


def test_one_plane_of_a_volume_is_a_picture(tmp_path: Path) -> None:
    size = f"{PIXELS.shape[1]} {PIXELS.shape[0]} 1"
    path = mha(tmp_path / "a.mha", NDims="3", DimSize=size, ElementSpacing="0.00025 0.00025 1")
    np.testing.assert_array_equal(whole(path), PIXELS)
    assert "150 x 130 x 2 px" in error_of(mha(tmp_path / "b.mha", DimSize="150 130 2"))


def test_a_spacing_that_nobody_set_is_no_mpp(tmp_path: Path) -> None:
    with open_image(mha(tmp_path / "a.mha", spacing="1 1")) as image:
        assert image.mpp is None
        assert image.stated_mpp.refused is not None
        assert image.stated_mpp.refused.mpp == Mpp.of(1000.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ElementDataFile": "a.raw"}, "'a.raw'"),
        ({"ElementType": "MET_USHORT"}, "MET_USHORT"),
        ({"ElementNumberOfChannels": "2"}, "2 channels"),
        ({"DimSize": "150 x"}, "DimSize"),
        ({"DimSize": "150 0"}, "size of 150 0"),
        ({"DimSize": "nan 130"}, "cannot be read"),
        ({"DimSize": "150"}, "holds 150 px"),
        ({"DimSize": "900000 900000"}, "a side is not 1 to 500,000"),
        ({"DimSize": "400000 400000"}, "for a byte of the file"),
        ({"BinaryData": "False"}, "as text"),
        ({"HeaderSize": "400"}, "with a gap"),
        ({"ElementSpacing": "a b"}, "ElementSpacing"),
    ],
)
def test_what_is_not_read_gets_one_line(tmp_path: Path, changes, words: str) -> None:
    assert words in error_of(mha(tmp_path / "a.mha", **changes))


@pytest.mark.parametrize("deflated", [False, True])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, deflated: bool) -> None:
    path = mha(tmp_path / "a.mha", deflated=deflated)
    path.write_bytes(path.read_bytes()[:-300])
    assert "a.mha" in error_of(path)


def test_damaged_headers_and_deflated_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    path.write_bytes(b"\x89PNG no header")
    assert "no ElementDataFile" in error_of(path)
    path.write_bytes(b"ObjectType = Image\nsomething\n")
    assert "no '='" in error_of(path)
    mha(path, deflated=True)
    content = bytearray(path.read_bytes())
    content[-len(content) // 2 :] = bytes(len(content) // 2 + 1)
    path.write_bytes(content)
    assert "a.mha" in error_of(path)


def test_a_file_is_known_by_its_first_bytes_or_its_ending() -> None:
    assert is_mha(Path("a"), b"ObjectType = Image")
    assert is_mha(Path("a.MHA"), b"Comment = x")
    assert not is_mha(Path("a.tiff"), b"II*\0")
