"""Images of every kind that users bring: size, mpp, pixels; and what bad files get."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from midog.errors import ImageError
from midog.images.image import decode, open_image
from midog.images.open_file import Pixels
from tests.data.pictures import BIG, PIXELS, TILE, tiff


def whole(path: Path) -> Pixels:
    with open_image(path) as image:
        return image.read(0, 0, image.width, image.height)


# What can be opened


LOSSLESS = {
    "striped": {},
    "strips of 16 rows": {"rowsperstrip": 16},
    "tiled": {"tile": TILE},
    "deflate": {"tile": TILE, "compression": "deflate", "predictor": True},
    "striped lzw": {"compression": "lzw"},
    "big tiff": {"bigtiff": True, "tile": TILE},
    "big endian": {"byteorder": ">"},
}


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
    found = whole(path)
    if kind == "unspecified":  # a fourth channel that nobody calls alpha is none
        np.testing.assert_array_equal(found, PIXELS)
        return
    assert (found[:, :50] == 255).all()
    np.testing.assert_array_equal(found[:, 50:100], PIXELS[:, 50:100])
    expected = PIXELS[:, 100:] * (128 / 255) + 127
    assert np.abs(found[:, 100:] - expected).max() <= 1


@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}], ids=["none", "lzw"])
def test_a_tiled_tiff_reads_as_openslide_reads_it(tmp_path: Path, options: dict[str, Any]) -> None:
    resolution = {"resolution": (40000, 39990), "resolutionunit": "CENTIMETER"}
    path = tiff(tmp_path / "a.tiff", tile=TILE, **resolution, **options)
    with openslide.OpenSlide(path) as slide, open_image(path) as image:
        expected = np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))
        np.testing.assert_array_equal(image.read(0, 0, 150, 130), expected)
        stated = [float(slide.properties[f"openslide.mpp-{axis}"]) for axis in "xy"]
        assert image.mpp == pytest.approx(sum(stated) / 2, rel=1e-12)


@pytest.mark.parametrize("options", [{}, {"compression": "deflate"}], ids=["none", "deflate"])
def test_a_tile_that_is_left_out_is_white(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tiff(tmp_path / "a.tiff", tile=TILE, **options)
    with tifffile.TiffFile(path) as file:
        counts = file.pages[0].tags["TileByteCounts"]
    content = bytearray(path.read_bytes())
    content[counts.valueoffset : counts.valueoffset + counts.valuebytecount // counts.count] = (
        bytes(counts.valuebytecount // counts.count)
    )
    path.write_bytes(content)
    found = whole(path)
    assert (found[:64, :64] == 255).all()
    np.testing.assert_array_equal(found[64:], PIXELS[64:])


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


PICTURES = [("a.png", mode) for mode in ("RGB", "L", "LA", "RGBA", "P", "1")] + [
    ("a.jpg", "RGB"),
    ("a.jpg", "L"),
]


@pytest.mark.parametrize(("name", "mode"), PICTURES)
def test_png_and_jpeg(tmp_path: Path, name: str, mode: str) -> None:
    picture = Image.fromarray(PIXELS).convert(mode)
    if "A" in mode:
        picture.putalpha(Image.fromarray(np.tile(np.uint8([0, 255]), (130, 75))))
    picture.save(tmp_path / name)
    expected = np.asarray(Image.open(tmp_path / name).convert("RGB"))
    found = whole(tmp_path / name)
    if "A" in mode:
        assert (found[:, ::2] == 255).all()
        found, expected = found[:, 1::2], expected[:, 1::2]
    np.testing.assert_array_equal(found, expected)


def test_a_suffix_says_nothing(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tiff")
    np.testing.assert_array_equal(whole(tmp_path / "a.tiff"), PIXELS)


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
        assert image.mpp == pytest.approx(mpp, abs=5e-5)
        expected = other.series[0].asarray()[500:600, 300:500]
        found = image.read(300, 500, 200, 100)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("name", "mpp"), [("001.tiff", 0.25), ("079.tiff", 0.2456)])
def test_real_rois_read_as_tifffile_reads_them(composite: Path, name: str, mpp: float) -> None:
    expected = tifffile.imread(composite / "images" / name)
    with open_image(composite / "images" / name) as image:
        assert image.mpp == pytest.approx(mpp, abs=5e-5)
        np.testing.assert_array_equal(image.read(0, 0, image.width, image.height), expected)
        np.testing.assert_array_equal(image.read(301, 407, 333, 222), expected[407:629, 301:634])


# mpp


def cm(mpp: float) -> float:
    return 10000 / mpp


MPP = {
    "centimetre": ({"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}, 0.25),
    "inch": ({"resolution": (50800, 50800), "resolutionunit": "INCH"}, 0.5),
    "nearly square": (
        {"resolution": (cm(0.25), cm(0.251)), "resolutionunit": "CENTIMETER"},
        0.2505,
    ),
    "not square": ({"resolution": (cm(0.25), cm(0.26)), "resolutionunit": "CENTIMETER"}, None),
    "72 dpi": ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
    "96 dpi": ({"resolution": (96, 96), "resolutionunit": "INCH"}, None),
    "1": ({"resolution": (1, 1), "resolutionunit": "INCH"}, None),
    "no unit": ({"resolution": (40000, 40000), "resolutionunit": "NONE"}, None),
    "zero": ({"resolution": ((0, 1), (0, 1)), "resolutionunit": "INCH"}, None),
    "none": ({}, None),
}


@pytest.mark.parametrize(("options", "mpp"), MPP.values(), ids=MPP.keys())
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_mpp_of_resolution_tags(
    tmp_path: Path, options: dict[str, Any], mpp: float | None, tile: Any
) -> None:
    with open_image(tiff(tmp_path / "a.tiff", tile=tile, **options)) as image:
        assert image.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-5))


@pytest.mark.parametrize(
    ("size", "unit", "mpp"), [(0.23, "µm", 0.23), (230, "nm", 0.23), (23e-5, "mm", 0.23)]
)
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_mpp_of_ome_xml(tmp_path: Path, size: float, unit: str, mpp: float, tile: Any) -> None:
    sizes = {f"PhysicalSize{axis}": size for axis in "XY"} | {
        f"PhysicalSize{axis}Unit": unit for axis in "XY"
    }
    with open_image(
        tiff(tmp_path / "a.ome.tif", tile=tile, metadata={"axes": "YXS", **sizes})
    ) as image:
        assert image.mpp == pytest.approx(mpp)


@pytest.mark.parametrize(
    "options", [{}, {"compression": "lzw"}, {"compression": "jpeg"}], ids=["none", "lzw", "jpeg"]
)
def test_the_tags_of_a_tiled_tiff_go_before_its_ome_xml(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    resolution = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
    path = tiff(
        tmp_path / "a.ome.tif",
        tile=TILE,
        metadata={"axes": "YXS", **sizes},
        **resolution,
        **options,
    )
    with open_image(path) as image:
        assert image.mpp == pytest.approx(0.25)


def test_ome_xml_without_size_leaves_it_to_the_tags(tmp_path: Path) -> None:
    options = {
        "resolution": (40000, 40000),
        "resolutionunit": "CENTIMETER",
        "metadata": {"axes": "YXS"},
    }
    with open_image(tiff(tmp_path / "a.ome.tif", **options)) as image:
        assert image.mpp == pytest.approx(0.25)


@pytest.mark.parametrize(("dpi", "mpp"), [(72, None), (300, None), (50800, 0.5)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_mpp_of_png_and_jpeg_only_where_plausible(
    tmp_path: Path, name: str, dpi: int, mpp: float | None
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name, dpi=(dpi, dpi))
    with open_image(tmp_path / name) as image:
        assert image.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-4))


# Bad files


def error_of(path: Path) -> str:
    """The line a user sees, whether opening or reading finds it."""
    with pytest.raises(ImageError) as caught:
        whole(path)
    line = str(caught.value)
    assert "\n" not in line
    assert path.name in line
    assert "; " in line  # says what to do
    return line


def test_missing_folder_empty_and_text(tmp_path: Path) -> None:
    assert "no image file" in error_of(tmp_path / "a.tiff")
    (tmp_path / "folder.tiff").mkdir()
    assert "is a folder" in error_of(tmp_path / "folder.tiff")
    (tmp_path / "b.tiff").touch()
    assert "is empty" in error_of(tmp_path / "b.tiff")
    (tmp_path / "c.tiff").write_text("not an image\n" * 100)
    assert "is not an image" in error_of(tmp_path / "c.tiff")
    Image.fromarray(PIXELS).save(tmp_path / "d.gif")
    assert "is not an image" in error_of(tmp_path / "d.gif")
    with pytest.raises(ImageError, match="no image file"):
        decode(tmp_path / "a.tiff")


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
    "palette": (
        {
            "pixels": PIXELS[..., 0],
            "photometric": "palette",
            "colormap": np.zeros((3, 256), np.uint16),
        },
        "PALETTE",
    ),
    "cmyk": (
        {"pixels": np.dstack([PIXELS, PIXELS[..., 0]]), "photometric": "separated"},
        "SEPARATED",
    ),
    "ycbcr": ({"photometric": "ycbcr", "tile": TILE}, "YCBCR"),
}


@pytest.mark.parametrize(("options", "said"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_layout_that_is_not_read_is_named(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    line = error_of(tiff(tmp_path / "a.tiff", **options))
    assert said in line
    assert "convert it to 8-bit RGB" in line


def test_png_of_16_bit_and_jpeg_of_cmyk(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    for colour_type, channels in ((0, 1), (2, 3), (6, 4)):
        header = struct.pack(">IIBBBBB", 20, 10, 16, colour_type, 0, 0, 0)
        rows = zlib.compress((b"\0" + bytes(20 * channels * 2)) * 10)
        png = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", rows)
            + chunk(b"IEND", b"")
        )
        (tmp_path / "a.png").write_bytes(png)
        assert "16-bit" in error_of(tmp_path / "a.png")
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "a.jpg")
    assert "CMYK" in error_of(tmp_path / "a.jpg")


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


@pytest.mark.parametrize(
    "name", ["CMU-1-Small-Region.svs", "derived_cmc_pyramid.tif", "OS-1-detail.ome.tif"]
)
@pytest.mark.parametrize("cut", [0.1, 0.5])
def test_a_real_slide_cut_short(shared: Path, tmp_path: Path, name: str, cut: float) -> None:
    content = (shared / "data" / "slides" / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * cut)])
    error_of(tmp_path / name)


def test_a_jpeg_tile_that_lacks_its_last_bytes(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tiff", BIG, tile=TILE, compression="jpeg")
    with tifffile.TiffFile(path) as file:
        end = file.pages[0].dataoffsets[5] + file.pages[0].databytecounts[5]
    with path.open("r+b") as file:
        file.seek(end - 2)
        file.write(bytes(2))
    assert "end of JPEG" in error_of(path)


def test_a_tiff_of_which_the_rest_is_zeros(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tiff", BIG, tile=TILE, compression="jpeg")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    error_of(path)


@pytest.mark.parametrize("cut", [0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("name", "options"), [("a.png", {}), ("a.jpg", {}), ("a.jpg", {"progressive": True})]
)
def test_a_png_or_jpeg_cut_short(
    tmp_path: Path, name: str, options: dict[str, Any], cut: float
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name, **options)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * cut)])
    error_of(tmp_path / name)


def test_a_jpeg_that_lacks_its_last_byte(tmp_path: Path) -> None:
    Image.fromarray(BIG).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-1])
    error_of(tmp_path / "a.jpg")


def test_a_picture_too_large_to_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "too large" in error_of(tmp_path / "a.png")
