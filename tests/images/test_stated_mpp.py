"""The mpp that files state, in tags, OME-XML or dpi, and where it counts as unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from midog.images.image import open_image
from tests.images.pictures import PIXELS, TILE, tiff


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
