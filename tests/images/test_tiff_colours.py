"""Colours of TIFFs: palette, YCbCr, grey with alpha and planes are read, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.images.pictures import PIXELS, TILE, error_of, tiff, whole

GREY = np.ascontiguousarray(PIXELS[..., 0])


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette(
    tmp_path: Path, bits: int, tile: tuple[int, int] | None, compression: str | None
) -> None:
    picture = Image.fromarray(PIXELS).quantize(64)
    colours = np.zeros((256, 3), np.uint16)
    colours[:64] = np.asarray(picture.getpalette()).reshape(-1, 3)[:64]
    path = tiff(
        tmp_path / "a.tiff",
        np.asarray(picture),
        photometric="palette",
        colormap=np.ascontiguousarray((colours * 257 if bits == 16 else colours).T),
        tile=tile,
        compression=compression,
    )
    np.testing.assert_array_equal(whole(path), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("mode", ["P", "YCbCr", "LA", "L", "RGBA"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_what_pillow_writes(tmp_path: Path, mode: str, compression: str | None) -> None:
    picture = Image.fromarray(PIXELS).convert(mode)
    if mode == "YCbCr" and compression:
        pytest.skip("Pillow writes it with half of the chroma")
    if "A" in mode:
        picture.putalpha(Image.fromarray(np.tile(np.uint8([0, 255]), (130, 75))))
    picture.save(tmp_path / "a.tif", compression=compression)
    expected, actual = np.array(picture.convert("RGB")), whole(tmp_path / "a.tif")
    if "A" in mode:
        expected[:, ::2] = 255
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_ycbcr_that_is_no_jpeg(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    picture = Image.fromarray(PIXELS).convert("YCbCr")
    path = tiff(tmp_path / "a.tif", np.asarray(picture), photometric="ycbcr", tile=tile)
    np.testing.assert_array_equal(whole(path), np.asarray(picture.convert("RGB")))
    with tifffile.TiffFile(path) as file:
        tags = file.pages.first.tags
        black_white, subsampling = tags[532].valueoffset, tags[530].offset
    content = path.read_bytes()
    narrow = bytearray(content)  # of video: luma from 16
    narrow[black_white : black_white + 4] = (16).to_bytes(4, "little")
    path.write_bytes(narrow)
    assert "YCBCR" in error_of(path)
    halved = bytearray(content)
    halved[subsampling + 8 : subsampling + 12] = b"\2\0\2\0"
    path.write_bytes(halved)
    assert "YCBCR" in error_of(path)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_grey_with_alpha_is_over_white(tmp_path: Path, kind: str) -> None:
    alpha = np.full_like(GREY, 255)
    alpha[:, :50] = 0
    colour = GREY if kind == "unassalpha" else np.minimum(GREY, alpha)
    pixels = np.dstack([colour, alpha])
    options: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    actual = whole(tiff(tmp_path / "a.tif", pixels, extrasamples=[kind], tile=TILE, **options))
    assert (actual[:, :50] == 255).all()
    np.testing.assert_array_equal(actual[:, 50:], np.repeat(GREY[:, 50:, None], 3, axis=2))


REFUSED = {
    "palette of 4 bits": ({"photometric": "palette", "bitspersample": 4}, "4-bit"),
    "cielab": ({"pixels": PIXELS, "photometric": "cielab"}, "CIELAB"),
    "RGB of 5 samples": (
        {"pixels": np.dstack([PIXELS, PIXELS[..., :2]]), "extrasamples": [0, 0]},
        "5 channels",
    ),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_other_colours_are_named(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    if options.get("photometric") == "palette":
        Image.fromarray(PIXELS).quantize(16).save(tmp_path / "a.tif", bits=4)
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            tag = file.pages.first.tags[258].offset
        content = bytearray((tmp_path / "a.tif").read_bytes())
        content[tag + 8] = 4
        (tmp_path / "a.tif").write_bytes(content)
    else:
        tiff(tmp_path / "a.tif", **options)
    line = error_of(tmp_path / "a.tif")
    assert said in line
    assert "convert it to 8-bit RGB" in line
