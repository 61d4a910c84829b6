"""Entries are read whole or not at all, and say whose a file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.inference.output_entries import (
    HEATMAP_FOLDER,
    Entry,
    entry_path,
    is_output,
    owners_of,
    read_entry,
    stems_in,
    write_entry,
    written_folders,
)

ENTRY = Entry("1-a", "b", 0.25, "c", {"challenge": "d"})


@pytest.mark.parametrize("stem", ["001", "01/01", "a.b"])
def test_an_entry_reads_back(tmp_path: Path, stem) -> None:
    assert read_entry(tmp_path, stem) is None
    write_entry(tmp_path, stem, ENTRY)
    assert read_entry(tmp_path, stem) == ENTRY
    assert stems_in(tmp_path) == [stem]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[1]", "{}", "5", "null", "[" * 2000, "\0"),
        '{"image": 1, "state": "", "mpp": null, "settings": "", "files": {}}',
        '{"image": "", "state": "", "mpp": "0.25", "settings": "", "files": {}}',
        '{"image": "", "state": "", "mpp": null, "settings": "", "files": {"csv": 3}}',
        '{"image": "", "state": "", "mpp": null, "settings": "", "files": null}',
    ],
)
def test_a_damaged_entry_is_none_with_a_line(tmp_path: Path, text, caplog) -> None:
    write_entry(tmp_path, "1", ENTRY)
    entry_path(tmp_path, "1").write_text(text)
    assert read_entry(tmp_path, "1") is None
    assert str(entry_path(tmp_path, "1")) in caplog.text
    assert "the image is detected in again" in caplog.text


def test_files_of_heat_maps_are_outputs_where_maps_were_made(tmp_path: Path) -> None:
    names = ["a.heatmap.tif", "a.heatmap.png", "a.triptych.png", "b/a.tissue.png"]
    assert not any(is_output(tmp_path / name, tmp_path) for name in names)
    (tmp_path / HEATMAP_FOLDER).mkdir()
    assert all(is_output(tmp_path / name, tmp_path) for name in names)
    assert not is_output(tmp_path / "a.tif", tmp_path)


def test_a_file_is_of_the_image_whose_entry_claims_it(tmp_path: Path) -> None:
    write_entry(tmp_path, "slide.coco", ENTRY)
    assert list(owners_of(tmp_path / "slide.coco.json", tmp_path)) == ["slide.coco"]
    assert is_output(tmp_path / "slide.coco.json", tmp_path)
    assert not is_output(tmp_path / "slide.coco.csv", tmp_path), "it was not written"
    assert not is_output(tmp_path / "slide.json", tmp_path)
    assert not is_output(tmp_path / ".json", tmp_path)


def test_files_and_entries_of_case_folders_have_folders_of_their_own(tmp_path: Path) -> None:
    expected = [tmp_path / place for place in ("", "a", "a/b")]
    expected += [tmp_path / ".midog-infer" / place for place in ("", "a", "a/b")]
    assert written_folders(tmp_path, ["1", "a/b/2", "a/3", "a/b/4"]) == expected
    assert written_folders(tmp_path, []) == [tmp_path, tmp_path / ".midog-infer"]
