"""The manifest of a data folder: what it spares, and one that is broken."""

from __future__ import annotations

import json

import pytest

from midog.data.download.manifest import MANIFEST
from midog.errors import DownloadError
from midog.locks import locked_or_refused
from tests.data.download.published import (
    API_RECORD,
    IMAGES,
    assert_laid_out,
)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "\x00", "[" * 10_000, "9" * 5000, "null", '{"published": 3, "done": []}'),
        '{"published": {}, "done": {"001.tiff": {"colour": 1}}}',
        '{"dataset": "midog21", "published": {}, "done": {"001.tiff": {"size": "901"}}}',
        '{"dataset": "midog21", "published": {}, "done": {"001.tiff": {"size": -1}}}',
        '{"dataset": "midog21", "published": {"001.tiff": {"md5": "x"}}, "done": {}}',
        '{"dataset": "midog21", "published": {"001.tiff": {"size": 1e400}}, "done": {}}',
        '{"dataset": "midog21", "dataset": "midog21", "published": {}, "done": {}}',
    ],
)
def test_a_broken_manifest_costs_a_check_and_nothing_else(zenodo, fetch, tmp_path, text):
    fetch()
    (tmp_path / "data" / MANIFEST).write_text(text)
    zenodo.requests.clear()
    assert fetch().fetched == ()
    assert fetch().fetched == ()
    assert [path for path, _ in zenodo.requests] == [API_RECORD]
    assert set(json.loads((tmp_path / "data" / MANIFEST).read_text())["done"]) == {
        "MIDOG.json",
        *IMAGES,
    }


def test_a_folder_of_other_data_is_an_error(zenodo, fetch, tmp_path):
    fetch()
    with pytest.raises(
        DownloadError, match=r"data holds other data, MIDOG.json; give another folder"
    ):
        fetch("midogpp")
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_images_that_are_here_already_are_hashed_and_kept_or_fetched(zenodo, fetch, tmp_path):
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    (images / "001.tiff").write_bytes(IMAGES["001.tiff"])
    (images / "002.tiff").write_bytes(b"x" * 902)
    report = fetch()
    assert report.skipped == ("001.tiff",)
    own = images / "002.tiff.own"
    assert own.read_bytes() == b"x" * 902, "what midog did not fetch is the user's"
    own.unlink()
    assert_laid_out(tmp_path / "data", "MIDOG.json")
    zenodo.requests.clear()
    assert fetch().fetched == ()
    assert zenodo.requests == []


def test_a_folder_that_cannot_be_made_is_an_error(zenodo, fetch, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DownloadError, match="data cannot be written: File exists"):
        fetch()


def test_an_annotation_file_that_was_edited_is_kept(zenodo, fetch, tmp_path):
    fetch()
    (tmp_path / "data" / "MIDOG.json").write_text('{"images": [], "mine": 1}')
    for _ in range(2):
        fetch()
    kept = tmp_path / "data" / "MIDOG.json.own"
    assert kept.read_text() == '{"images": [], "mine": 1}'
    kept.unlink()
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_two_processes_do_not_fill_one_folder(zenodo, fetch, tmp_path):
    (tmp_path / "data").mkdir()
    with (
        locked_or_refused(tmp_path / "data"),
        pytest.raises(DownloadError, match=r"another process is writing .*data; wait"),
    ):
        fetch()
    assert zenodo.requests == []
    fetch()
    assert_laid_out(tmp_path / "data", "MIDOG.json")


@pytest.mark.parametrize(
    "listed",
    [
        {"files": [{"key": "001.tiff", "size": size, "checksum": "md5:" + "a" * 32}]}
        for size in (-1, 1e300, "9", True, None, 1 << 70, float("inf"))
    ]
    + [[], {"files": 3}, {"files": [3]}, "x", None],
    ids=str,
)
def test_an_archive_that_lists_nonsense_costs_the_checksums_alone(zenodo, fetch, tmp_path, listed):
    zenodo.files[API_RECORD] = json.dumps(listed).encode()
    assert fetch().fetched == ("MIDOG.json", *IMAGES)
    assert_laid_out(tmp_path / "data", "MIDOG.json")
