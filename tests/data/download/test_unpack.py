"""PatchCamelyon fetched: verified, resumed, unpacked, and its packed bytes removed."""

from __future__ import annotations

import gzip
import shutil
from collections import namedtuple

import pytest

from midog.data.download import unpack
from midog.data.download.manifest import MANIFEST
from midog.errors import DownloadError
from tests.data.download.published import (
    PCAM_API_RECORD,
    PCAM_CONTENTS,
    PCAM_RECORD,
    md5,
    pcam_files,
)

STEM = "camelyonpatch_level_2_split"
TEST_X = f"{STEM}_test_x.h5"
PACKED = f"{TEST_X}.gz"


def contents(folder):
    held = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    held.pop(MANIFEST)
    return held


def test_pcam_is_verified_unpacked_and_nothing_else_is_left(pcam, fetch, tmp_path):
    report = fetch("pcam")
    assert contents(tmp_path / "data") == PCAM_CONTENTS
    assert report.fetched == tuple(pcam_files())
    assert (report.skipped, report.unverified) == ((), ())
    assert report.bytes_fetched == sum(map(len, pcam_files().values()))


def test_a_second_run_asks_for_nothing_and_unpacks_nothing(pcam, fetch, tmp_path, monkeypatch):
    fetch("pcam")
    pcam.requests.clear()
    monkeypatch.setattr(unpack, "_unpack", None)
    report = fetch("pcam")
    assert pcam.requests == []
    assert (report.fetched, report.skipped) == ((), tuple(pcam_files()))


def test_a_packed_file_that_breaks_off_goes_on_from_there(pcam, answer, fetch, tmp_path):
    pcam.faults[f"{PCAM_RECORD}/{PACKED}"] = [answer(cut=20)]
    fetch("pcam", only=[PACKED])
    assert pcam.ranges(f"{PCAM_RECORD}/{PACKED}") == [None, "bytes=20-"]
    assert contents(tmp_path / "data") == {TEST_X: PCAM_CONTENTS[TEST_X]}


def test_stopped_while_it_unpacks_it_is_unpacked_without_being_fetched_again(pcam, fetch, tmp_path):
    def stop(name: str, here: int, total: int) -> None:
        if name.startswith("unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("pcam", only=[PACKED], on_progress=stop)
    assert contents(tmp_path / "data") == {PACKED: pcam_files()[PACKED]}
    pcam.requests.clear()
    report = fetch("pcam", only=[PACKED])
    assert (report.fetched, report.skipped) == ((), (PACKED,))
    assert pcam.requests == []
    assert contents(tmp_path / "data") == {TEST_X: PCAM_CONTENTS[TEST_X]}


def test_content_that_lost_bytes_is_fetched_anew(pcam, fetch, tmp_path):
    fetch("pcam")
    (tmp_path / "data" / TEST_X).write_bytes(b"short")
    assert fetch("pcam").fetched == (PACKED,)
    assert contents(tmp_path / "data") == PCAM_CONTENTS


def test_content_of_other_published_bytes_is_fetched_anew(pcam, fetch, tmp_path):
    fetch("pcam", only=[PACKED])
    manifest = tmp_path / "data" / MANIFEST
    packed = md5(pcam_files()[PACKED])
    whole, done = manifest.read_text().split('"done"')
    manifest.write_text(whole + '"done"' + done.replace(packed, "0" * 32))
    assert fetch("pcam", only=[PACKED]).fetched == (PACKED,)


def test_a_file_of_the_users_own_is_kept_aside(pcam, fetch, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / TEST_X).write_bytes(b"mine")
    fetch("pcam", only=[PACKED])
    assert contents(folder) == {TEST_X: PCAM_CONTENTS[TEST_X], f"{TEST_X}.own": b"mine"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(bytes(4000))[:-9], "Compressed file ended"),
        (b"no gzip at all", "Not a gzipped file"),
    ],
    ids=["cut", "another kind"],
)
def test_what_cannot_be_unpacked_is_said_and_the_others_come(
    pcam, answer, fetch, tmp_path, body, reason
):
    pcam.manner[PCAM_API_RECORD] = answer(status=404)  # so that no checksum tells
    pcam.manner[f"{PCAM_RECORD}/{PACKED}"] = answer(body=body)
    with pytest.raises(DownloadError, match=f"1 of 10 files .* {PACKED} cannot .*{reason}") as told:
        fetch("pcam")
    assert "\n" not in str(told.value)
    assert contents(tmp_path / "data") == {
        name: content for name, content in PCAM_CONTENTS.items() if name != TEST_X
    }
    pcam.manner.clear()
    assert fetch("pcam").fetched == (PACKED,)
    assert contents(tmp_path / "data") == PCAM_CONTENTS


def test_content_beyond_all_bounds_is_refused(pcam, fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "LARGEST", 1000)
    with pytest.raises(DownloadError, match=f"{PACKED} cannot be unpacked: .* more than 1,000"):
        fetch("pcam", only=[PACKED])
    assert contents(tmp_path / "data") == {}


def test_a_full_disk_keeps_the_packed_bytes(pcam, fetch, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    free = namedtuple("usage", "total used free")(0, 0, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with monkeypatch.context() as patch:
        patch.setattr(unpack.gzip.GzipFile, "read", full)
        with pytest.raises(DownloadError, match=r"the disk is full at .*test_x\.h5"):
            fetch("pcam", only=[PACKED])
    assert contents(tmp_path / "data") == {PACKED: pcam_files()[PACKED]}
    fetch("pcam", only=[PACKED])
    assert contents(tmp_path / "data") == {TEST_X: PCAM_CONTENTS[TEST_X]}


def test_names_of_other_files_are_refused_with_those_that_exist(pcam, fetch, tmp_path):
    with pytest.raises(DownloadError, match=f"no file masks; its files are .*{PACKED}"):
        fetch("pcam", only=["masks"])
    assert not (tmp_path / "data").exists()
