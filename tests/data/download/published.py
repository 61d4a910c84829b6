"""A data set of three images as its archives publish it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from midog.data.download.manifest import MANIFEST
from midog.data.download.remote_file import RemoteFile

IMAGES = {f"{number:03d}.tiff": bytes([number]) * (900 + number) for number in (1, 2, 3)}
ANNOTATION = b'{"images": []}'
SPLIT = "file_name,scanner,patient,split\n" + "".join(
    f"{name},Hamamatsu XR,{name},train\n" for name in IMAGES
)
IDS = {"001.tiff": 40282099, "002.tiff": 40282102, "003.tiff": 40282111, "MIDOGpp.json": 41265615}
RECORD = "/records/4643381/files"
API_RECORD = "/api/records/4643381"
COLLECTION = "/v2/collections/6615571/articles"
BYTES = bytes(range(256)) * 4  # 1,024 that differ along the file
URL_PATH = "/files/001.tiff"

PCAM_RECORD, PCAM_API_RECORD = "/records/2546921/files", "/api/records/2546921"
PCAM_CONTENTS = {
    f"camelyonpatch_level_2_split_{part}_{what}": f"{part} {what} ".encode() * 300
    for part in ("train", "valid", "test")
    for what in ("meta.csv", "y.h5", *(("mask.h5",) if part == "train" else ()), "x.h5")
}
"""What PatchCamelyon's folder holds in the end."""


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


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


def without_sum(file: RemoteFile) -> RemoteFile:
    return RemoteFile(file.name, file.path, file.urls)


def is_untouched(file: RemoteFile) -> bool:
    return not file.path.exists()


def pcam_files() -> dict[str, bytes]:
    """The files as Zenodo serves them: HDF5 is packed."""
    return {
        f"{name}.gz" if name.endswith(".h5") else name: (
            gzip.compress(content, mtime=0) if name.endswith(".h5") else content
        )
        for name, content in PCAM_CONTENTS.items()
    }
