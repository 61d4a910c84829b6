"""Whole data sets from an archive that lies, breaks off and comes back: what is laid out, resumed,
checked, said."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from midog.data.download import archives as module
from midog.data.download.archives import MANIFEST, Sources, download
from midog.data.download.transfer import GO_ON
from midog.errors import DownloadError

IMAGES = {f"{number:03d}.tiff": bytes([number]) * (900 + number) for number in (1, 2, 3)}
ANNOTATION = b'{"images": []}'
SPLIT = "file_name,scanner,patient,split\n" + "".join(
    f"{name},Hamamatsu XR,{name},train\n" for name in IMAGES
)
IDS = {"001.tiff": 40282099, "002.tiff": 40282102, "003.tiff": 40282111, "MIDOGpp.json": 41265615}
RECORD = "/records/4643381/files"
API_RECORD = "/api/records/4643381"
COLLECTION = "/v2/collections/6615571/articles"


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture(autouse=True)
def shipped(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped splits, of three images; the list of figshare ids as its authors first wrote
    it."""
    folder = tmp_path_factory.mktemp("data_splits")
    (folder / "midog21.csv").write_text(SPLIT)
    (folder / "midogpp.csv").write_text(SPLIT)
    ids = IDS | {"MIDOGpp.json": 40283737, "MIDOGpp.sqlite": 40283743}
    rows = "".join(f"{name},{key}\n" for name, key in ids.items())
    (folder / "midogpp_files.csv").write_text("file_name,figshare_file_id\n" + rows)
    monkeypatch.setattr(module, "shipped_dir", lambda name: folder)
    return folder


@pytest.fixture
def zenodo(archive):
    """Zenodo with the record of MIDOG 2021, and a file that is no part of the data set."""
    files = {"MIDOG.json": ANNOTATION, **IMAGES, "MIDOG.sqlite": b"not wanted"}
    archive.files |= {f"{RECORD}/{name}": content for name, content in files.items()}
    archive.files |= {
        f"{API_RECORD}/files/{name}/content": content for name, content in files.items()
    }
    listed = [
        {"key": name, "size": len(x), "checksum": "md5:" + md5(x), "links": {}}
        for name, x in files.items()
    ]
    archive.files[API_RECORD] = json.dumps({"id": 4643381, "files": listed}).encode()
    return archive


@pytest.fixture
def figshare(archive):
    """Figshare with the collection of MIDOG++: an article for each file, numbered in the order of
    the files."""
    files = {"MIDOGpp.json": ANNOTATION, **IMAGES}
    articles = {
        1000 + rank: name for rank, name in enumerate(sorted(files, key=lambda name: IDS[name]))
    }
    archive.files[COLLECTION] = json.dumps(
        [{"id": article} for article in reversed(articles)]
    ).encode()
    for article, name in articles.items():
        entry = {"id": IDS[name], "size": len(files[name]), "computed_md5": md5(files[name])}
        archive.files[f"/v2/articles/{article}/files"] = json.dumps([entry]).encode()
        archive.files[f"/store/{IDS[name]}"] = files[name]
    return archive


@pytest.fixture
def fetch(archive, tmp_path: Path):
    """`download` into tmp_path/data from the local archive, without waiting."""
    sources = Sources(
        archive.url, archive.url + "/v2", (archive.url + "/gate", archive.url + "/store")
    )

    def run(dataset: str = "midog21", **settings):
        settings = {"sources": sources, "sleep": lambda seconds: None, **settings}
        return download(dataset, tmp_path / "data", **settings)

    return run


def assert_laid_out(folder: Path, annotation: str, images: dict[str, bytes] = IMAGES) -> None:
    """Exactly the files of a data folder, with the published bytes, and nothing half-written."""
    contents = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    del contents[MANIFEST]
    published = {f"images/{name}": content for name, content in images.items()}
    assert contents == {annotation: ANNOTATION, "split.csv": SPLIT.encode(), **published}


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


def test_the_record_is_read_in_invenios_own_form_too(zenodo, fetch):
    listed = json.loads(zenodo.files[API_RECORD])["files"]
    entries = {"files": {"count": 5, "entries": {entry["key"]: entry for entry in listed}}}
    zenodo.files[API_RECORD] = json.dumps(entries).encode()
    assert fetch().unverified == ()


def test_the_api_serves_what_the_record_page_does_not(zenodo, fetch, tmp_path):
    del zenodo.files[f"{RECORD}/002.tiff"]
    fetch()
    assert_laid_out(tmp_path / "data", "MIDOG.json")


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
    assert GO_ON in str(caught.value)
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
        match=r"^1 of 4 files cannot be had: 002.tiff: 127.0.0.1:\d+ answered 404; the",
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
        DownloadError, match="no data set 'midog25' to download; write midog21 or midogpp"
    ):
        fetch("midog25")
    assert zenodo.requests == []
    assert not (tmp_path / "data").exists()


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
    assert "does not tell all checksums" in caplog.text

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


@pytest.mark.parametrize("status", [None, 404])
def test_an_image_that_lost_bytes_is_fetched_anew(zenodo, answer, fetch, tmp_path, status):
    zenodo.manner[API_RECORD] = answer(status=status)
    fetch()
    (tmp_path / "data" / "images" / "002.tiff").write_bytes(b"short")
    assert fetch().fetched == ("002.tiff",)
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


def test_a_folder_that_cannot_be_made_is_an_error(zenodo, fetch, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DownloadError, match="data cannot be written: File exists"):
        fetch()


def test_progress_is_told_of_each_file_also_of_those_that_are_here(zenodo, fetch):
    told = {}
    fetch(only=["001.tiff"])
    fetch(on_progress=lambda name, here, total: told.update({name: (here, total)}))
    assert told == {"MIDOG.json": (14, 14)} | {
        name: (len(content),) * 2 for name, content in IMAGES.items()
    }


def test_progress_is_told_of_the_checksums(figshare, fetch):
    told = []
    fetch("midogpp", on_progress=lambda *what: told.append(what))
    assert told[:4] == [("checksums", count, 4) for count in (1, 2, 3, 4)]


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
