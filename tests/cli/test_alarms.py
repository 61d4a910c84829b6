"""`midog alarms` as typed: one source, one file, one line for what is wrong."""

from __future__ import annotations

import pytest

from midog.data.candidates import read_candidates
from tests.planted import draw_planted, save_detector
from tests.spoiled import one_line

pytestmark = pytest.mark.usefixtures("dark_spots")


def test_detections_that_exist_are_listed_with_their_origin(midog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_planted(tmp_path / "data")
    save_detector(tmp_path / "m", ["001.tiff"])
    words = ["--subset", "train", "--model", "m", "--out", "d", "--device", "cpu"]
    assert midog("infer", "data", *words).code == 0
    ran = midog("alarms", "--data", "data", "--detections", "d", "--out", "new/c.csv")
    assert ran.code == 0, ran.err
    assert ran.out == "new/c.csv\n"
    assert "24 detections: 12 of figures, 12 false alarms, 9 of these out of fold" in ran.err
    assert "next: midog train --task verify --candidates new/c.csv --detector RUN" in ran.err
    origins = {one.file_name: one.origin for one in read_candidates(tmp_path / "new" / "c.csv")}
    assert origins == {"001.tiff": "in-fold"} | dict.fromkeys(
        ("002.tiff", "003.tiff", "004.tiff"), "out-of-fold"
    )
    again = one_line(midog("alarms", "--data", "data", "--detections", "d", "--out", "new/c.csv"))
    assert "new/c.csv exists already; choose another --out, or --overwrite" in again
    more = ["--detections", "d", "--out", "new/c.csv", "--overwrite"]
    assert midog("alarms", "--data", "data", *more).code == 0


@pytest.mark.parametrize("words", [[], ["--folds", 2, "--model", "m"]])
def test_one_source_is_asked_for(midog, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    line = one_line(midog("alarms", *words))
    assert "one of three sources; give --folds, --model or --detections" in line
    assert list(tmp_path.iterdir()) == []
