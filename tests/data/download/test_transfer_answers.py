"""Answers of servers: other URLs, unpublished sizes, full disks, JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.download.remote_file import FileError, RemoteFile, part_of
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


def test_a_full_disk_says_what_is_needed_and_what_is_free(archive, remote):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    remote.path.parent.mkdir()
    part_of(remote.path).symlink_to("/dev/full")
    with pytest.raises(
        DownloadError,
        match=r"disk is full at .*001.tiff.part: 1.0 kB more are needed and .* are free",
    ):
        fetch_file(remote)
    assert is_untouched(remote)


def test_a_folder_that_cannot_be_made_is_an_error(archive, remote):
    remote.path.parent.write_text("a file where the folder should be")
    with pytest.raises(DownloadError, match="cannot be written: File exists"):
        fetch_file(remote)


def test_json_is_asked_for_again_where_the_archive_is_busy_or_breaks_off(archive, answer, slept):
    archive.files["/api"] = b'{"files": []}'
    archive.faults["/api"] = [answer(status=403), answer(status=503), answer(cut=5)]
    assert fetch_json(archive.url + "/api", sleep=slept.append) == {"files": []}
    assert slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("body", [b"<html>", b"", b"\xff\xfe"])
def test_what_is_not_json_is_an_error(archive, body):
    archive.files["/api"] = body
    with pytest.raises(DownloadError, match=f"{archive.url}/api: the answer is not JSON"):
        fetch_json(archive.url + "/api")


def test_an_api_that_is_gone_is_an_error(archive):
    with pytest.raises(DownloadError, match="/api: answered 404"):
        fetch_json(archive.url + "/api")
