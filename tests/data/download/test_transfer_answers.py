"""Answers of servers: other URLs, unpublished sizes, full disks, JSON."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from midog.data.download import remote_file, transfer
from midog.data.download.remote_file import FileError, RemoteFile, part_of, size_of
from midog.data.download.transfer import fetch_file, fetch_json
from midog.errors import DownloadError
from tests.data.download.published import BYTES, URL_PATH, is_untouched, md5, without_sum


@pytest.mark.parametrize(
    "how", ["missing", "forbidden", "gate", "page", "other file", "other bytes"]
)
def test_the_next_url_is_taken_where_one_does_not_serve_the_file(archive, answer, remote, how):
    archive.manner["/first"] = {
        "missing": answer(),
        "forbidden": answer(status=403),
        "gate": answer(status=202, headers={"x-amzn-waf-action": "challenge"}),
        "page": answer(body=BYTES, headers={"Content-Type": "text/html; charset=utf-8"}),
        "other file": answer(body=BYTES[:-1]),
        "other bytes": answer(
            status=206, body=BYTES[7:], headers={"Content-Range": "bytes 7-1023/1024"}
        ),
    }[how]
    file = RemoteFile(
        remote.name, remote.path, (archive.url + "/first", *remote.urls), remote.size, remote.md5
    )
    fetch_file(file)
    assert [path for path, _ in archive.requests] == ["/first", URL_PATH]
    assert remote.path.read_bytes() == BYTES


def test_an_empty_answer_of_a_gate_is_not_taken_for_a_file(archive, answer, remote):
    archive.manner[URL_PATH] = answer(status=202)
    with pytest.raises(FileError, match="answered 202 and no file"):
        fetch_file(without_sum(remote))
    assert is_untouched(remote)


def test_a_url_that_serves_another_file_does_not_cost_the_part(archive, answer, remote):
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(BYTES[:500])
    archive.files[URL_PATH] = BYTES + BYTES
    with pytest.raises(FileError, match="serves 2048 bytes where 1024 are published"):
        fetch_file(remote)
    assert part_of(remote.path).read_bytes() == BYTES[:500]


def test_redirects_are_followed_with_the_range(archive, answer, remote, slept):
    archive.files["/store/1"] = archive.files.pop(URL_PATH)
    archive.manner[URL_PATH] = answer(status=302, headers={"Location": "/store/1"})
    archive.faults["/store/1"] = [answer(cut=400)]
    fetch_file(remote, sleep=slept.append)
    assert archive.ranges(URL_PATH) == [None, "bytes=400-"]
    assert archive.ranges("/store/1") == [None, "bytes=400-"]
    assert remote.path.read_bytes() == BYTES


def test_without_a_published_sum_the_file_arrives_unverified(archive, remote):
    assert not fetch_file(without_sum(remote)).verified
    assert remote.path.read_bytes() == BYTES


def test_without_a_published_size_a_broken_file_is_noticed_all_the_same(
    archive, answer, remote, slept
):
    archive.faults[URL_PATH] = [answer(cut=400)]
    fetch_file(without_sum(remote), sleep=slept.append)
    assert archive.ranges(URL_PATH) == [None, "bytes=400-"]
    assert remote.path.read_bytes() == BYTES


@pytest.mark.parametrize("tag", ['"{}"', '"md5:{}"'])
def test_the_servers_own_sum_verifies_too(archive, answer, remote, tag):
    archive.manner[URL_PATH] = answer(headers={"ETag": tag.format(md5(BYTES))})
    assert fetch_file(without_sum(remote)).verified


@pytest.mark.parametrize("tag", [md5(b"encrypted"), "a" * 32 + "-9", "W/1"])
def test_an_etag_that_is_no_md5_of_the_bytes_is_no_fault(archive, answer, remote, tag):
    archive.manner[URL_PATH] = answer(headers={"ETag": f'"{tag}"'})
    assert not fetch_file(without_sum(remote)).verified


def test_without_a_published_size_a_whole_part_is_recognised(archive, remote, slept):
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(BYTES)
    fetch_file(without_sum(remote), sleep=slept.append)
    assert archive.ranges(URL_PATH) == ["bytes=1024-"]
    assert remote.path.read_bytes() == BYTES


def test_without_a_published_size_a_part_beyond_the_end_is_begun_anew(archive, remote, slept):
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(BYTES + b"more")
    fetch_file(without_sum(remote), sleep=slept.append)
    assert archive.ranges(URL_PATH) == ["bytes=1028-", None]
    assert remote.path.read_bytes() == BYTES


def test_a_full_disk_says_what_is_needed_and_what_is_free(archive, remote, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    full = open("/dev/full", "ab")  # noqa: SIM115
    monkeypatch.setattr(transfer, "open_part", lambda part, append: full)
    with pytest.raises(
        DownloadError,
        match=r"disk is full at .*001.tiff.part: 1.0 kB more are needed and .* are free",
    ):
        fetch_file(remote)
    assert is_untouched(remote)


def test_room_is_checked_for_what_a_server_announces(archive, remote, monkeypatch):
    free = namedtuple("usage", "total used free")(0, 0, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(DownloadError, match=r"1.0 kB free and 1.0 kB are needed; make room"):
        fetch_file(without_sum(remote))
    assert is_untouched(remote)


@pytest.mark.parametrize("occupy", ["link", "pipe", "folder"])
def test_nothing_but_a_regular_file_is_written_to(archive, remote, tmp_path, occupy):
    remote.path.parent.mkdir()
    part, other = part_of(remote.path), tmp_path / "other"
    other.write_bytes(b"mine")
    for place in (part, remote.path):
        if occupy == "link":
            place.symlink_to(other)
        elif occupy == "pipe":
            os.mkfifo(place)
        else:
            place.mkdir()
        with pytest.raises(DownloadError, match="not a regular file"):
            fetch_file(remote, sleep=lambda seconds: None)
        assert other.read_bytes() == b"mine"
        if place == part:
            part.rmdir() if occupy == "folder" else part.unlink()


def endless(answer, **more):
    """More bytes than announced: without a Content-Length they end with the connection."""
    return answer(body=BYTES * 1000, headers={"Content-Length": "none"}, **more)


def test_a_server_that_sends_more_than_is_published_is_stopped_there(archive, answer, remote):
    archive.manner[URL_PATH] = endless(answer)
    seen = []
    with pytest.raises(FileError, match=r"serves more than the 1,024 bytes that it may have"):
        fetch_file(remote, on_bytes=lambda here, total: seen.append(here))
    assert max(seen, default=0) <= len(BYTES)
    assert size_of(part_of(remote.path)) == 0


def test_a_server_that_sends_more_than_any_file_has_is_stopped_there(
    archive, answer, remote, monkeypatch
):
    monkeypatch.setattr(remote_file, "LARGEST", 5000)
    archive.manner[URL_PATH] = endless(answer)
    with pytest.raises(FileError, match=r"serves more than the 5,000 bytes"):
        fetch_file(without_sum(remote))
    archive.manner[URL_PATH] = answer(body=BYTES * 1000)
    with pytest.raises(FileError, match=r"serves 1024000 bytes|serves 1,024,000 bytes"):
        fetch_file(without_sum(remote))
    assert is_untouched(remote)


@pytest.mark.parametrize(
    "stated",
    [
        "bytes 400-1023/9",
        "bytes 400-399/1024",
        "bytes 0-1023/1024",
        "bytes 400-1024/1024",
        "bytes 400-" + "9" * 5000 + "/1024",
        "bytes -1--1/1024",
        "lines 400-1023/1024",
        "",
    ],
)
def test_a_range_that_is_not_the_requested_one_is_refused(archive, answer, remote, stated):
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(BYTES[:400])
    archive.manner[URL_PATH] = answer(
        status=206, body=BYTES[400:], headers={"Content-Range": stated}
    )
    with pytest.raises(FileError, match=r"other bytes than those requested|serves 9 bytes"):
        fetch_file(remote)
    assert part_of(remote.path).read_bytes() == BYTES[:400]


@pytest.mark.parametrize("length", ["none", "-1", "1e3", "9" * 5000])
def test_a_length_that_is_no_number_is_no_length(archive, answer, remote, length):
    archive.manner[URL_PATH] = answer(headers={"Content-Length": length})
    assert fetch_file(remote).verified


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a",
        "data:text/plain,a",
        "gopher://a",
        "//[",
        "http://[",
    ],
)
def test_redirects_lead_to_the_web_alone(archive, answer, remote, address):
    archive.manner[URL_PATH] = answer(status=302, headers={"Location": address})
    with pytest.raises(DownloadError):
        fetch_file(remote, retries=1, sleep=lambda seconds: None)
    assert is_untouched(remote)


def test_a_server_that_drips_is_given_up(archive, answer, remote, monkeypatch):
    monkeypatch.setattr(transfer, "_MOST_TRIES", 20)
    archive.faults[URL_PATH] = [answer(cut=1) for _ in range(50)]
    with pytest.raises(DownloadError, match="tried 20 times"):
        fetch_file(remote, sleep=lambda seconds: None)


def test_a_folder_that_cannot_be_made_is_an_error(archive, remote):
    remote.path.parent.write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="cannot be written: File exists"):
        fetch_file(remote)


def test_json_is_asked_for_again_where_the_archive_is_busy_or_breaks_off(archive, answer, slept):
    archive.files["/api"] = b'{"files": []}'
    archive.faults["/api"] = [answer(status=403), answer(status=503), answer(cut=5)]
    assert fetch_json(archive.url + "/api", sleep=slept.append) == {"files": []}
    assert slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_what_is_not_json_is_an_error(archive, body):
    archive.files["/api"] = body
    with pytest.raises(DownloadError, match=f"{archive.url}/api: the answer is "):
        fetch_json(archive.url + "/api")


def test_an_endless_answer_is_an_error(archive, monkeypatch):
    monkeypatch.setattr(transfer, "_LARGEST_ANSWER", 1000)
    archive.files["/api"] = b" " * 1_000_000
    with pytest.raises(DownloadError, match="answers with more than 1,000 bytes"):
        fetch_json(archive.url + "/api")


def test_an_api_that_is_gone_is_an_error(archive):
    with pytest.raises(DownloadError, match="/api: answered 404"):
        fetch_json(archive.url + "/api")
