"""Candidates as a CSV: read as they were written, and every wrong line named."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from midog.data.candidates import Candidate, read_candidates, require_rois, write_candidates
from midog.errors import DataError

MADE = [
    Candidate("001.tiff", 12.5, 80.0, "mitotic figure", "annotation"),
    Candidate("case 2/y.tiff", 3000.125, 7, "non-mitotic figure", "out-of-fold", 0.25),
    Candidate("=1+1.tiff", -3, 7, "non-mitotic figure", "in-fold", 1.0),
]


def test_they_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "new" / "candidates.csv"
    write_candidates(path, MADE)
    assert path.read_text().splitlines()[:2] == [
        "file_name,x,y,label,origin,score",
        "001.tiff,12.5,80,mitotic figure,annotation,",
    ]
    assert "'=1+1.tiff" in path.read_text(), "no spreadsheet takes it for a formula"
    candidates = read_candidates(path)
    assert [one[:5] for one in candidates] == [one[:5] for one in MADE]
    assert math.isnan(candidates[0].score)
    assert [one.score for one in candidates[1:]] == [0.25, 1.0]


def test_none_are_a_header_alone(tmp_path):
    write_candidates(tmp_path / "none.csv", [])
    assert read_candidates(tmp_path / "none.csv") == []


def test_origin_and_score_may_be_missing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("y,x,file_name,label\n2,1,.\\a.tiff,mitotic figure\n")
    (candidate,) = read_candidates(path)
    assert candidate[:5] == ("a.tiff", 1.0, 2.0, "mitotic figure", "unknown")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file_name,x,y\na.tiff,1,2\n", "has no column label"),
        ("file_name,x,y,label\na.tiff,1,,f\n", "line 2: y '' is no number"),
        ("file_name,x,y,label\na.tiff,1,nan,f\n", "line 2: y 'nan' is no number"),
        ("file_name,x,y,label\n,1,2,f\n", "line 2 has no file_name"),
        ("file_name,x,y,label,origin\na.tiff,1,2,f,fold\n", "origin 'fold' is none of annotation"),
        ("file_name,x,y,label,score\na.tiff,1,2,f,7\n", "score 7 is not within 0 to 1"),
        ("", "has no column"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, says):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        read_candidates(path)


def test_candidates_of_other_images_are_an_error():
    with pytest.raises(DataError, match=r"a\.csv lists candidates in 2 files .*=1\+1\.tiff"):
        require_rois(MADE, ["001.tiff"], Path("a.csv"))
    require_rois(MADE[:1], ["001.tiff", "002.tiff"], Path("a.csv"))
