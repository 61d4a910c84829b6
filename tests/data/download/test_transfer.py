"""One file over HTTP: what arrives, from which byte it goes on, and what is said when it cannot be
had."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midog.data.download import transfer
from midog.data.download.remote_file import RESUME, FileError, RemoteFile, part_of
from midog.data.download.transfer import fetch_file, fetch_json
from midog.errors import DownloadError
from tests.data.download.published import md5

BYTES = bytes(range(256)) * 4  # 1,024 that differ along the file
URL_PATH = "/files/001.tiff"


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def remote(archive, tmp_path: Path) -> RemoteFile:
    """A published file, served at one URL, with its size and md5."""
    archive.files[URL_PATH] = BYTES
    return RemoteFile(
        "001.tiff",
        tmp_path / "images" / "001.tiff",
        (archive.url + URL_PATH,),
        size=len(BYTES),
        md5=md5(BYTES),
    )


def without_sum(file: RemoteFile) -> RemoteFile:
    return RemoteFile(file.name, file.path, file.urls)


def is_untouched(file: RemoteFile) -> bool:
    return not file.path.exists()


def test_a_whole_file_arrives_and_leaves_no_part(archive, remote, slept):
    reported = []
    received = fetch_file(
        remote, sleep=slept.append, on_bytes=lambda here, total: reported.append((here, total))
    )
    assert remote.path.read_bytes() == BYTES
    assert (received.size, received.md5, received.verified) == (1024, md5(BYTES), True)
    assert not part_of(remote.path).exists()
    assert reported[-1] == (1024, 1024)
    assert archive.ranges(URL_PATH) == [None]
    assert slept == []


def test_an_empty_file_arrives(archive, remote):
    archive.files[URL_PATH] = b""
    empty = RemoteFile("001.tiff", remote.path, remote.urls, size=0, md5=md5(b""))
    assert fetch_file(empty).size == 0
    assert remote.path.read_bytes() == b""


def test_requests_name_the_program(archive, remote):
    fetch_file(remote)
    assert archive.headers[0]["User-Agent"].startswith("midog/")


def test_a_file_that_breaks_off_goes_on_from_the_byte_it_has(archive, answer, remote, slept):
    archive.faults[URL_PATH] = [answer(cut=400), answer(cut=300)]
    fetch_file(remote, sleep=slept.append)
    assert archive.ranges(URL_PATH) == [None, "bytes=400-", "bytes=700-"]
    assert remote.path.read_bytes() == BYTES
    assert slept == [1.0, 1.0]


def test_a_connection_that_is_reset_is_a_break_too(archive, answer, remote, slept):
    archive.faults[URL_PATH] = [answer(cut=0, reset=True), answer(cut=400, reset=True)]
    fetch_file(remote, sleep=slept.append)
    assert len(slept) == 2
    assert remote.path.read_bytes() == BYTES


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    content=st.binary(max_size=600),
    cuts=st.lists(st.tuples(st.integers(1, 300), st.booleans()), max_size=4),
)
def test_whatever_breaks_off_the_bytes_are_the_published_ones(archive, answer, content, cuts):
    archive.files[URL_PATH] = content
    archive.faults[URL_PATH] = [answer(cut=cut, ranges=ranges) for cut, ranges in cuts]
    with tempfile.TemporaryDirectory() as folder:
        file = RemoteFile(
            "001.tiff",
            Path(folder) / "001.tiff",
            (archive.url + URL_PATH,),
            len(content),
            md5(content),
        )
        fetch_file(file, sleep=lambda seconds: None)
        assert file.path.read_bytes() == content
        assert os.listdir(folder) == ["001.tiff"]


def test_a_server_that_ignores_ranges_is_read_from_the_start(archive, answer, remote, slept):
    archive.faults[URL_PATH] = [answer(cut=400)]
    archive.manner[URL_PATH] = answer(ranges=False)
    fetch_file(remote, sleep=slept.append)
    assert archive.ranges(URL_PATH) == [None, "bytes=400-"]
    assert remote.path.read_bytes() == BYTES


def test_when_it_breaks_off_for_good_the_part_stays_and_is_gone_on_with(
    archive, answer, remote, slept
):
    archive.faults[URL_PATH] = [answer(cut=400)] + [answer(cut=0)] * 3
    with pytest.raises(DownloadError) as caught:
        fetch_file(remote, retries=2, sleep=slept.append)
    assert (
        str(caught.value) == f"001.tiff: broke off at 400 of 1024 bytes (tried 3 times); {RESUME}"
    )
    assert not isinstance(caught.value, FileError)
    assert slept == [1.0, 2.0]
    assert is_untouched(remote)
    assert part_of(remote.path).read_bytes() == BYTES[:400]

    archive.faults.clear()
    archive.requests.clear()
    fetch_file(remote)
    assert archive.ranges(URL_PATH) == ["bytes=400-"]
    assert remote.path.read_bytes() == BYTES


def test_tries_that_gain_bytes_are_not_counted(archive, answer, remote, slept):
    archive.manner[URL_PATH] = answer(cut=100)
    fetch_file(remote, retries=1, sleep=slept.append)
    assert len(archive.requests) == 11
    assert remote.path.read_bytes() == BYTES


def test_ctrl_c_leaves_a_part_that_is_gone_on_with(archive, remote, monkeypatch):
    monkeypatch.setattr(transfer, "_CHUNK", 100)

    def stop(here: int, total: int) -> None:
        if here == 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_file(remote, on_bytes=stop)
    assert is_untouched(remote)
    fetch_file(remote)
    assert archive.ranges(URL_PATH) == [None, "bytes=300-"]
    assert remote.path.read_bytes() == BYTES


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_after_what_it_says(archive, answer, remote, slept, status):
    archive.faults[URL_PATH] = [
        answer(status=status, headers={"Retry-After": "7"}),
        answer(status=status),
    ]
    fetch_file(remote, sleep=slept.append)
    assert slept == [7.0, 2.0]
    assert remote.path.read_bytes() == BYTES


def test_retry_after_may_be_a_date_and_is_never_longer_than_ten_minutes(
    archive, answer, remote, slept
):
    dates = [datetime.now(UTC) + timedelta(days=1), datetime.now(UTC) - timedelta(days=1)]
    waits = [*(format_datetime(date, usegmt=True) for date in dates), "99999", "soon"]
    archive.faults[URL_PATH] = [answer(status=503, headers={"Retry-After": wait}) for wait in waits]
    fetch_file(remote, sleep=slept.append)
    assert slept == [600.0, 0.0, 600.0, 8.0]


def test_waits_double_up_to_a_minute(archive, answer, remote, slept):
    archive.manner[URL_PATH] = answer(status=503)
    with pytest.raises(DownloadError, match=r"the server answered 503 \(tried 9 times"):
        fetch_file(remote, retries=8, sleep=slept.append)
    assert slept == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_server_that_is_not_there_is_named(archive, remote, slept):
    nobody = RemoteFile("001.tiff", remote.path, ("http://127.0.0.1:9/001.tiff",))
    with pytest.raises(
        DownloadError, match=r"^001.tiff: 127.0.0.1:9 cannot be reached, .*tried 2 times"
    ):
        fetch_file(nobody, retries=1, sleep=slept.append)


def test_wrong_bytes_are_thrown_away_and_fetched_once_more(archive, answer, remote):
    archive.faults[URL_PATH] = [answer(body=b"x" * len(BYTES))]
    fetch_file(remote)
    assert remote.path.read_bytes() == BYTES
    assert archive.ranges(URL_PATH) == [None, None]


def test_wrong_bytes_twice_are_an_error_with_both_sums(archive, answer, remote):
    wrong = b"x" * len(BYTES)
    archive.manner[URL_PATH] = answer(body=wrong)
    with pytest.raises(FileError) as caught:
        fetch_file(remote)
    assert "001.tiff" in str(caught.value)
    assert md5(wrong) in str(caught.value)
    assert md5(BYTES) in str(caught.value)
    assert len(archive.requests) == 2
    assert list(remote.path.parent.iterdir()) == []


def test_a_part_of_other_bytes_is_found_out(archive, remote):
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(b"x" * 100)
    fetch_file(remote)
    assert archive.ranges(URL_PATH) == ["bytes=100-", None]
    assert remote.path.read_bytes() == BYTES


def test_a_part_that_is_too_long_is_begun_anew(archive, remote):
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(BYTES + b"more")
    fetch_file(remote)
    assert archive.ranges(URL_PATH) == [None]
    assert remote.path.read_bytes() == BYTES


def test_a_whole_part_is_put_in_place_without_a_request(archive, remote):
    remote.path.parent.mkdir()
    part_of(remote.path).write_bytes(BYTES)
    reported = []
    assert fetch_file(remote, on_bytes=lambda *counts: reported.append(counts)).verified
    assert archive.requests == []
    assert reported == [(1024, 1024)]


def test_a_file_that_is_not_there_is_an_error_of_that_file(archive, remote, slept):
    archive.files.clear()
    with pytest.raises(FileError, match=r"^001.tiff: 127.0.0.1:\d+ answered 404$"):
        fetch_file(remote, sleep=slept.append)
    assert slept == []
    assert is_untouched(remote)


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
