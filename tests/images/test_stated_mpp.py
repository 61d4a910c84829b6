"""The mpp that files state, in tags, descriptions, OME-XML, dpi or properties, each in its unit."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from midog.images.image import open_image
from midog.images.stated_mpp import mpp_of_picture, mpp_of_slide, mpp_of_tiff
from midog.mpp import settle
from tests.images.pictures import PIXELS, TILE, tiff


def cm(mpp: float) -> float:
    return 10000 / mpp


def stated(path: Path) -> Any:
    """What holds, as pytest compares it; None for nothing."""
    with open_image(path) as image:
        return image.mpp


def nearly(x: float | None, y: float | None = None, rel: float = 1e-5) -> Any:
    return None if x is None else pytest.approx((x, x if y is None else y), rel=rel)


RESOLUTION = {
    "centimetre": ((40000, 40000), "CENTIMETER", nearly(0.25)),
    "inch": ((50800, 50800), "INCH", nearly(0.5)),
    "millimetre": ((4000, 4000), "MILLIMETER", nearly(0.25)),
    "micrometre": ((4, 4), "MICROMETER", nearly(0.25)),
    "square to 0.01 %": ((cm(0.25), cm(0.25002)), "CENTIMETER", nearly(0.25001)),
    "nearly square": ((cm(0.25), cm(0.251)), "CENTIMETER", nearly(0.25, 0.251)),
    "not square": ((cm(0.25), cm(0.5)), "CENTIMETER", nearly(0.25, 0.5)),
    "far from square": ((cm(0.25), cm(1.25)), "CENTIMETER", None),
    "2.5": ((4000, 4000), "CENTIMETER", nearly(2.5)),
    "25": ((400, 400), "CENTIMETER", None),
    "0.001": ((1e7, 1e7), "CENTIMETER", None),
    "72 dpi": ((72, 72), "INCH", None),
    "96 dpi": ((96, 96), "INCH", None),
    "1": ((1, 1), "INCH", None),
    "no unit": ((40000, 40000), "NONE", None),
    "zero": (((0, 1), (0, 1)), "INCH", None),
    "none": (None, None, None),
}


@pytest.mark.parametrize(("resolution", "unit", "mpp"), RESOLUTION.values(), ids=RESOLUTION.keys())
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_mpp_of_resolution_tags(
    tmp_path: Path, resolution: Any, unit: Any, mpp: Any, tile: Any
) -> None:
    options = {} if resolution is None else {"resolution": resolution, "resolutionunit": unit}
    assert stated(tiff(tmp_path / "a.tiff", tile=tile, **options)) == mpp


IMAGEJ = {
    "um": "unit=um",
    "micron": "unit=micron",
    "escaped": "unit=\\u00B5m",
    "QuPath": "images=1\nunit=um\nspacing=1.0\nloop=false",
}


@pytest.mark.parametrize("lines", IMAGEJ.values(), ids=IMAGEJ.keys())
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
@pytest.mark.parametrize("unit", ["NONE", "INCH"])
def test_imagej_states_the_unit_of_the_tags(
    tmp_path: Path, lines: str, tile: Any, unit: str
) -> None:
    text = {"description": f"ImageJ=1.53t\n{lines}\n", "metadata": None}
    options = {"resolution": (4, 2), "resolutionunit": unit, "tile": tile, **text}
    assert stated(tiff(tmp_path / "a.tif", **options)) == nearly(0.25, 0.5)


@pytest.mark.parametrize(
    ("lines", "counts", "mpp"),
    [
        ("unit=mm", (4000, 4000), nearly(0.25)),
        ("unit=cm", (40000, 40000), nearly(0.25)),
        ("unit=nm", (0.004, 0.004), nearly(0.25)),
        ("unit=inch", (101600, 101600), nearly(0.25)),
        ("unit=um\nyunit=nm", (4, 0.004), nearly(0.25)),
        ("unit=pixel", (4, 4), None),
        ("unit=", (4, 4), None),
        ("images=1", (4, 4), None),
    ],
)
def test_units_of_imagej(tmp_path: Path, lines: str, counts: Any, mpp: Any) -> None:
    text = {"description": f"ImageJ=1.53t\n{lines}\n", "metadata": None}
    path = tiff(tmp_path / "a.tif", resolution=counts, resolutionunit="NONE", **text)
    assert stated(path) == mpp


def test_a_density_of_screens_that_imagej_kept_is_none_of_a_microscope(tmp_path: Path) -> None:
    text = {"description": "ImageJ=1.53t\nunit=inch\n", "metadata": None}
    with open_image(tiff(tmp_path / "a.tif", resolution=(72, 72), **text)) as image:
        assert image.stated_mpp.out_of_range is None
        assert str(image.stated_mpp.refused).startswith("its ImageJ resolution states 72 dpi")


def test_imagej_itself_as_tifffile_writes_it(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", PIXELS, imagej=True, resolution=(4, 4), metadata={"unit": "um"}
    )
    assert stated(tmp_path / "a.tif") == (0.25, 0.25)


@pytest.mark.parametrize("number", ["0.2500", "0,25", "2.5e-1"])
def test_aperios_description_counts_in_a_file_that_openslide_does_not_read(
    tmp_path: Path, number: str
) -> None:
    text = f"Aperio Image Library v11.2.1 \r\n64x64 [0,0] |AppMag = 40|MPP = {number}|Left = 3"
    assert stated(tiff(tmp_path / "a.tif", description=text, metadata=None)) == (0.25, 0.25)


def test_the_power_of_an_objective_is_no_mpp(tmp_path: Path) -> None:
    text = "Aperio Image Library v11.2.1 \r\n64x64 |AppMag = 40"
    for tile in (None, TILE):
        path = tiff(tmp_path / "a.tif", description=text, metadata=None, tile=tile)
        assert stated(path) is None


OME = [
    (0.23, "µm"),
    (230, "nm"),
    (23e-5, "mm"),
    (23e-6, "cm"),
    (2.3e-7, "m"),
    (2300, "Å"),
    (230000, "pm"),
    (0.23 / 25400, "in"),
]


@pytest.mark.parametrize(("size", "unit"), OME, ids=[ascii(unit) for _, unit in OME])
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_mpp_of_ome_xml(tmp_path: Path, size: float, unit: str, tile: Any) -> None:
    sizes = {"PhysicalSizeX": size, "PhysicalSizeY": 2 * size} | {
        f"PhysicalSize{axis}Unit": unit for axis in "XY"
    }
    path = tiff(tmp_path / "a.ome.tif", tile=tile, metadata={"axes": "YXS", **sizes})
    assert stated(path) == nearly(0.23, 0.46)


@pytest.mark.parametrize("unit", ["pixel", "reference frame", "furlong"])
def test_ome_xml_in_no_unit_of_length_states_nothing(tmp_path: Path, unit: str) -> None:
    sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "PhysicalSizeXUnit": unit}
    sizes["PhysicalSizeYUnit"] = unit
    assert stated(tiff(tmp_path / "a.ome.tif", metadata={"axes": "YXS", **sizes})) is None


@pytest.mark.parametrize(
    "options", [{}, {"compression": "lzw"}, {"compression": "jpeg"}], ids=["none", "lzw", "jpeg"]
)
@pytest.mark.parametrize("tile", [None, TILE], ids=["striped", "tiled"])
def test_ome_xml_goes_before_the_tags_and_their_difference_is_said(
    tmp_path: Path, options: dict[str, Any], tile: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    resolution = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
    metadata = {"axes": "YXS", **sizes}
    path = tiff(tmp_path / "a.ome.tif", tile=tile, metadata=metadata, **resolution, **options)
    assert stated(path) == (0.5, 0.5)
    line = (
        "a.ome.tif: its OME-XML states 0.5 um per px, its TIFF resolution states 0.25: the former"
    )
    assert line in caplog.text


def test_ome_xml_of_several_images_is_that_of_the_one_that_is_opened(tmp_path: Path) -> None:
    thumbnail = np.zeros((40, 50, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for pixels, size in ((PIXELS, 0.25), (thumbnail, 0.75)):
            sizes = {"PhysicalSizeX": size, "PhysicalSizeY": size}
            file.write(pixels, photometric="rgb", metadata={"axes": "YXS", **sizes})
    assert stated(tmp_path / "a.ome.tif") == (0.25, 0.25)


def test_ome_xml_without_size_leaves_it_to_the_tags(tmp_path: Path) -> None:
    options = {
        "resolution": (40000, 40000),
        "resolutionunit": "CENTIMETER",
        "metadata": {"axes": "YXS"},
    }
    assert stated(tiff(tmp_path / "a.ome.tif", **options)) == nearly(0.25)


@pytest.mark.parametrize(("dpi", "mpp"), [(72, None), (300, None), (50800, 0.5), (101600, 0.25)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_mpp_of_png_and_jpeg_only_where_plausible(
    tmp_path: Path, name: str, dpi: int, mpp: float | None
) -> None:
    if name == "a.jpg" and dpi > 65535:
        pytest.skip("JFIF holds 16 bits")
    Image.fromarray(PIXELS).save(tmp_path / name, dpi=(dpi, dpi))
    assert stated(tmp_path / name) == nearly(mpp, rel=1e-4)


def test_a_png_with_px_of_unequal_sides(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(25400 / 0.25, 25400 / 0.26))
    assert stated(tmp_path / "a.png") == nearly(0.25, 0.26)


def test_a_png_whose_unit_is_unknown_states_nothing(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(50800, 50800))
    data = (tmp_path / "a.png").read_bytes()
    at = data.index(b"pHYs") + 4
    chunk = b"pHYs" + data[at : at + 8] + b"\0"
    changed = data[: at - 4] + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(changed + data[at + 13 :])
    assert stated(tmp_path / "a.png") is None


@pytest.mark.parametrize(
    ("unit", "mpp"), [(1, None), (2, 0.635), (3, 0.25), (4, None), (5, None), (None, 0.635)]
)
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_mpp_of_exif_in_its_unit(tmp_path: Path, name: str, unit: Any, mpp: Any) -> None:
    exif = Image.Exif()
    exif[0x011A] = exif[0x011B] = 40000.0
    if unit is not None:
        exif[0x0128] = unit
    Image.fromarray(PIXELS).save(tmp_path / name, exif=exif)
    assert stated(tmp_path / name) == nearly(mpp)


@pytest.mark.parametrize(("unit", "mpp"), [(0, None), (1, 0.635), (2, 0.25)])
def test_mpp_of_jfif_in_its_unit(tmp_path: Path, unit: int, mpp: Any) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", dpi=(300, 300))
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    at = data.index(b"JFIF\0") + 7
    data[at : at + 5] = struct.pack(">BHH", unit, 40000, 40000)
    (tmp_path / "a.jpg").write_bytes(data)
    assert stated(tmp_path / "a.jpg") == nearly(mpp)


def test_properties_of_a_slide() -> None:
    own = {"openslide.vendor": "hamamatsu", "openslide.mpp-x": "0.23", "openslide.mpp-y": "0.2275"}
    assert settle("a", mpp_of_slide(own)).mpp == (0.23, 0.2275)
    assert settle("a", mpp_of_slide(own | {"openslide.vendor": "generic-tiff"})).mpp is None
    power = {"openslide.vendor": "aperio", "openslide.objective-power": "40"}
    assert settle("a", mpp_of_slide(power)).mpp is None


@pytest.mark.parametrize(
    "name",
    [
        "SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing",
        "PixelSpacing",
        "ImagerPixelSpacing",
    ],
)
def test_dicom_states_mm_between_rows_then_between_columns(name: str) -> None:
    spacing = {f"dicom.{name}[0]": "0.00026", f"dicom.{name}[1]": "0.00025"}
    assert settle("a", mpp_of_slide(spacing)).mpp == pytest.approx((0.25, 0.26))


@pytest.mark.parametrize(
    ("orientation", "mpp"), [(1, (0.25, 0.5)), (3, (0.25, 0.5)), (6, (0.5, 0.25))]
)
def test_a_picture_that_is_turned_has_its_sides_swapped(
    tmp_path: Path, orientation: int, mpp: Any
) -> None:
    tags = [(274, "H", 1, orientation, True)]
    resolution = {"resolution": (cm(0.25), cm(0.5)), "resolutionunit": "CENTIMETER"}
    assert stated(tiff(tmp_path / "a.tif", extratags=tags, **resolution)) == mpp


@pytest.mark.parametrize(("name", "rel"), [("a.bmp", 1e-5), ("a.jp2", 1e-5), ("a.webp", 1e-5)])
def test_mpp_of_further_pictures(tmp_path: Path, name: str, rel: float) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 40000.0, 20000.0, 3
    options = {"dpi": (101600, 50800)} if name == "a.bmp" else {"exif": exif}
    if name == "a.jp2":  # Pillow writes no resolution
        data = jp2_with_resolution(tmp_path / "a.jp2", 4_000_000, 2_000_000)
        (tmp_path / name).write_bytes(data)
    else:
        Image.fromarray(PIXELS).save(tmp_path / name, **options)
    assert stated(tmp_path / name) == nearly(0.25, 0.5, rel=rel)


def jp2_with_resolution(path: Path, x: int, y: int) -> bytes:
    """A JPEG 2000 whose capture resolution is x and y px per metre."""
    Image.fromarray(PIXELS).save(path)
    data = path.read_bytes()
    at = data.index(b"jp2h") - 4
    size = struct.unpack(">I", data[at : at + 4])[0]
    pair = struct.pack(">HHHHBB", y // 1000, 1, x // 1000, 1, 3, 3)
    capture = struct.pack(">I4s", 18, b"resc") + pair
    box = struct.pack(">I4s", 8 + len(capture), b"res ") + capture
    head = struct.pack(">I", size + len(box)) + data[at + 4 : at + size]
    return data[:at] + head + box + data[at + size :]


class Tags(dict[str, Any]):
    """Tags as tifffile gives them."""

    def valueof(self, name: str, default: Any = None) -> Any:
        return self.get(name, default)


NUMBERS = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.tuples(st.integers(0, 2**32), st.integers(0, 2**32)),
    st.just(10**400),
)
WORDS = st.one_of(st.sampled_from(["um", "mm", "\\u00B5m", "pixel", "inch"]), st.text(max_size=6))


@given(NUMBERS, NUMBERS, NUMBERS, WORDS, st.sampled_from(["ImageJ=1\nunit={}", "|MPP = {}", "{}"]))
def test_whatever_tags_and_descriptions_hold_nothing_implausible_comes_of_it(
    x: Any, y: Any, unit: Any, word: str, text: str
) -> None:
    tags = Tags(XResolution=x, YResolution=y, ResolutionUnit=unit)
    page = SimpleNamespace(description=text.format(word), tags=tags, imagewidth=1, imagelength=1)
    held = settle("a", mpp_of_tiff(SimpleNamespace(pages=[page], ome_metadata=None), page))
    assert held.mpp is None or held.mpp.is_plausible
    info = {"jfif_density": (x, y), "jfif_unit": unit}
    exif = {282: x, 283: y, 296: unit}
    picture = SimpleNamespace(info=info, format="JPEG", getexif=lambda: exif)
    held = settle("a", mpp_of_picture(picture))
    assert held.mpp is None or held.mpp.is_plausible
