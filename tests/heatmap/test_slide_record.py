"""The record of a map: read back, or the map is made again."""

from __future__ import annotations

import logging

import pytest

from midog.errors import DetectionsError
from midog.heatmap.slide_record import (
    is_of_image,
    read_record,
    record_of,
    whole_files,
    write_record,
)
from midog.inference.image_identity import state_of
from tests.heatmap.test_heat_map import heat_map


@pytest.fixture
def made(tmp_path):
    """A slide, a file beside its record, and that record."""
    image, file = tmp_path / "a.tif", tmp_path / "out" / "a.b.heatmap.tif"
    image.write_bytes(b"slide")
    file.parent.mkdir()
    file.write_bytes(b"map")
    record = record_of(
        heat_map(),
        file_name="a.b.tif",
        model=tmp_path / "model",
        made_from={"stride": 4, "scale": [1.0, 1.0]},
        image=image,
        state=state_of(image),
        files={".heatmap.tif": file},
        truth={"source": "x", "tp": 1, "precision": float("nan")},
    )
    return image, file, record


def test_a_record_comes_back(made, tmp_path):
    _, _, record = made
    path = tmp_path / "out" / "a.b.heatmap.json"
    write_record(path, record)
    again = read_record(path)
    assert again is not None
    assert again.truth == {"source": "x", "tp": 1, "precision": None}
    assert (again.made_from, again.files) == (record.made_from, record.files)
    assert again.slide_score == pytest.approx(0.9)
    assert read_record(tmp_path / "none.json") is None


def test_a_damaged_record_is_none_with_a_line(tmp_path, caplog):
    path = tmp_path / "a.heatmap.json"
    path.write_text('{"schema_version": 1}')
    with caplog.at_level(logging.WARNING, "midog"):
        assert read_record(path) is None
    assert "the map is made again" in caplog.text


def test_an_image_is_known_by_its_bytes_wherever_it_lies(made, tmp_path):
    image, _, record = made
    assert is_of_image(record, image)
    moved = image.rename(tmp_path / "moved.tif")
    assert is_of_image(record, moved)
    moved.write_bytes(b"other")
    assert not is_of_image(record, moved)
    assert is_of_image(record, tmp_path / "gone.tif")


def test_files_are_whole_or_made_again(made, caplog):
    _, file, record = made
    stem = file.parent / "a.b"
    assert whole_files(record, stem, [".heatmap.tif"])
    assert not whole_files(record, stem, [".heatmap.tif", ".triptych.png"])
    file.write_bytes(b"cut")
    with caplog.at_level(logging.WARNING, "midog"):
        assert not whole_files(record, stem, [".heatmap.tif"])
    assert "is damaged or was changed" in caplog.text


def test_a_slide_that_was_changed_meanwhile_is_refused(made, tmp_path):
    image, _, _ = made
    with pytest.raises(DetectionsError, match="was changed while it was read"):
        record_of(
            heat_map(),
            file_name="a",
            model=tmp_path,
            made_from={},
            image=image,
            state="other",
            files={},
            truth=None,
        )
