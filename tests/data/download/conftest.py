"""Archives on this machine, and a download from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midog.data.download import archives
from midog.data.download import download as download_module
from midog.data.download.archives import Sources
from midog.data.download.download import download
from midog.data.download.remote_file import RemoteFile
from tests.data.download.published import (
    ANNOTATION,
    API_RECORD,
    BYTES,
    COLLECTION,
    IDS,
    IMAGES,
    PCAM_API_RECORD,
    PCAM_RECORD,
    RECORD,
    SPLIT,
    URL_PATH,
    md5,
    pcam_files,
)


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
    for module in (archives, download_module):
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
def pcam(archive):
    """Zenodo with the record of PatchCamelyon, and a file that is not wanted."""
    files = {**pcam_files(), "camelyonpatch_level_2_split_all.h5.gz": b"not wanted"}
    archive.files |= {f"{PCAM_RECORD}/{name}": content for name, content in files.items()}
    listed = [
        {"key": name, "size": len(x), "checksum": "md5:" + md5(x)} for name, x in files.items()
    ]
    archive.files[PCAM_API_RECORD] = json.dumps({"id": 2546921, "files": listed}).encode()
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
