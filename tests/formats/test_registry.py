"""An entry holds all of a format: name, ending, writer and reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from midog.boxes import Boxes
from midog.errors import DetectionsError
from midog.formats.registry import (
    FORMATS,
    DetectedImage,
    can_be_scored,
    readers,
    require_formats,
)
from tests.formats.cases import SOME


def test_endings_tell_the_formats_of_one_image_apart() -> None:
    names = [
        "challenge",
        "csv",
        "coco",
        "overlay",
        "geojson",
        "geojson.gz",
        "hotspot",
        "hotspot.csv",
        "density",
    ]
    assert list(FORMATS) == names
    assert len({entry.ending for entry in FORMATS.values()}) == len(names)


def image(**changes: object) -> DetectedImage:
    values = {
        "file_name": "001.tiff",
        "width": 400,
        "height": 350,
        "mpp": 0.25,
        "threshold": 0.5,
        "detections": SOME,
        "truth": Boxes(),
        "rows": lambda scale: iter([(0, np.zeros((350, 400, 3), np.uint8))]),
    }
    return DetectedImage(**values | changes)


@pytest.mark.parametrize("name", FORMATS)
def test_an_entry_writes_a_file_and_what_can_be_scored_reads_back(tmp_path: Path, name) -> None:
    entry, path = FORMATS[name], tmp_path / "new" / f"001{FORMATS[name].ending}"
    entry.write(path, image())
    assert [inside.name for inside in path.parent.iterdir()] == [path.name]
    assert can_be_scored(path) == (entry.read is not None)
    if entry.read is not None:
        assert len(entry.read(path).scores) == 3, "class 2 is no figure"
        assert (entry.ending, entry.read) in readers()


def test_only_pictures_read_the_pixels(tmp_path: Path) -> None:
    def rows(scale: float) -> None:
        raise DetectionsError("read")

    for name, entry in FORMATS.items():
        if name in ("overlay", "density"):
            with pytest.raises(DetectionsError, match="read"):
                entry.write(tmp_path / name, image(rows=rows))
        else:
            entry.write(tmp_path / name, image(rows=rows))


def test_the_longest_ending_decides() -> None:
    names = ("a.json", "a.JSON", "a.coco.json", "a.txt", "coco.json")
    assert [can_be_scored(Path(name)) for name in names] == [True, True, False, False, True]


def test_a_format_may_remark_on_a_size_before_the_work() -> None:
    remarks = {name: entry.remark for name, entry in FORMATS.items() if entry.remark is not None}
    assert list(remarks) == ["overlay"]
    assert remarks["overlay"](7000, 5000) == ""
    assert "times smaller" in remarks["overlay"](70_000, 5000)


def test_unknown_formats_and_none_are_errors_that_list_all() -> None:
    for names, shown in ((["csv", "jason"], "jason"), ([], r"\(none\)")):
        with pytest.raises(
            DetectionsError, match=f"unknown format {shown}; choose from challenge, csv, coco"
        ):
            require_formats(names)
    require_formats(list(FORMATS))


def test_the_registry_alone_needs_no_heavy_library() -> None:
    heavy = ("numpy", "PIL", "torch", "scipy")
    code = (
        "import sys, midog.formats.registry;"
        f" print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
