"""Detections of two models, thresholds or um/px are never mixed in one folder, however a run before
ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.errors import DetectionsError
from midog.inference import output_folder
from midog.inference.output_folder import OutputFolder

A, B = {"weights": "aaaa", "threshold": 0.5}, {"weights": "bbbb", "threshold": 0.5}


def image(path: Path, stem: str, content: str = "") -> Path:
    """A file that stands for an image, outside the folder."""
    place = path.parent / "images"
    place.mkdir(exist_ok=True)
    (place / f"{stem}.tiff").write_text(content or stem)
    return place / f"{stem}.tiff"


def done(
    folder: OutputFolder,
    stem: str,
    mpp: float | None = None,
    formats: tuple[str, ...] = ("challenge",),
) -> bool:
    return folder.is_done(image(folder.path, stem), mpp, formats)


def fill(
    path: Path, settings: dict, stems: str, mpp: float | None = None, overwrite: bool = False
) -> OutputFolder:
    """Write a file for each stem, as a detector of these settings would."""
    folder = OutputFolder(path, settings, list(stems), overwrite=overwrite)
    for stem in stems:
        if not done(folder, stem, mpp):
            folder.begin(image(path, stem), mpp)
            (path / f"{stem}.json").write_text(settings["weights"])
            folder.finish(image(path, stem), mpp)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_done_images_are_known_again(out):
    fill(out, A, "12")
    again = OutputFolder(out, A, ["1", "2", "3"], overwrite=False)
    assert [done(again, stem) for stem in "123"] == [True, True, False]
    assert not done(again, "1", formats=("challenge", "csv")), "the CSV is not there"
    assert not done(OutputFolder(out, A, ["1"], overwrite=True), "1")


def test_another_image_of_the_same_name_is_not_taken_for_it(out):
    fill(out, A, "1")
    other = image(out, "1", "other pixels")
    with pytest.raises(
        DetectionsError, match=r"another image named 1\.tiff; choose another --out, or --overwrite"
    ):
        OutputFolder(out, A, ["1"], overwrite=False).is_done(other, None, ["challenge"])
    assert not OutputFolder(out, A, ["1"], overwrite=True).is_done(other, None, ["challenge"])
    assert (out / "1.json").read_text() == "aaaa", "nothing is lost"


def test_another_model_is_refused_unless_it_overwrites_all(out):
    fill(out, A, "12")
    with pytest.raises(
        DetectionsError, match="made with another weights; choose another --out, or --overwrite"
    ):
        OutputFolder(out, B, ["1", "2"], overwrite=False)
    with pytest.raises(DetectionsError, match="holds detections of 1 other images"):
        OutputFolder(out, B, ["1"], overwrite=True)
    assert (out / "2.json").read_text() == "aaaa"
    fill(out, B, "12", overwrite=True)
    assert {path.read_text() for path in out.glob("[0-9].json")} == {"bbbb"}


def test_an_overwriting_that_stops_leaves_no_file_of_the_other_model(out):
    fill(out, A, "12")
    OutputFolder(out, B, ["1", "2"], overwrite=True).begin(image(out, "1"), None)
    again = OutputFolder(out, B, ["1", "2"], overwrite=False)
    assert not done(again, "1")
    assert not done(again, "2")
    assert list(out.glob("[0-9].json")) == []


def test_another_mpp_is_done_again(out):
    folder = fill(out, A, "1", mpp=0.25)
    assert done(folder, "1", 0.25)
    assert not done(folder, "1", 0.5)
    assert not done(folder, "1")
    folder.begin(image(out, "1"), 0.5)
    assert not (out / "1.json").exists(), "what then fails is not taken for done"


def test_files_of_a_stranger_are_not_taken_for_done(out):
    out.mkdir()
    (out / "1.json").write_text("theirs")
    assert not done(OutputFolder(out, A, ["1"], overwrite=False), "1")
    (out / ".midog-infer.json").write_text("{")
    assert not done(OutputFolder(out, A, ["1"], overwrite=False), "1")


def test_a_folder_that_is_whole_is_opened_without_writing(out, monkeypatch):
    """It may lie on a disk that cannot be written to."""
    fill(out, A, "12")

    def refuse(*_: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr(output_folder, "replace_text", refuse)
    again = OutputFolder(out, A, ["1", "2"], overwrite=False)
    assert done(again, "1")
    assert done(again, "2")
    with pytest.raises(OSError, match="read-only"):
        OutputFolder(out, B, ["1", "2"], overwrite=True)
