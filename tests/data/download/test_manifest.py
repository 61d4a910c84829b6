"""The manifest of a data folder: what it spares, and one that is broken."""

from __future__ import annotations

import json

import pytest

from midog.data.download.manifest import MANIFEST
from midog.errors import DownloadError
from tests.data.download.published import (
    API_RECORD,
    IMAGES,
    assert_laid_out,
)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"published": {}, "done": {"001.tiff": {"colour": 1}}}', "\x00"]
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
    assert_laid_out(tmp_path / "data", "MIDOG.json")
    zenodo.requests.clear()
    assert fetch().fetched == ()
    assert zenodo.requests == []


def test_a_folder_that_cannot_be_made_is_an_error(zenodo, fetch, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DownloadError, match="data cannot be written: File exists"):
        fetch()
