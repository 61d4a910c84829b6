"""TIFFs of every layout: their pixels and levels, and what damaged ones get."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from midog.errors import ImageError
from midog.images.image import open_image
from midog.images.pixels import Pixels
from tests.images.pictures import BIG, LOSSLESS, PIXELS, TILE, error_of, tiff, whole


@pytest.mark.parametrize("options", LOSSLESS.values(), ids=LOSSLESS.keys())
def test_a_lossless_tiff_gives_the_pixels_that_were_written(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    with open_image(tiff(tmp_path / "a.tiff", **options)) as image:
        assert (image.width, image.height) == (150, 130)
        pixels = image.read(0, 0, 150, 130)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, PIXELS)


@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_a_planar_tiff(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    planes = np.ascontiguousarray(np.moveaxis(PIXELS, 2, 0))
    path = tiff(tmp_path / "a.tiff", planes, planarconfig="separate", tile=tile)
    np.testing.assert_array_equal(whole(path), PIXELS)


@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
@pytest.mark.parametrize("kind", ["minisblack", "miniswhite"])
def test_a_grey_tiff_becomes_rgb(tmp_path: Path, kind: str, tile: tuple[int, int] | None) -> None:
    grey = PIXELS[..., 0] if kind == "minisblack" else 255 - PIXELS[..., 0]
    path = tiff(tmp_path / "a.tiff", grey, photometric=kind, tile=tile)
    np.testing.assert_array_equal(whole(path), np.repeat(PIXELS[..., :1], 3, axis=2))


@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_transparency_in_a_tiff_is_white(
    tmp_path: Path, kind: str, tile: tuple[int, int] | None
) -> None:
    alpha = np.zeros(PIXELS.shape[:2], np.uint8)
    alpha[:, 50:] = 255
    alpha[:, 100:] = 128
    colours = (
        PIXELS if kind != "assocalpha" else (PIXELS * (alpha[..., None] / 255)).astype(np.uint8)
    )
    path = tiff(tmp_path / "a.tiff", np.dstack([colours, alpha]), extrasamples=[kind], tile=tile)
    actual = whole(path)
    if kind == "unspecified":  # a fourth channel that nobody calls alpha is none
        np.testing.assert_array_equal(actual, PIXELS)
        return
    assert (actual[:, :50] == 255).all()
    np.testing.assert_array_equal(actual[:, 50:100], PIXELS[:, 50:100])
    expected = PIXELS[:, 100:] * (128 / 255) + 127
    assert np.abs(actual[:, 100:] - expected).max() <= 1


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}], ids=["none", "lzw"])
def test_a_tiled_tiff_reads_as_openslide_reads_it(tmp_path: Path, options: dict[str, Any]) -> None:
    resolution = {"resolution": (40000, 39990), "resolutionunit": "CENTIMETER"}
    path = tiff(tmp_path / "a.tiff", tile=TILE, **resolution, **options)
    with openslide.OpenSlide(path) as slide, open_image(path) as image:
        expected = np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))
        np.testing.assert_array_equal(image.read(0, 0, 150, 130), expected)
        stated = [float(slide.properties[f"openslide.mpp-{axis}"]) for axis in "xy"]
        assert image.mpp == pytest.approx(stated, rel=1e-12)


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "jpeg"])
@pytest.mark.parametrize("layout", ["tiles", "strips", "planes", "three pages"])
@pytest.mark.parametrize("what", ["ByteCounts", "Offsets"])
def test_a_part_that_is_left_out_is_white(
    tmp_path: Path, layout: str, compression: str | None, what: str
) -> None:
    if (layout, compression) == ("planes", "jpeg"):
        pytest.skip("tifffile decodes no such file")
    options: dict[str, Any] = {"rowsperstrip": 32} if layout == "strips" else {"tile": TILE}
    if "p" in layout and layout != "strips":
        planes = np.ascontiguousarray(np.moveaxis(PIXELS, 2, 0))
        options |= (
            {"pixels": planes, "planarconfig": "separate"}
            if layout == "planes"
            else {"pixels": planes, "photometric": "minisblack", "metadata": {"axes": "CYX"}}
        )
    name = "a.ome.tif" if layout == "three pages" else "a.tif"
    path = tiff(tmp_path / name, compression=compression, **options)
    before = whole(path).copy()
    with tifffile.TiffFile(path) as file:
        tags = [page.aspage().tags for page in file.pages]
        places = [page.get(f"Tile{what}") or page[f"Strip{what}"] for page in tags]
    content = bytearray(path.read_bytes())
    for place in places:
        size = place.valuebytecount // place.count
        for part in range(0, place.count, place.count // (3 if layout == "planes" else 1)):
            start = place.valueoffset + part * size
            content[start : start + size] = bytes(size)
    path.write_bytes(content)
    after = whole(path)
    rows, columns = (32, 150) if layout == "strips" else TILE
    assert (after[:rows, :columns] == 255).all()
    np.testing.assert_array_equal(after[rows:], before[rows:])
    np.testing.assert_array_equal(after[:, columns:], before[:, columns:])


def test_openslide_chooses_among_the_pages_of_a_tiled_tiff(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tiff") as file:
        file.write(PIXELS, photometric="rgb", tile=TILE)
        file.write(BIG, photometric="rgb", tile=TILE, subfiletype=1)
    np.testing.assert_array_equal(whole(tmp_path / "a.tiff"), BIG)


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "webp"])
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_a_compressed_tiff_reads_as_tifffile_reads_it(
    tmp_path: Path, compression: str, tile: tuple[int, int] | None
) -> None:
    path = tiff(tmp_path / "a.tiff", compression=compression, tile=tile)
    np.testing.assert_array_equal(whole(path), tifffile.imread(path))
    assert np.abs(whole(path).astype(int) - PIXELS).mean() < 8


# Levels


def half(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[::2, ::2])


def pyramid(path: Path, tile: tuple[int, int] | None, **options: Any) -> list[Pixels]:
    """Write three levels, as sub-IFDs in an OME TIFF, else as pages; give their pixels."""
    levels = [BIG[:608, :704], half(BIG[:608, :704]), half(half(BIG[:608, :704]))]
    common = {"photometric": "rgb", "tile": tile, **options}
    ome = path.name.endswith(".ome.tif")
    with tifffile.TiffWriter(path, ome=ome) as file:
        metadata: dict[str, Any] = {"metadata": {"axes": "YXS"}} if ome else {"metadata": None}
        file.write(levels[0], subifds=2 if ome else None, **common, **metadata)
        for level in levels[1:]:
            file.write(level, subfiletype=1, **common, metadata=None)
    return levels


@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
@pytest.mark.parametrize("compression", [None, "deflate", "jpeg"])
@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_levels_of_a_pyramid(
    tmp_path: Path, name: str, compression: str | None, tile: tuple[int, int] | None
) -> None:
    levels = pyramid(tmp_path / name, tile, compression=compression)
    with open_image(tmp_path / name) as image:
        sizes = [(level.shape[1], level.shape[0]) for level in levels]
        assert [level.size for level in image.levels] == sizes
        assert [level.downsample for level in image.levels] == pytest.approx([1, 2, 4], rel=0.01)
        for number, pixels in enumerate(levels):
            actual = image.read(-5, 7, 100, 90, number)
            assert (actual[:, :5] == 255).all()
            apart = np.abs(actual[:, 5:].astype(int) - pixels[7:97, :95])
            assert apart.max() == 0 if compression != "jpeg" else apart.mean() < 8


def test_a_level_in_another_layout_is_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(BIG, photometric="rgb", subifds=1, metadata=None)
        file.write(half(BIG).astype(np.uint16), photometric="rgb", subfiletype=1, metadata=None)
    with open_image(tmp_path / "a.tif") as image:
        assert [level.size for level in image.levels] == [(700, 620)]


def test_an_overview_reads_no_pixel_of_level_0(tmp_path: Path) -> None:
    pyramid(tmp_path / "a.ome.tif", TILE, compression="deflate")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        page = file.series[0].keyframe
        start, count = page.dataoffsets[0], sum(page.databytecounts)
    with open_image(tmp_path / "a.ome.tif") as image:
        expected = image.overview(1 / 8)
    with (tmp_path / "a.ome.tif").open("r+b") as damaged:
        damaged.seek(start)
        damaged.write(bytes(count))
    with open_image(tmp_path / "a.ome.tif") as image:
        with pytest.raises(ImageError):
            image.read(0, 0, 10, 10)
        np.testing.assert_array_equal(image.overview(1 / 8), expected)


def test_a_file_that_ends_within_a_level_is_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    pyramid(path, TILE, compression="deflate")
    with tifffile.TiffFile(path) as file:
        page = file.series[0].levels[2].keyframe
        place = page.tags["TileOffsets"]
        offset = place.valueoffset + 4 * (place.count - 1)
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = struct.pack("<I", len(content) - 1)
    path.write_bytes(content)
    assert "cut short" in error_of(path)


# Bad files


LAYOUTS = {
    "16-bit": ({"pixels": PIXELS.astype(np.uint16)}, "16-bit"),
    "16-bit tiled": ({"pixels": PIXELS.astype(np.uint16), "tile": TILE}, "16-bit"),
    "float": ({"pixels": PIXELS.astype(np.float32), "tile": TILE}, "float32"),
    "signed": ({"pixels": PIXELS.astype(np.int8)}, "int8"),
    "1-bit": ({"pixels": PIXELS[..., 0] > 128, "photometric": "minisblack"}, "1-bit"),
    "stack": ({"pixels": np.stack([PIXELS, PIXELS]), "tile": TILE}, "planes"),
    "channels": (
        {"pixels": np.moveaxis(PIXELS, 2, 0).copy(), "photometric": "minisblack"},
        "planes",
    ),
    "two": (
        {"pixels": PIXELS[..., :2], "photometric": "minisblack", "planarconfig": "contig"},
        "2 channels",
    ),
    "cmyk": (
        {"pixels": np.dstack([PIXELS, PIXELS[..., 0]]), "photometric": "separated"},
        "SEPARATED",
    ),
}


@pytest.mark.parametrize(("options", "said"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_layout_that_is_not_read_is_named(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    line = error_of(tiff(tmp_path / "a.tiff", **options))
    assert said in line
    assert "convert it to 8-bit RGB" in line


KINDS = {
    **LOSSLESS,
    "jpeg": {"tile": TILE, "compression": "jpeg"},
    "striped jpeg": {"compression": "jpeg"},
}
CUTS = [0.0005, 0.002, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS.keys())
def test_a_tiff_cut_short_anywhere_is_an_error(
    tmp_path: Path, options: dict[str, Any], cut: float
) -> None:
    path = tiff(tmp_path / "a.tiff", BIG, **options)
    content = path.read_bytes()
    path.write_bytes(content[: min(int(len(content) * cut), len(content) - 1)])
    error_of(path)


@pytest.mark.parametrize("cut", CUTS)
def test_a_tiff_with_its_directory_at_the_end_cut_short(tmp_path: Path, cut: float) -> None:
    path = tmp_path / "a.tiff"
    Image.fromarray(BIG).save(path, compression="tiff_lzw")
    content = path.read_bytes()
    assert struct.unpack("<I", content[4:8])[0] > len(content) * 0.9
    path.write_bytes(content[: min(int(len(content) * cut), len(content) - 1)])
    error_of(path)


def test_a_jpeg_tile_that_lacks_its_last_bytes(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tiff", BIG, tile=TILE, compression="jpeg")
    with tifffile.TiffFile(path) as file:
        end = file.pages[0].dataoffsets[5] + file.pages[0].databytecounts[5]
    with path.open("r+b") as file:
        file.seek(end - 2)
        file.write(bytes(2))
    assert "cannot be decoded, in the tile at x 320 to 384, y 0 to 64" in error_of(path)


def test_a_tiff_of_which_the_rest_is_zeros(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tiff", BIG, tile=TILE, compression="jpeg")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    error_of(path)
