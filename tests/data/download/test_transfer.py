"""One file over HTTP: what arrives, from which byte it resumes, and wrong bytes."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from midog.data.download import answers
from midog.data.download.remote_file import RESUME, FileError, RemoteFile, part_of
from midog.data.download.transfer import fetch_file
from midog.errors import DownloadError
from tests.data.download.published import BYTES, URL_PATH, is_untouched, md5


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
    monkeypatch.setattr(answers, "_CHUNK", 100)

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
