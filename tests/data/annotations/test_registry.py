"""READERS: whole entries, light to import, and words made from them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from midog.data.annotations.reader import AnnotationFile
from midog.data.annotations.registry import READERS, formats_in_words
from tests.data.annotations.test_sliderunner import write_database

EXAMPLES = {
    "midog_coco_json": ("a.json", '{"images": [], "categories": [], "annotations": []}'),
    "csv_points": ("a.csv", "file_name,x,y,label\n"),
    "csv_boxes": ("a.csv", "file_name,x1,y1,x2,y2,label\n"),
    "geojson": ("a.geojson", '{"type": "FeatureCollection", "features": []}'),
    "sliderunner": ("a.sqlite", ""),
    "tupac16": ("a.csv", ""),
    "mitos14": ("a.csv", ""),
}


def test_every_format_has_an_example_that_it_alone_takes_and_reads(tmp_path: Path):
    assert set(EXAMPLES) == set(READERS)
    for key, (name, text) in EXAMPLES.items():
        path = tmp_path / name
        path.write_text(text)
        if key == "sliderunner":
            path.unlink()
            write_database(path)
        file = AnnotationFile(path, text, is_database=key == "sliderunner")
        takers = [other for other, reader in READERS.items() if reader.takes(file)]
        assert takers == ([] if READERS[key].asked else [key])
        annotations, problems = READERS[key].read(file, "auto")
        assert (annotations.rois, problems) == ([], [])
        assert path.name.endswith(READERS[key].suffixes)


def test_the_words_list_every_format(monkeypatch):
    new = replace(READERS["csv_points"], name="toy", words="a line each")
    monkeypatch.setitem(READERS, "toy", new)
    words = formats_in_words()
    assert words.endswith(" or toy (a line each)")
    shown = {
        f"{reader.name} ({reader.words})" in words
        for reader in READERS.values()
        if not reader.asked
    }
    assert shown == {True}, "what has to be asked for is named where it is recognised"


def test_the_registry_needs_no_numpy():
    code = "import sys, midog.data.annotations.registry; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("key", READERS)
def test_names_and_words_stand_on_one_line(key):
    assert "\n" not in READERS[key].name + READERS[key].words
