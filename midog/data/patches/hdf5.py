"""Patches as PatchCamelyon ships them: HDF5 files of pixels and labels, and a CSV of slides."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.data.csv_text import read_table
from midog.data.patches.patch_set import (
    LARGEST_SIDE,
    MOST_PATCHES,
    PATCH_ROLES,
    PatchData,
    PatchSet,
    settled,
)
from midog.data.text_file import raise_problems, read_text
from midog.errors import DataError
from midog.images.pixels import Pixels

logger = logging.getLogger(__name__)

_WHOLE = "get the file again: it is another one, cut short or damaged"
_SPLIT = "_split_"
_BLOCK_BYTES = 2**26


def stems_in(folder: Path) -> list[str]:
    """Return the stems of the data sets of this layout in a folder."""
    ends = [f"{_SPLIT}{name}_x.h5" for name in PATCH_ROLES.values()]
    return sorted({file.name.removesuffix(end) for end in ends for file in folder.glob(f"*{end}")})


def read_hdf5(folder: Path, stem: str, classes: tuple[str, ...] = ()) -> PatchData:
    """Read labels and slides of STEM_split_{train,valid,test}_{x,y}.h5 and their _meta.csv.

    The layout is that of PatchCamelyon (Veeling et al. 2018): dataset x (N, S, S, 3) uint8, dataset
    y (N, 1, 1, 1) of 0 and 1, and a CSV with a line per patch, whose column wsi names its slide.

    Args:
        folder: Of the files.
        stem: Of their names.
        classes: Names of labels 0 and 1; none: "0" and "1".

    Raises:
        DataError: A file is missing, damaged, or contradicts another.
    """
    sets = []
    for role, name in PATCH_ROLES.items():
        base = f"{stem}_split_{name}"
        pixels, labels = (folder / f"{base}_{which}.h5" for which in "xy")
        if pixels.exists() or labels.exists():
            masks = folder / f"{base}_mask.h5"
            own = _read_set(role, pixels, labels, folder / f"{base}_meta.csv")
            sets.append(replace(own, masks=masks if masks.exists() else None))
    if not sets:
        raise DataError(
            f"{folder} has no {stem}_split_train_x.h5 and no other part of it", "name a stem"
        )
    names = (classes[0], classes[1]) if classes else ("0", "1")
    return settled(f"{folder}/{stem}", names, sets)


def blocks_of(path: Path) -> Iterator[Pixels]:
    """Yield the patches of a file of this layout in order, some 64 MB at a time.

    The file is opened once, and each of its chunks is unpacked once.

    Yields:
        (n, S, S, 3) uint8.

    Raises:
        DataError: It is none, or its pixels cannot be read.
    """
    with _pixels(path) as data:
        count, side = data.shape[:2]
        chunk = data.chunks[0] if data.chunks else 1
        rows = chunk * max(1, _BLOCK_BYTES // (chunk * 3 * side**2))
        for begin in range(0, count, rows):
            yield data[begin : begin + rows]


def masks_of(path: Path, shape: tuple[int, ...], out: NDArray[np.uint8]) -> None:
    """Read the masks of patches: dataset mask (N, S, S, 1), 0, or what is tumour: 1 or 255.

    Args:
        path: The file.
        shape: (N, S) of the patches.
        out: (N, S, S, 1), overwritten by 0 and 1.

    Raises:
        DataError: It is none, is of other patches, or holds other values.
    """
    count, side = shape
    with _dataset(path, "mask") as data:
        if data.shape not in ((count, side, side), (count, side, side, 1)):
            raise DataError(
                f"{path} has masks of shape {_shape(data)} for {count} patches of {side} px",
                "keep the files of one data set together",
            )
        rows = max(1, _BLOCK_BYTES // side**2)
        for begin in range(0, count, rows):
            values = np.asarray(data[begin : begin + rows]).reshape(-1, side, side, 1)
            if not np.isin(values, (0, 1, 255)).all():
                raise DataError(
                    f"{path} holds masks of other values than 0 and 1, or 0 and 255",
                    "write 1 where there is tumour",
                )
            out[begin : begin + rows] = values != 0


@contextmanager
def _pixels(path: Path) -> Iterator[Any]:
    """The pixels of a file of this layout: a dataset (N, S, S, 3) uint8."""
    with _dataset(path, "x") as data:
        count, side = (data.shape[0], data.shape[1]) if data.ndim == 4 else (0, 0)
        if data.dtype != np.uint8 or data.shape != (count, side, side, 3):
            raise DataError(
                f"{path}: dataset x is {data.dtype} of shape {_shape(data)}",
                "give square patches (N, S, S, 3) uint8",
            )
        if not 1 <= count <= MOST_PATCHES or not 1 <= side <= LARGEST_SIDE:
            raise DataError(
                f"{path}: {count} patches of {side} px",
                f"give 1 to {MOST_PATCHES:,} patches of 1 to {LARGEST_SIDE} px",
            )
        yield data


def _read_set(role: str, pixels: Path, labels: Path, meta: Path) -> PatchSet:
    with _pixels(pixels) as data:
        count, side = data.shape[:2]
    known = _read_labels(labels, count, pixels.name)
    columns = _read_meta(meta, count, pixels.name) if meta.exists() else {}
    slides = columns.pop("wsi", ())
    _compare(meta, known, columns.get("center_tumor_patch", columns.get("tumor_patch", ())))
    further = {name: values for name, values in columns.items() if name.strip()}
    names = [f"{pixels.name.removesuffix('.h5')}[{number}]" for number in range(count)]
    return PatchSet(role, side, known, tuple(slides), names, (pixels,), further)


def _read_labels(path: Path, count: int, pixels: str) -> IntArray:
    with _dataset(path, "y") as data:
        if data.shape != (count, *[1] * (data.ndim - 1)):
            raise DataError(
                f"{path} has labels of shape {_shape(data)} for the {count} patches of {pixels}",
                "keep the files of one data set together",
            )
        values = np.asarray(data[()]).reshape(count)
    wrong = np.flatnonzero(~np.isin(values, (0, 1)))
    if len(wrong):
        raise DataError(
            f"{path}: the label of patch {wrong[0]} is {values[wrong[0]]}",
            "labels are 0 and 1",
        )
    return values.astype(np.int64)


def _read_meta(path: Path, count: int, pixels: str) -> dict[str, tuple[str, ...]]:
    """The columns of a CSV of patches, by name; wsi is one of them."""
    table = read_table(path, read_text(path).text)
    raise_problems(table.problems)
    if "wsi" not in table.header:
        raise DataError(
            f"{path} has no column wsi; its columns are {', '.join(table.header):.200}",
            "write the slide of each patch under that name",
        )
    if len(table.lines) != count:
        raise DataError(
            f"{path} has {len(table.lines)} lines for the {count} patches of {pixels}",
            "keep the files of one data set together",
        )
    for where, cells in table.lines:
        if not cells["wsi"]:
            raise DataError(f"{where}: wsi is empty", "name the slide of each patch")
    return {name: tuple(cells[name] for _, cells in table.lines) for name in table.header}


def _compare(meta: Path, labels: IntArray, stated: tuple[str, ...]) -> None:
    """Say where labels that a CSV repeats are others: its lines may be of other patches."""
    told = {"true": 1, "1": 1, "false": 0, "0": 0}
    repeated = [told.get(value.lower(), -1) for value in stated]
    other = sum(mine not in (-1, own) for mine, own in zip(repeated, labels.tolist(), strict=False))
    if other:
        logger.warning(
            "%s states other labels than the HDF5 for %d of %d patches: if its lines are of another"
            " order, so are the slides, and intervals over them mean nothing",
            meta,
            other,
            len(labels),
        )


@contextmanager
def _dataset(path: Path, name: str) -> Iterator[Any]:
    """A dataset of an HDF5 file that lies in the file itself; read errors become one line."""
    import h5py

    if not path.is_file():
        packed = path.with_name(f"{path.name}.gz")
        fix = f"unpack it: gunzip {packed}" if packed.is_file() else "put it into the folder"
        raise DataError(f"{path} does not exist", fix)
    try:
        with h5py.File(path, "r") as file:
            link = file.get(name, getlink=True)
            data = file.get(name) if isinstance(link, h5py.HardLink) else None
            if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external:
                raise DataError(f"{path} holds no dataset {name}", _WHOLE)
            yield data
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read as HDF5: {reason:.200}", _WHOLE) from None


def _shape(data: Any) -> str:
    return "x".join(map(str, data.shape)) or "()"
