"""Public data sets fetched into a data folder: checked, and resumed where interrupted."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from midog.config.settings import one_of
from midog.config.shipped import shipped_dir
from midog.data.download import transfer
from midog.data.download.archives import (
    ANNOTATIONS,
    Dataset,
    Sources,
    catalogue,
    published_checksums,
    urls_of,
)
from midog.data.download.manifest import Checksum, Manifest, open_manifest
from midog.data.download.remote_file import (
    RESUME,
    FileError,
    Received,
    RemoteFile,
    check_room,
    disk_errors,
    md5_of,
    size_of,
)
from midog.data.download.unpack import is_unpacked, settle
from midog.errors import DownloadError
from midog.files import make_folder, replacing
from midog.locks import locked_or_refused

logger = logging.getLogger(__name__)

_NAMED = 5  # failed files that an error names


@dataclass(frozen=True)
class DownloadReport:
    """What a download did. Names are the archive's, in its order.

    fetched: files that came now. skipped: files that were whole already. unverified: those of both
    of which no md5 is published, so that only their size was checked, if the server stated it.
    """

    folder: Path
    fetched: tuple[str, ...]
    skipped: tuple[str, ...]
    unverified: tuple[str, ...]
    bytes_fetched: int


@dataclass(frozen=True)
class _Connection:
    """How this download reaches the archives, and whom it reports to."""

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
    """Fetch a data set; what is whole is kept.

    One of ROIs has images/, one annotation file and split.csv. PatchCamelyon has HDF5 files, which
    are unpacked, and a CSV of each part.

    Args:
        dataset: midog21, midogpp or pcam.
        folder: the data folder, made where missing.
        only: names of the files to fetch ("001.tiff"), None for all; an annotation file comes in
            any case.
        sources: where the archives are.
        on_progress: called with a file's name, its bytes that are here, and its bytes in all (0:
            unknown); while checksums are fetched, with "checksums" and counts of files.
        retries: how many times in a row a file may break off without a byte gained.
        sleep: waits so many seconds.

    Raises:
        DownloadError: for unknown names, a folder of another data set, too little room, a network
            that fails for good (what came so far stays and is resumed), and, after all others are
            done, for files that are not served.
    """
    if dataset not in get_args(Dataset):
        raise DownloadError(
            f"there is no data set {dataset!r} to download",
            f"write {one_of(get_args(Dataset))}",
        )
    connection = _Connection(
        sources, on_progress or (lambda name, here, total: None), retries, sleep
    )
    keys = catalogue(dataset)
    names = _restrict(list(keys), only, ANNOTATIONS.get(dataset, ""))
    with ExitStack() as stack:
        with disk_errors(folder):
            make_folder(folder)
            stack.enter_context(locked_or_refused(folder, DownloadError))
        return _fetch_into(folder, dataset, keys, names, connection)


def _fetch_into(
    folder: Path,
    dataset: Dataset,
    keys: dict[str, str],
    names: list[str],
    connection: _Connection,
) -> DownloadReport:
    """Fetch the files of those names, keys by name, into a folder that this process holds."""
    manifest = open_manifest(folder, dataset, ANNOTATIONS.get(dataset, ""))
    if dataset in ANNOTATIONS:
        _copy_split(dataset, folder)
    _fetch_checksums(dataset, manifest, keys, names, connection)
    files = [
        _remote_file(dataset, name, keys[name], manifest, connection.sources) for name in names
    ]
    skipped = [
        file
        for file in files
        if is_unpacked(file, manifest) or _is_whole(file, manifest, connection)
    ]
    pending = [file for file in files if file not in skipped]
    manifest.save()
    check_room(folder, pending)
    for file in skipped:
        settle(file, manifest, partial(connection.progress, f"unpacking {file.name}"))
    _fetch_all(pending, keys, manifest, connection)
    published = manifest.published
    return DownloadReport(
        folder=folder,
        fetched=tuple(file.name for file in pending),
        skipped=tuple(file.name for file in skipped),
        unverified=tuple(
            name for name in names if published.get(keys[name], Checksum()).md5 is None
        ),
        bytes_fetched=sum(manifest.done[file.name].size or 0 for file in pending),
    )


def _restrict(names: list[str], only: Sequence[str] | None, annotation: str) -> list[str]:
    """Those of `names` in `only`, in order, and the annotation file, where there is one."""
    if only is None:
        return names
    if unknown := [name for name in only if name not in names]:
        files = f"images are {names[1]} to {names[-1]}"
        raise DownloadError(
            f"the data set has no file {', '.join(unknown)}",
            f"its {files if annotation else 'files are ' + ', '.join(names)}",
        )
    return [name for name in names if name in only or name == annotation]


def _copy_split(dataset: Dataset, folder: Path) -> None:
    """Copy the shipped split; one that exists may be the user's own and is kept."""
    place = folder / "split.csv"
    if not place.exists():
        with disk_errors(place), replacing(place, None) as part:
            shutil.copyfile(shipped_dir("data_splits") / f"{dataset}.csv", part)


def _fetch_checksums(
    dataset: Dataset,
    manifest: Manifest,
    keys: dict[str, str],
    names: list[str],
    connection: _Connection,
) -> None:
    """Fill `manifest.published` for `names` from the archive's API, as far as it answers."""
    missing = {keys[name] for name in names} - manifest.published.keys()
    if not missing:
        return
    try:
        for key, published in published_checksums(
            dataset, keys, missing, connection.sources, connection.get, connection.sleep
        ):
            manifest.published[key] = published
            connection.progress("checksums", len(missing & manifest.published.keys()), len(missing))
        # the archive listed all it has: what it does not list is not asked for again
        manifest.published = dict.fromkeys(missing, Checksum()) | manifest.published
    except (DownloadError, LookupError, AttributeError, TypeError, ValueError) as error:
        logger.warning(
            "the archive does not state all checksums, some files will only be fetched: %r", error
        )
    finally:
        manifest.save()


def _remote_file(
    dataset: Dataset, name: str, key: str, manifest: Manifest, sources: Sources
) -> RemoteFile:
    folder = manifest.path.parent
    annotation = ANNOTATIONS.get(dataset)
    path = folder / name if annotation in (None, name) else folder / "images" / name
    published = manifest.published.get(key, Checksum())
    urls, is_ours = urls_of(dataset, key, sources), name in manifest.done
    keeps_old = not is_ours or name == annotation  # which people edit
    return RemoteFile(name, path, urls, published.size, published.md5, keeps_old)


def _is_whole(file: RemoteFile, manifest: Manifest, connection: _Connection) -> bool:
    """Whether a file is here, as published; one that the manifest does not list is hashed, once."""
    if not file.path.is_file():
        return False
    size = size_of(file.path)
    done = manifest.done.get(file.name)
    if done is None or done.size != size:
        if file.md5 is None:
            return False
        done = Checksum(size, md5_of(file.path))
    if file.md5 not in (None, done.md5):
        logger.info("%s is not as published and is fetched anew", file.path)
        return False
    manifest.done[file.name] = done
    connection.progress(file.name, size, size)
    return True


def _fetch_all(
    pending: list[RemoteFile], keys: dict[str, str], manifest: Manifest, connection: _Connection
) -> None:
    """Fetch files one by one; those that fail are named in one error after the others are done."""
    failures = []
    for file in pending:
        try:
            received = connection.fetch(file)
            manifest.done[file.name] = Checksum(received.size, received.md5)
            if received.verified:
                manifest.published[keys[file.name]] = manifest.done[file.name]
            manifest.save()
            settle(file, manifest, partial(connection.progress, f"unpacking {file.name}"))
        except FileError as error:
            failures.append(error.what)
    if failures:
        more = f"; and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
        raise DownloadError(
            f"{len(failures)} of {len(pending)} files were not fetched:"
            f" {'; '.join(failures[:_NAMED])}{more}",
            f"the others are in {manifest.path.parent}; {RESUME}",
        )
