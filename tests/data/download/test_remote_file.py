"""A published file: its checksum in every form, and the room it needs."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from midog.data.download.remote_file import (
    RemoteFile,
    check_room,
    disk_errors,
    human_bytes,
    md5_in,
    md5_of,
    part_of,
)
from midog.errors import DownloadError
from tests.data.download.published import BYTES, md5


def test_disk_errors_leave_other_errors_alone(tmp_path):
    with pytest.raises(ValueError, match="mine"), disk_errors(tmp_path):
        raise ValueError("mine")


def test_room_is_checked_for_what_is_missing(tmp_path, monkeypatch):
    place = tmp_path / "images" / "001.tiff"
    remote = RemoteFile("001.tiff", place, (), size=len(BYTES), md5=md5(BYTES))
    free = namedtuple("usage", "total used free")(0, 0, 600)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(DownloadError, match=r"has 600 bytes free and 1.0 kB are needed; make room"):
        check_room(tmp_path, [remote])
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(BYTES[:500])
    check_room(tmp_path, [remote, RemoteFile(remote.name, place, ())])


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (22_300_000_000, "22.3 GB")],
)
def test_human_bytes(count, text):
    assert human_bytes(count) == text


@pytest.mark.parametrize("text", ["{}", '"{}"', "md5:{}", '"md5:{}"'])
def test_md5_is_found_in_what_archives_write(text, tmp_path):
    (tmp_path / "file").write_bytes(BYTES)
    assert md5_in(text.format(md5(BYTES))) == md5_of(tmp_path / "file")
    assert md5_in(text.format(md5(BYTES).upper())) == md5_of(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "sha256:" + "a" * 64, "a" * 31, "a" * 32 + "-2"])
def test_other_sums_are_not_taken_for_an_md5(text):
    assert md5_in(text) is None
