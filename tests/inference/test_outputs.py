"""Detections of two models, thresholds or um/px are never mixed in one folder, however a run before ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.errors import DetectionsError
from midog.inference.outputs import OutputFolder

A, B = {"weights": "aaaa", "threshold": 0.5}, {"weights": "bbbb", "threshold": 0.5}


def fill(
    path: Path, settings: dict, stems: list[str], mpp: float | None = None, overwrite: bool = False
) -> OutputFolder:
    """Write a file for each stem, as a detector of these settings would."""
    folder = OutputFolder(path, settings, stems, overwrite=overwrite)
    for stem in stems:
        if not folder.is_done(stem, mpp, ["challenge"]):
            folder.begin(stem, mpp)
            (path / f"{stem}.json").write_text(settings["weights"])
            folder.finish(stem, mpp)
    return folder


def test_done_images_are_known_again(tmp_path):
    fill(tmp_path, A, ["1", "2"])
    again = OutputFolder(tmp_path, A, ["1", "2", "3"], overwrite=False)
    assert [again.is_done(stem, None, ["challenge"]) for stem in "123"] == [True, True, False]
    assert not again.is_done("1", None, ["challenge", "csv"]), "the CSV is not there"
    assert not OutputFolder(tmp_path, A, ["1"], overwrite=True).is_done("1", None, ["challenge"])


def test_another_model_is_refused_unless_it_overwrites_all(tmp_path):
    fill(tmp_path, A, ["1", "2"])
    with pytest.raises(DetectionsError, match="made with another weights; choose another --out, or --overwrite"):
        OutputFolder(tmp_path, B, ["1", "2"], overwrite=False)
    with pytest.raises(DetectionsError, match="holds detections of 1 other images"):
        OutputFolder(tmp_path, B, ["1"], overwrite=True)
    assert (tmp_path / "2.json").read_text() == "aaaa"
    fill(tmp_path, B, ["1", "2"], overwrite=True)
    assert {path.read_text() for path in tmp_path.glob("[0-9].json")} == {"bbbb"}


def test_an_overwriting_that_stops_leaves_no_file_of_the_other_model(tmp_path):
    fill(tmp_path, A, ["1", "2"])
    folder = OutputFolder(tmp_path, B, ["1", "2"], overwrite=True)
    folder.begin("1", None)
    again = OutputFolder(tmp_path, B, ["1", "2"], overwrite=False)
    assert not again.is_done("1", None, ["challenge"])
    assert not again.is_done("2", None, ["challenge"])
    assert list(tmp_path.glob("[0-9].json")) == []


def test_another_mpp_is_done_again(tmp_path):
    folder = fill(tmp_path, A, ["1"], mpp=0.25)
    assert folder.is_done("1", 0.25, ["challenge"])
    assert not folder.is_done("1", 0.5, ["challenge"])
    assert not folder.is_done("1", None, ["challenge"])
    folder.begin("1", 0.5)
    assert not (tmp_path / "1.json").exists(), "what then fails is not taken for done"


def test_files_of_a_stranger_are_not_taken_for_done(tmp_path):
    (tmp_path / "1.json").write_text("theirs")
    assert not OutputFolder(tmp_path, A, ["1"], overwrite=False).is_done("1", None, ["challenge"])
    (tmp_path / ".midog-infer.json").write_text("{")
    assert not OutputFolder(tmp_path, A, ["1"], overwrite=False).is_done("1", None, ["challenge"])
