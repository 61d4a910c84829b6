"""The archives of MIDOG 2021 and PatchCamelyon (Zenodo) and MIDOG++ (figshare): files, checksums,
URLs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from midog.config.shipped import shipped_dir
from midog.data.download.manifest import Checksum
from midog.data.download.remote_file import LARGEST, md5_in

Dataset = Literal["midog21", "midogpp", "pcam"]

ANNOTATIONS: dict[Dataset, str] = {"midog21": "MIDOG.json", "midogpp": "MIDOGpp.json"}
"""Name of the annotation file of each data set of ROIs; their images come into images/."""

_ZENODO_RECORDS: dict[Dataset, int] = {
    "midog21": 4643381,  # 'MIDOG Challenge 2021: training set'
    "pcam": 2546921,  # 'PatchCamelyon'
}
_PCAM_FILES = tuple(
    f"camelyonpatch_level_2_split_{part}_{what}"
    for part in ("train", "valid", "test")
    for what in ("meta.csv", "y.h5.gz", *(("mask.h5.gz",) if part == "train" else ()), "x.h5.gz")
)
_FIGSHARE_COLLECTION = 6615571
"""'MIDOG++', 10.6084/m9.figshare.c.6615571.v1, which has an article for each file."""
_FIGSHARE_REPLACED = {"40283737": "41265615"}
"""MIDOGpp.json: the id of its private draft, and of what was published."""
_FIGSHARE_PAGE = 1000
_FIGSHARE_PAUSE_S = 1.0  # figshare asks for no more than one API request a second


@dataclass(frozen=True)
class Sources:
    """Where the archives are. figshare_files serve the same files and are tried in this order."""

    zenodo: str = "https://zenodo.org"
    figshare_api: str = "https://api.figshare.com/v2"
    figshare_files: tuple[str, ...] = (
        "https://ndownloader.figshare.com/files",
        "https://api.figshare.com/v2/file/download",
        "https://figshare.com/ndownloader/files",  # serves browsers, and mostly not programs
    )


def catalogue(dataset: Dataset) -> dict[str, str]:
    """The files of a data set, the annotation of ROIs first, with the archive's key of each.

    The key is the name at Zenodo, an id at figshare.
    """
    if dataset == "pcam":
        return {name: name for name in _PCAM_FILES}
    annotation = ANNOTATIONS[dataset]
    if dataset == "midog21":
        return {annotation: annotation} | {
            row["file_name"]: row["file_name"] for row in _shipped_rows("midog21.csv")
        }
    ids = {row["file_name"]: row["figshare_file_id"] for row in _shipped_rows("midogpp_files.csv")}
    images = {name: key for name, key in ids.items() if name.endswith(".tiff")}
    return {annotation: _FIGSHARE_REPLACED.get(ids[annotation], ids[annotation])} | images


def urls_of(dataset: Dataset, key: str, sources: Sources) -> tuple[str, ...]:
    """Where the file of that key is served, the best URL first."""
    if dataset == "midogpp":
        return tuple(f"{base}/{key}" for base in sources.figshare_files)
    record = _ZENODO_RECORDS[dataset]
    return (
        f"{sources.zenodo}/records/{record}/files/{quote(key)}?download=1",
        # the API's address does not resume
        f"{sources.zenodo}/api/records/{record}/files/{quote(key)}/content",
    )


def published_checksums(
    dataset: Dataset,
    keys: dict[str, str],
    missing: set[str],
    sources: Sources,
    get: Callable[[str], Any],
    sleep: Callable[[float], None],
) -> Iterator[tuple[str, Checksum]]:
    """Checksums by key as the archive's API lists them, until all that are missing were given.

    Args:
        dataset: the data set.
        keys: all its keys, by file name.
        missing: keys whose checksums are wanted; others may be given as well.
        sources: where the archives are.
        get: fetches and parses a URL's JSON.
        sleep: waits so many seconds.

    Raises:
        DownloadError: where the API does not answer.
        AttributeError, KeyError, TypeError, ValueError: where its answer has another form.
    """
    if dataset in _ZENODO_RECORDS:
        return _zenodo_checksums(_ZENODO_RECORDS[dataset], sources, get)
    return _figshare_checksums(keys, missing, sources, get, sleep)


def _shipped_rows(name: str) -> list[dict[str, str]]:
    with (shipped_dir("data_splits") / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _zenodo_checksums(
    record: int, sources: Sources, get: Callable[[str], Any]
) -> Iterator[tuple[str, Checksum]]:
    """All files of the record. InvenioRDM lists `entries`, Zenodo's own form is a plain list."""
    listed = get(f"{sources.zenodo}/api/records/{record}")["files"]
    entries = listed["entries"] if isinstance(listed, dict) else listed
    for entry in entries.values() if isinstance(entries, dict) else entries:
        yield str(entry["key"]), _checksum(entry["size"], entry["checksum"])


def _checksum(size: Any, md5: Any) -> Checksum:
    """What an archive states of a file.

    Raises:
        ValueError: where that is no size of a file and no digest.
    """
    if type(size) is not int or not 0 <= size <= LARGEST:
        raise ValueError(f"a file of {size!r:.40} bytes is listed")
    return Checksum(size, md5_in(str(md5)))


def _figshare_checksums(
    keys: dict[str, str],
    missing: set[str],
    sources: Sources,
    get: Callable[[str], Any],
    sleep: Callable[[float], None],
) -> Iterator[tuple[str, Checksum]]:
    """Files article by article, until all that were missing are given.

    Only asking an article shows which file it has. Both were numbered as they came in, so articles
    near a file's rank are asked first, which spares hundreds of requests where few files are
    wanted.
    """
    api = sources.figshare_api
    # smaller pages are said to repeat and omit articles; one of 1,000 holds all 506
    listed = get(
        f"{api}/collections/{_FIGSHARE_COLLECTION}/articles?page_size={_FIGSHARE_PAGE}&page=1"
    )
    articles = sorted(int(article["id"]) for article in listed[:_FIGSHARE_PAGE])
    ranks = [rank for rank, key in enumerate(sorted(keys.values(), key=int)) if key in missing]
    left = set(missing)
    for at in sorted(range(len(articles)), key=lambda at: min(abs(at - rank) for rank in ranks)):
        for entry in get(f"{api}/articles/{articles[at]}/files"):
            left.discard(str(entry["id"]))
            yield str(entry["id"]), _checksum(entry["size"], entry["computed_md5"])
        if not left:
            return
        sleep(_FIGSHARE_PAUSE_S)
