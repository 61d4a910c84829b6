"""Files of truth found for slides."""

from __future__ import annotations

import logging

import pytest

from midog.errors import DataError
from midog.heatmap.truth_of_slides import TruthOfSlides
from tests.heatmap.drawn import TUMOUR, write_xml


def test_truth_lies_by_the_slide_s_name(tmp_path, caplog):
    slides = [tmp_path / "a.tif", tmp_path / "b.svs"]
    file = write_xml(tmp_path / "truth" / "a.xml", [TUMOUR])
    with caplog.at_level(logging.WARNING, "midog"):
        own = TruthOfSlides.at(tmp_path / "truth", slides)
    assert own.files == {slides[0]: file}
    assert "no truth of 1 of 2 slides, such as b.svs" in caplog.text
    assert own.open(slides[1], (1300, 900)) is None
    with own.open(slides[0], (1300, 900)) as truth:
        assert truth.contains([[400, 300], [10, 10]]).tolist() == [True, False]


def test_a_file_is_of_one_slide(tmp_path):
    file, slide = write_xml(tmp_path / "any.xml", [TUMOUR]), tmp_path / "a.tif"
    assert TruthOfSlides.at(file, [slide]).files == {slide: file}
    with pytest.raises(DataError, match="one file, and there are 2 slides"):
        TruthOfSlides.at(file, [slide, tmp_path / "b.tif"])


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="no does not exist"):
        TruthOfSlides.at(tmp_path / "no", [tmp_path / "a.tif"])
    with pytest.raises(DataError, match=r"has no truth of a\.tif"):
        TruthOfSlides.at(tmp_path, [tmp_path / "a.tif"])
