"""Whole data sets fetched: laid out, resumed, checked, and what is reported."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple

import pytest

from midog.data.download.manifest import MANIFEST
from midog.data.download.remote_file import RESUME
from midog.errors import DownloadError
from tests.data.download.published import (
    ANNOTATION,
    API_RECORD,
    IDS,
    IMAGES,
    RECORD,
    assert_laid_out,
    md5,
)


def test_midog21_is_laid_out_and_checked(zenodo, fetch, tmp_path):
    report = fetch()
    assert_laid_out(tmp_path / "data", "MIDOG.json")
    assert report.folder == tmp_path / "data"
    assert report.fetched == ("MIDOG.json", *IMAGES)
    assert (report.skipped, report.unverified) == ((), ())
    assert report.bytes_fetched == len(ANNOTATION) + sum(map(len, IMAGES.values()))
    done = json.loads((tmp_path / "data" / MANIFEST).read_text())["done"]
    assert done["001.tiff"] == {"size": 901, "md5": md5(IMAGES["001.tiff"])}


def test_midogpp_is_laid_out_and_checked(figshare, fetch, tmp_path):
    report = fetch("midogpp")
    assert_laid_out(tmp_path / "data", "MIDOGpp.json")
    assert report.fetched == ("MIDOGpp.json", *IMAGES)
    assert report.unverified == ()
    # the published annotation, not its draft, and no sqlite
    asked = [path for path, _ in figshare.requests if path.startswith("/store/")]
    assert asked == [f"/store/{IDS[name]}" for name in ("MIDOGpp.json", *IMAGES)]


@pytest.mark.parametrize(("dataset", "server"), [("midog21", "zenodo"), ("midogpp", "figshare")])
def test_a_second_run_asks_for_nothing(dataset, server, fetch, request):
    archive = request.getfixturevalue(server)
    first = fetch(dataset)
    archive.requests.clear()
    second = fetch(dataset)
    assert archive.requests == []
    assert (second.fetched, second.skipped, second.unverified) == ((), first.fetched, ())
    assert second.bytes_fetched == 0


def test_an_image_that_breaks_off_half_way_goes_on_from_there(zenodo, answer, fetch, tmp_path):
    zenodo.faults[f"{RECORD}/002.tiff"] = [answer(cut=451)]
    fetch()
    assert zenodo.ranges(f"{RECORD}/002.tiff") == [None, "bytes=451-"]
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_a_download_that_breaks_off_for_good_goes_on_where_it_was(zenodo, answer, fetch, tmp_path):
    zenodo.faults[f"{RECORD}/002.tiff"] = [answer(cut=451)]
    zenodo.manner[f"{RECORD}/002.tiff"] = answer(cut=0)
    with pytest.raises(DownloadError, match=r"002.tiff: broke off at 451 of 902 bytes") as caught:
        fetch(retries=1)
    assert RESUME in str(caught.value)
    assert "\n" not in str(caught.value)
    images = tmp_path / "data" / "images"
    assert sorted(path.name for path in images.iterdir()) == ["001.tiff", "002.tiff.part"]

    zenodo.manner.clear()
    zenodo.requests.clear()
    report = fetch()
    assert zenodo.requests == [
        (f"{RECORD}/002.tiff?download=1", "bytes=451-"),
        (f"{RECORD}/003.tiff?download=1", None),
    ]
    assert report.fetched == ("002.tiff", "003.tiff")
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_ctrl_c_keeps_what_came(zenodo, fetch, tmp_path):
    def stop(name: str, here: int, total: int) -> None:
        if name == "002.tiff":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(on_progress=stop)
    assert not (tmp_path / "data" / "images" / "002.tiff").exists()
    zenodo.requests.clear()
    assert fetch().skipped == ("MIDOG.json", "001.tiff")
    assert zenodo.ranges(f"{RECORD}/001.tiff") == []
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_one_file_that_is_not_there_does_not_stop_the_others(zenodo, fetch, tmp_path):
    name = "002.tiff"
    missing = {
        path: zenodo.files.pop(path)
        for path in (f"{RECORD}/{name}", f"{API_RECORD}/files/{name}/content")
    }
    with pytest.raises(
        DownloadError,
        match=r"^1 of 4 files were not fetched: 002.tiff: 127.0.0.1:\d+ answered 404; the",
    ):
        fetch()
    assert sorted(path.name for path in (tmp_path / "data" / "images").iterdir()) == [
        "001.tiff",
        "003.tiff",
    ]
    zenodo.files |= missing
    assert fetch().fetched == (name,)
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_wrong_bytes_are_said_with_both_sums_and_never_get_the_final_name(
    zenodo, answer, fetch, tmp_path
):
    wrong = b"x" * 902
    zenodo.manner[f"{RECORD}/002.tiff"] = answer(body=wrong)
    with pytest.raises(
        DownloadError, match=f"002.tiff: its md5 is {md5(wrong)} where {md5(IMAGES['002.tiff'])} is"
    ):
        fetch()
    assert sorted(path.name for path in (tmp_path / "data" / "images").iterdir()) == [
        "001.tiff",
        "003.tiff",
    ]


def test_an_error_names_five_files_and_counts_the_rest(archive, shipped, fetch):
    (shipped / "midog21.csv").write_text(
        "file_name\n" + "".join(f"{number:03d}.tiff\n" for number in range(1, 9))
    )
    with pytest.raises(DownloadError) as caught:
        fetch()
    assert str(caught.value).count("answered 404") == 5
    assert "9 of 9 files" in str(caught.value)
    assert "and 4 more" in str(caught.value)


def test_only_some_images_come_with_the_annotation(zenodo, fetch, tmp_path):
    assert fetch(only=["003.tiff", "001.tiff"]).fetched == ("MIDOG.json", "001.tiff", "003.tiff")
    assert_laid_out(
        tmp_path / "data", "MIDOG.json", {name: IMAGES[name] for name in ("001.tiff", "003.tiff")}
    )
    assert fetch(only=[]).skipped == ("MIDOG.json",)
    assert fetch().fetched == ("002.tiff",)


def test_unknown_names_are_an_error_before_anything_is_made(zenodo, fetch, tmp_path):
    with pytest.raises(
        DownloadError, match=r"no file 004.tiff, 4.tiff; its images are 001.tiff to 003.tiff"
    ):
        fetch(only=["001.tiff", "004.tiff", "4.tiff"])
    with pytest.raises(
        DownloadError, match="no data set 'midog25' to download; write midog21, midogpp or pcam"
    ):
        fetch("midog25")
    assert zenodo.requests == []
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("status", [None, 404])
def test_an_image_that_lost_bytes_is_fetched_anew(zenodo, answer, fetch, tmp_path, status):
    zenodo.manner[API_RECORD] = answer(status=status)
    fetch()
    (tmp_path / "data" / "images" / "002.tiff").write_bytes(b"short")
    assert fetch().fetched == ("002.tiff",)
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_a_split_that_is_here_is_kept(zenodo, fetch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "split.csv").write_text("mine")
    fetch()
    assert (tmp_path / "data" / "split.csv").read_text() == "mine"


def test_too_little_room_is_said_before_anything_is_fetched(zenodo, fetch, monkeypatch):
    free = namedtuple("usage", "total used free")(0, 0, 2000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(DownloadError, match=r"has 2.0 kB free and 2.7 kB are needed"):
        fetch()
    assert [path for path, _ in zenodo.requests] == [API_RECORD]


def test_progress_is_told_of_each_file_also_of_those_that_are_here(zenodo, fetch):
    reported = {}
    fetch(only=["001.tiff"])
    fetch(on_progress=lambda name, here, total: reported.update({name: (here, total)}))
    assert reported == {"MIDOG.json": (14, 14)} | {
        name: (len(content),) * 2 for name, content in IMAGES.items()
    }
