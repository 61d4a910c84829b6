"""MIDOG 2021 and MIDOG++ from the archives that publish them, laid out as a data folder, checked
and resumable."""

from __future__ import annotations

import csv
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

from midog.config.shipped import shipped_dir
from midog.data.download import transfer
from midog.data.download.transfer import (
    GO_ON,
    FileError,
    Received,
    RemoteFile,
    disk_errors,
    size_of,
)
from midog.errors import DownloadError
from midog.files import replace_bytes, replace_text, to_json

logger = logging.getLogger(__name__)

Dataset = Literal["midog21", "midogpp"]
MANIFEST = ".midog-download"
"""Name of the file in the data folder that keeps what the archive publishes and what of it is here
(JSON)."""

_ANNOTATIONS: dict[Dataset, str] = {"midog21": "MIDOG.json", "midogpp": "MIDOGpp.json"}
_ZENODO_RECORD = 4643381  # 'MIDOG Challenge 2021: training set'
_FIGSHARE_COLLECTION = (
    6615571  # 'MIDOG++', 10.6084/m9.figshare.c.6615571.v1: an article for each file
)
_FIGSHARE_REPLACED = {
    "40283737": "41265615"
}  # MIDOGpp.json: the id of its private draft, and of what was published
_TOLD = 5  # failed files that an error names
_FIGSHARE_PAUSE_S = 1.0  # figshare asks for no more than one API request a second


@dataclass(frozen=True)
class Sources:
    """Where the archives are. figshare_files are doors to the same files, tried in this order."""

    zenodo: str = "https://zenodo.org"
    figshare_api: str = "https://api.figshare.com/v2"
    figshare_files: tuple[str, ...] = (
        "https://ndownloader.figshare.com/files",
        "https://api.figshare.com/v2/file/download",
        "https://figshare.com/ndownloader/files",  # lets browsers in, and mostly not programs
    )


@dataclass(frozen=True)
class DownloadReport:
    """What a download did. Names are the archive's, in its order.

    fetched: files that came now; skipped: files that were whole already; unverified: those of both
    whose published md5 could not be had, so that only their size was checked, and that only if the
    server said it.
    """

    folder: Path
    fetched: tuple[str, ...]
    skipped: tuple[str, ...]
    unverified: tuple[str, ...]
    bytes_fetched: int


@dataclass(frozen=True)
class _Sum:
    """Bytes and md5 of a file; None where they could not be had."""

    size: int | None = None
    md5: str | None = None


@dataclass
class _Manifest:
    """What the archive publishes, by the archive's key, and what is whole in the folder, by
    name."""

    path: Path
    dataset: Dataset
    published: dict[str, _Sum] = field(default_factory=dict)
    done: dict[str, _Sum] = field(default_factory=dict)

    def save(self) -> None:
        tree = asdict(self)
        del tree["path"]
        replace_text(self.path, to_json(tree, indent=0), DownloadError)


@dataclass(frozen=True)
class _Line:
    """How this download reaches the archives, and whom it tells."""

    sources: Sources
    progress: Callable[[str, int, int], None]
    retries: int
    sleep: Callable[[float], None]

    def get(self, url: str) -> Any:
        return transfer.fetch_json(url, retries=self.retries, sleep=self.sleep)

    def fetch(self, file: RemoteFile) -> Received:
        on_bytes = partial(self.progress, file.name)
        return transfer.fetch_file(file, retries=self.retries, sleep=self.sleep, on_bytes=on_bytes)


def download(
    dataset: Dataset,
    folder: Path,
    *,
    only: Sequence[str] | None = None,
    sources: Sources = Sources(),
    on_progress: Callable[[str, int, int], None] | None = None,
    retries: int = 5,
    sleep: Callable[[float], None] = time.sleep,
) -> DownloadReport:
    """Fetch a data set into `folder`: images/, one annotation file, split.csv; what is there and
    whole is kept.

    only: names of the images to fetch ("001.tiff"), None for all; the annotation file comes in any
    case.
    on_progress: told a file's name, its bytes that are here, and its bytes in all (0: not known).
    While checksums are looked up it is told "checksums" and counts of files.
    retries: how many times in a row a file may break off without a byte gained; sleep: waits so
    many seconds. Raises DownloadError for unknown names, a folder of another data set, too little
    room, a network that fails for good (what came so far stays and is resumed), and, after all
    others are done, for files that cannot be had.
    """
    if dataset not in get_args(Dataset):
        raise DownloadError(
            f"there is no data set {dataset!r} to download",
            f"write {' or '.join(get_args(Dataset))}",
        )
    line = _Line(sources, on_progress or (lambda name, here, total: None), retries, sleep)
    keys = _catalogue(dataset)
    names = _restrict(list(keys), only)
    manifest = _open_manifest(folder, dataset)
    _lay_split(dataset, folder)
    _look_up(manifest, keys, names, line)
    files = [_remote_file(name, keys[name], manifest, sources) for name in names]
    skipped = [file for file in files if _is_here(file, manifest, line)]
    pending = [file for file in files if file not in skipped]
    manifest.save()
    transfer.check_room(folder, pending)
    _fetch_all(pending, keys, manifest, line)
    return DownloadReport(
        folder=folder,
        fetched=tuple(file.name for file in pending),
        skipped=tuple(file.name for file in skipped),
        unverified=tuple(
            name for name in names if manifest.published.get(keys[name], _Sum()).md5 is None
        ),
        bytes_fetched=sum(size_of(file.path) for file in pending),
    )


def _catalogue(dataset: Dataset) -> dict[str, str]:
    """Names of the files, annotation first, with the archive's key of each: the name at Zenodo, an
    id at figshare."""
    annotation = _ANNOTATIONS[dataset]
    if dataset == "midog21":
        return {annotation: annotation} | {
            row["file_name"]: row["file_name"] for row in _shipped_rows("midog21.csv")
        }
    ids = {row["file_name"]: row["figshare_file_id"] for row in _shipped_rows("midogpp_files.csv")}
    images = {name: key for name, key in ids.items() if name.endswith(".tiff")}
    return {annotation: _FIGSHARE_REPLACED.get(ids[annotation], ids[annotation])} | images


def _shipped_rows(name: str) -> list[dict[str, str]]:
    with (shipped_dir("data_splits") / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _restrict(names: list[str], only: Sequence[str] | None) -> list[str]:
    """Those of `names` in `only`, in order, and the first, which is the annotation file."""
    if only is None:
        return names
    if unknown := [name for name in only if name not in names]:
        raise DownloadError(
            f"the data set has no file {', '.join(unknown)}",
            f"its images are {names[1]} to {names[-1]}",
        )
    return [name for name in names if name in only or name == names[0]]


def _open_manifest(folder: Path, dataset: Dataset) -> _Manifest:
    """The folder's manifest; the folder is made where it is not there, a manifest that cannot be
    read begun anew."""
    path = folder / MANIFEST
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        others = [
            each.name for each in folder.glob("[!.]*.json") if each.name != _ANNOTATIONS[dataset]
        ]
    if others:
        raise DownloadError(
            f"{folder} holds other data, {', '.join(sorted(others))}", "give another folder"
        )
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        published, done = (
            {k: _Sum(**v) for k, v in tree[part].items()} for part in ("published", "done")
        )
        return _Manifest(path, dataset, published, done)
    except FileNotFoundError:
        return _Manifest(path, dataset)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        logger.warning("%s cannot be read; the files that are here are checked anew", path)
        return _Manifest(path, dataset)


def _lay_split(dataset: Dataset, folder: Path) -> None:
    """Copy the shipped split; one that is there may be the user's own and is kept."""
    place = folder / "split.csv"
    if not place.exists():
        content = (shipped_dir("data_splits") / f"{dataset}.csv").read_bytes()
        replace_bytes(place, content, DownloadError)


def _look_up(manifest: _Manifest, keys: dict[str, str], names: list[str], line: _Line) -> None:
    """Fill `manifest.published` for `names` from the archive's API, as far as it answers."""
    missing = {keys[name] for name in names} - manifest.published.keys()
    if not missing:
        return
    sums = (
        _zenodo_sums(line) if manifest.dataset == "midog21" else _figshare_sums(keys, missing, line)
    )
    try:
        for key, published in sums:
            manifest.published[key] = published
            line.progress("checksums", len(missing & manifest.published.keys()), len(missing))
        # the archive was asked for all there is: what it does not list is not asked for again next
        # time
        manifest.published = dict.fromkeys(missing, _Sum()) | manifest.published
    except (DownloadError, AttributeError, KeyError, TypeError, ValueError) as error:
        logger.warning(
            "the archive does not tell all checksums, some files will only be fetched: %r", error
        )
    finally:
        manifest.save()


def _zenodo_sums(line: _Line) -> Iterator[tuple[str, _Sum]]:
    """Name, size and md5 of each file of the record. InvenioRDM lists `entries`, Zenodo's own form
    is a plain list."""
    listed = line.get(f"{line.sources.zenodo}/api/records/{_ZENODO_RECORD}")["files"]
    entries = listed["entries"] if isinstance(listed, dict) else listed
    for entry in entries.values() if isinstance(entries, dict) else entries:
        yield entry["key"], _Sum(int(entry["size"]), transfer.md5_in(entry["checksum"]))


def _figshare_sums(
    keys: dict[str, str], missing: set[str], line: _Line
) -> Iterator[tuple[str, _Sum]]:
    """Id, size and md5 of files, article by article, until all that were missing are found."""
    api = line.sources.figshare_api
    # smaller pages are said to repeat and omit articles; one of 1,000 holds all 506
    listed = line.get(f"{api}/collections/{_FIGSHARE_COLLECTION}/articles?page_size=1000&page=1")
    articles = sorted(article["id"] for article in listed)
    # Which article has a file is not told before it is asked. Both were numbered as they came in,
    # so the article is sought near the file's rank, which spares hundreds of requests where few
    # files are wanted.
    ranks = [rank for rank, key in enumerate(sorted(keys.values(), key=int)) if key in missing]
    left = set(missing)
    for at in sorted(range(len(articles)), key=lambda at: min(abs(at - rank) for rank in ranks)):
        for entry in line.get(f"{api}/articles/{articles[at]}/files"):
            left.discard(str(entry["id"]))
            yield str(entry["id"]), _Sum(int(entry["size"]), transfer.md5_in(entry["computed_md5"]))
        if not left:
            return
        line.sleep(_FIGSHARE_PAUSE_S)


def _remote_file(name: str, key: str, manifest: _Manifest, sources: Sources) -> RemoteFile:
    folder = manifest.path.parent
    path = folder / name if name == _ANNOTATIONS[manifest.dataset] else folder / "images" / name
    if manifest.dataset == "midog21":
        urls: tuple[str, ...] = (
            f"{sources.zenodo}/records/{_ZENODO_RECORD}/files/{quote(key)}?download=1",
            # the API's address does not resume
            f"{sources.zenodo}/api/records/{_ZENODO_RECORD}/files/{quote(key)}/content",
        )
    else:
        urls = tuple(f"{door}/{key}" for door in sources.figshare_files)
    published = manifest.published.get(key, _Sum())
    return RemoteFile(name, path, urls, published.size, published.md5)


def _is_here(file: RemoteFile, manifest: _Manifest, line: _Line) -> bool:
    """Whether the file is whole and as published; one that the manifest does not know is hashed,
    once."""
    if not file.path.is_file():
        return False
    size = size_of(file.path)
    known = manifest.done.get(file.name)
    if known is None or known.size != size:
        if file.md5 is None:
            return False
        known = _Sum(size, transfer.md5_of(file.path))
    if file.md5 not in (None, known.md5):
        logger.warning("%s is not as published and is fetched anew", file.path)
        return False
    manifest.done[file.name] = known
    line.progress(file.name, size, size)
    return True


def _fetch_all(
    pending: list[RemoteFile], keys: dict[str, str], manifest: _Manifest, line: _Line
) -> None:
    """Fetch the files one by one; those that cannot be had are named in one error, after the others
    are done."""
    failures = []
    for file in pending:
        try:
            received = line.fetch(file)
        except FileError as error:
            failures.append(error.what)
            continue
        manifest.done[file.name] = _Sum(received.size, received.md5)
        if received.verified:
            manifest.published[keys[file.name]] = manifest.done[file.name]
        manifest.save()
    if failures:
        more = f"; and {len(failures) - _TOLD} more" if len(failures) > _TOLD else ""
        raise DownloadError(
            f"{len(failures)} of {len(pending)} files cannot be had:"
            f" {'; '.join(failures[:_TOLD])}{more}",
            f"the others are in {manifest.path.parent}; {GO_ON}",
        )
