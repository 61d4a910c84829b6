"""The layout of PatchCamelyon: read as it is, and one line for each file that is not it."""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest

from midog.data.patches import hdf5
from midog.data.patches.hdf5 import blocks_of, masks_of, read_hdf5, stems_in
from midog.errors import DataError
from tests.drawn_patches import SIDE, SIZES, draw, write_hdf5, write_masks, write_x


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_hdf5(tmp_path)


def test_labels_slides_and_sizes_are_read(folder):
    data = read_hdf5(folder, "spots", ("green", "purple"))
    assert data.classes == ("green", "purple")
    assert {role: len(own) for role, own in data.sets.items()} == {
        "train": SIZES["train"],
        "val": SIZES["valid"],
        "test": SIZES["test"],
    }
    test = data.of("test")
    assert (test.side, test.labels.tolist()) == (SIDE, [0, 1] * 16)
    assert test.slides[:5] == ("test0",) * 4 + ("test1",)
    assert test.names[3] == "spots_split_test_x[3]"
    assert test.columns["coord_x"] == ("0",) * 32
    assert stems_in(folder) == ["spots"]


def test_pixels_come_in_blocks_of_whole_chunks(folder, monkeypatch):
    monkeypatch.setattr(hdf5, "_BLOCK_BYTES", 20 * 3 * SIDE**2)
    blocks = list(blocks_of(folder / "spots_split_train_x.h5"))
    assert [len(block) for block in blocks] == [16, 16, 16, 16], "chunks have 8 patches"
    assert np.array_equal(np.concatenate(blocks), draw(64, 0)[0])


def test_without_a_csv_slides_are_unknown(folder, caplog):
    (folder / "spots_split_valid_meta.csv").unlink()
    with caplog.at_level(logging.WARNING, "midog"):
        data = read_hdf5(folder, "spots")
    assert data.of("val").slides == ()
    assert "patches of valid are from" in caplog.text


def test_a_csv_with_other_labels_is_warned_of(folder, caplog):
    path = folder / "spots_split_test_meta.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *lines[1:], lines[0]]))
    with caplog.at_level(logging.WARNING, "midog"):
        read_hdf5(folder, "spots")
    assert "states other labels than the HDF5 for 32 of 32 patches" in caplog.text


def rewrite(path: Path, name: str, values: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file[name] = values


def external(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "x")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def lose_a_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


X, Y, META = (f"spots_split_train_{end}" for end in ("x.h5", "y.h5", "meta.csv"))
ODD = np.zeros((64, SIDE, SIDE, 3), np.uint8)
BAD = [
    (X, lambda path: path.unlink(), "train_x.h5 does not exist"),
    (X, lambda path: path.rename(f"{path}.gz"), "unpack it: gunzip"),
    (X, lambda path: path.write_bytes(b"nothing"), "cannot be read as HDF5"),
    (X, cut, "cannot be read as HDF5"),
    (X, external, "holds no dataset x"),
    (X, lambda path: rewrite(path, "z", ODD), "holds no dataset x"),
    (X, lambda path: rewrite(path, "x", ODD.astype(np.float32)), "float32 of shape 64x32x32x3"),
    (X, lambda path: rewrite(path, "x", ODD[:, :16]), "uint8 of shape 64x16x32x3"),
    (X, lambda path: rewrite(path, "x", ODD[:0]), "0 patches of 32 px"),
    (X, lambda path: write_x(path, ODD[:60]), "labels of shape 64x1x1x1 for the 60 patches"),
    (Y, lambda path: path.unlink(), "train_y.h5 does not exist"),
    (Y, lambda path: rewrite(path, "y", np.full((64, 1, 1, 1), 2)), "label of patch 0 is 2"),
    (Y, lambda path: rewrite(path, "y", np.full((64, 2), 1)), "labels of shape 64x2"),
    (META, lose_a_line, "has 63 lines for the 64 patches"),
    (META, lambda path: path.write_text("a,b\n1,2\n"), "has no column wsi"),
    (META, lambda path: path.write_text("wsi,b\n,2\n" * 1), "has 1 lines"),
]


@pytest.mark.parametrize(("name", "spoil", "expected"), BAD)
def test_what_is_missing_damaged_or_contradicts_is_one_line(folder, name, spoil, expected):
    spoil(folder / name)
    with pytest.raises(DataError) as error:
        read_hdf5(folder, "spots")
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_pixels_that_are_damaged_within_are_one_line(folder):
    path = folder / X
    with h5py.File(path) as file:
        place = file["x"].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    content[place.byte_offset + 5 : place.byte_offset + 400] = bytes(395)
    path.write_bytes(content)
    read_hdf5(folder, "spots")
    with pytest.raises(DataError, match=r"train_x\.h5 cannot be read as HDF5"):
        list(blocks_of(path))


def test_no_file_of_a_stem_is_one_line(folder):
    with pytest.raises(DataError, match="has no other_split_train_x"):
        read_hdf5(folder, "other")


def test_real_files_of_the_layout_are_read(shared):
    data = read_hdf5(shared / "data" / "cells", "amibr")
    assert [len(own) for own in data.sets.values()] == [2515, 379, 826]
    assert {own.side for own in data.sets.values()} == {96}
    assert data.of("test").labels.mean() == pytest.approx(0.2228, abs=1e-4)


def test_masks_are_read_where_they_are_and_whatever_says_tumour(folder, monkeypatch):
    monkeypatch.setattr(hdf5, "_BLOCK_BYTES", 5 * SIDE**2)  # several blocks
    write_masks(folder)
    data = read_hdf5(folder, "spots")
    assert data.of("val").masks is None
    masks = np.full((SIZES["train"], SIDE, SIDE, 1), 7, np.uint8)
    masks_of(data.of("train").masks, masks.shape[:2], masks)
    assert sorted(np.unique(masks)) == [0, 1]
    assert np.array_equal(masks.any(axis=(1, 2, 3)), data.of("train").labels == 1)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.zeros((3, SIDE, SIDE, 1), np.uint8), "masks of shape 3x32x32x1 for 64 patches of 32"),
        (np.full((64, SIDE, SIDE, 1), 2, np.uint8), "masks of other values than 0 and 1"),
    ],
)
def test_masks_of_other_patches_or_values_are_one_line(folder, mask, expected):
    path = folder / "spots_split_train_mask.h5"
    with h5py.File(path, "w") as file:
        file["mask"] = mask
    with pytest.raises(DataError, match=expected):
        masks_of(path, (64, SIDE), np.empty((64, SIDE, SIDE, 1), np.uint8))
