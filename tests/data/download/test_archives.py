"""The archives: their files, checksums and URLs, also where the API fails."""

from __future__ import annotations

import json
import shutil

import pytest

from midog.errors import DownloadError
from tests.data.download.published import (
    ANNOTATION,
    API_RECORD,
    COLLECTION,
    IMAGES,
    RECORD,
    assert_laid_out,
    md5,
)


def test_the_record_is_read_in_invenios_own_form_too(zenodo, fetch):
    listed = json.loads(zenodo.files[API_RECORD])["files"]
    entries = {"files": {"count": 5, "entries": {entry["key"]: entry for entry in listed}}}
    zenodo.files[API_RECORD] = json.dumps(entries).encode()
    assert fetch().unverified == ()


def test_the_api_serves_what_the_record_page_does_not(zenodo, fetch, tmp_path):
    del zenodo.files[f"{RECORD}/002.tiff"]
    fetch()
    assert_laid_out(tmp_path / "data", "MIDOG.json")


def test_few_figshare_files_are_looked_up_with_few_requests(figshare, fetch):
    fetch("midogpp", only=["002.tiff"])
    looked_up = [path for path, _ in figshare.requests if path.startswith("/v2/articles")]
    assert looked_up[:1] == ["/v2/articles/1001/files"]
    assert len(set(looked_up)) == len(looked_up)


def test_files_are_found_whatever_article_holds_them(figshare, fetch):
    articles = [f"/v2/articles/{1000 + rank}/files" for rank in range(4)]
    contents = [figshare.files[path] for path in articles]
    figshare.files |= dict(
        zip(articles, [contents[3], contents[0], contents[1], contents[2]], strict=True)
    )
    assert fetch("midogpp").unverified == ()


def test_figshare_is_asked_no_more_than_once_a_second(figshare, fetch):
    slept = []
    fetch("midogpp", sleep=slept.append)
    assert slept == [1.0] * 3


@pytest.mark.parametrize(
    ("dataset", "server", "api"),
    [("midog21", "zenodo", API_RECORD), ("midogpp", "figshare", COLLECTION)],
)
@pytest.mark.parametrize("fault", ["gone", "other form", "no list"])
def test_without_the_archives_sums_files_come_and_are_said_to_be_unverified(
    dataset, server, api, fault, answer, fetch, request, caplog
):
    archive = request.getfixturevalue(server)
    archive.manner[api] = {
        "gone": answer(status=404),
        "other form": answer(body=b'[{"name": "x"}]'),
        "no list": answer(body=b'{"files": 7}'),
    }[fault]
    first = fetch(dataset)
    assert first.unverified == first.fetched
    assert "does not state all checksums" in caplog.text

    archive.manner.clear()
    second = fetch(dataset)
    assert (second.fetched, second.unverified) == ((), ())


def test_sums_found_before_the_archive_broke_off_are_kept(figshare, answer, fetch):
    figshare.manner["/v2/articles/1002/files"] = answer(status=500)
    report = fetch("midogpp")
    assert set(report.unverified) == {"003.tiff", "MIDOGpp.json"}
    figshare.manner.clear()
    figshare.requests.clear()
    assert fetch("midogpp").unverified == ()
    assert figshare.ranges("/store/40282111") == []


def test_sums_found_before_ctrl_c_are_kept(figshare, fetch):
    def stop(name: str, here: int, total: int) -> None:
        if here == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("midogpp", on_progress=stop)
    figshare.requests.clear()
    fetch("midogpp")
    looked_up = [path for path, _ in figshare.requests if path.startswith("/v2/articles")]
    assert looked_up == ["/v2/articles/1003/files"]


def test_the_servers_own_sum_counts_where_the_api_is_silent(figshare, answer, fetch):
    figshare.manner[COLLECTION] = answer(status=404)
    figshare.manner["/store/40282102"] = answer(headers={"ETag": f'"{md5(IMAGES["002.tiff"])}"'})
    assert fetch("midogpp").unverified == ("MIDOGpp.json", "001.tiff", "003.tiff")


def test_a_file_that_the_archive_does_not_list_is_looked_up_once(figshare, fetch):
    figshare.files["/v2/articles/1003/files"] = b"[]"
    assert fetch("midogpp").unverified == ("MIDOGpp.json",)
    figshare.requests.clear()
    assert fetch("midogpp").unverified == ("MIDOGpp.json",)
    assert figshare.requests == []


def test_progress_is_told_of_the_checksums(figshare, fetch):
    reported = []
    fetch("midogpp", on_progress=lambda *what: reported.append(what))
    assert reported[:4] == [("checksums", count, 4) for count in (1, 2, 3, 4)]


def test_the_real_list_of_midogpp_is_fetched_by_its_ids(
    shared, shipped, archive, answer, fetch, tmp_path
):
    shutil.copyfile(
        shared / "data" / "annotations" / "midogpp_files.csv", shipped / "midogpp_files.csv"
    )
    archive.files |= {"/store/41265615": ANNOTATION, "/store/40283740": IMAGES["001.tiff"]}
    report = fetch("midogpp", only=["553.tiff"])
    assert report.fetched == ("MIDOGpp.json", "553.tiff")
    assert (tmp_path / "data" / "images" / "553.tiff").read_bytes() == IMAGES["001.tiff"]
    with pytest.raises(
        DownloadError, match=r"no file 151.tiff; its images are 001.tiff to 553.tiff"
    ):
        fetch("midogpp", only=["151.tiff"])
