"""The labelled patches of a folder, in whichever layout it has them."""

from __future__ import annotations

from pathlib import Path

from midog.data.patches.folders import Folders, read_folders
from midog.data.patches.hdf5 import read_hdf5, stems_in
from midog.data.patches.patch_set import PatchData
from midog.data.patches.places import is_index, read_places
from midog.errors import DataError


def read_patches(folder: Path | str, stem: str, how: Folders) -> PatchData:
    """Read what is known of the labelled patches of a folder but their pixels.

    Args:
        folder: With STEM_split_train_x.h5 and so on, an index of places, or class folders.
        stem: Of HDF5 files.
        how: Class folders are read; of it HDF5 files and indices take the classes' names.

    Raises:
        DataError: It has neither, or what it has cannot be read.
        ConfigError: As `read_folders`.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"no folder {folder}",
            "name the folder of the patches with {data.dir}",
            {"data.dir": None},
        )
    if is_index(folder):
        return read_places(folder, how.classes)
    stems = stems_in(folder)
    if stem in stems:
        return read_hdf5(folder, stem, how.classes)
    if stems:
        raise DataError(
            f"{folder} has no {stem}_split_train_x.h5; it has {', '.join(stems):.300}",
            "name the data set with {task.stem}",
            {"task.stem": stems[0]},
        )
    return read_folders(folder, how)
