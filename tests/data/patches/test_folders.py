"""Class folders: parts by folders, by a CSV, or dealt by slide; one line for what is missing."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from midog.data.patches.folders import Folders, read_folders
from midog.errors import ConfigError, DataError
from tests.drawn_patches import write_folders

CASE = Folders(slide_pattern="^([0-9]+)_")


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_folders(tmp_path / "spots")


def write_split(folder: Path, rows: list[str], header: str = "file_name,patient,split") -> None:
    (folder / "split.csv").write_text("\n".join([header, *rows]) + "\n")


def test_slides_are_dealt_and_classes_are_in_the_order_of_their_names(folder):
    data = read_folders(folder, CASE)
    assert data.classes == ("green", "purple")
    assert sum(map(len, data.sets.values())) == 48
    for own in data.sets.values():
        assert [name.startswith("purple") for name in own.names] == own.labels.astype(bool).tolist()
        cases = [Path(name).name.split("_")[0] for name in own.names]
        assert list(own.slides) == cases
    again = read_folders(folder, Folders(slide_pattern="^([0-9]+)_", seed=1))
    assert again.fingerprint != data.fingerprint
    assert read_folders(folder, CASE).fingerprint == data.fingerprint


def test_the_order_of_the_classes_can_be_given(folder):
    (folder / "blue").mkdir()
    with pytest.raises(DataError, match="holds the folders blue, green, purple"):
        read_folders(folder, CASE)
    how = Folders(classes=("purple", "green"), slide_pattern="^([0-9]+)_")
    data = read_folders(folder, how)
    assert data.classes == ("purple", "green")
    assert data.of("train").names[0].startswith("purple")
    with pytest.raises(DataError, match=r"has no folder red; .*task\.classes"):
        read_folders(folder, Folders(classes=("red", "green")))


def test_parts_may_be_folders(folder, tmp_path, caplog):
    for part in ("train", "val"):
        shutil.copytree(folder, tmp_path / "parts" / part)
    for path in (tmp_path / "parts" / "val").rglob("*.png"):
        path.rename(path.with_name(f"9{path.name}"))
    data = read_folders(tmp_path / "parts", CASE)
    assert {role: len(own) for role, own in data.sets.items()} == {"train": 48, "val": 48}
    assert data.of("val").names[0] == "val/green/900_0.png"
    with caplog.at_level(logging.WARNING, "midog"):
        read_folders(tmp_path / "parts", Folders())
    assert "nothing says which slides the patches of train are from" in caplog.text
    shutil.copy(next((tmp_path / "parts/train/green").iterdir()), tmp_path / "parts/val/green")
    with pytest.raises(DataError, match="1 slides are in train and in valid"):
        read_folders(tmp_path / "parts", CASE)


def test_a_csv_says_parts_slides_and_further_columns(folder, caplog):
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    roles = {"00": "train", "01": "train", "02": "val"}
    rows = [
        f"{name},case{case},{roles[case]},lab{case}"
        for name in names
        if (case := Path(name).name[:2]) in roles
    ]
    write_split(folder, rows, "file_name,patient,split,lab")
    with caplog.at_level(logging.WARNING, "midog"):
        data = read_folders(folder, Folders())
    assert "does not list 30 of 48 pictures, which are left out" in caplog.text
    assert {role: len(own) for role, own in data.sets.items()} == {"train": 12, "val": 6}
    assert set(data.of("val").slides) == {"case02"}
    assert set(data.of("train").columns["lab"]) == {"lab00", "lab01"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("nothing.png,a,train", "lists nothing.png: no picture has that name"),
        ("00_0.png,a,training", "unknown split 'training' (did you mean train?)"),
        ("00_0.png,a,train\n00_0.png,a,train", "lists 00_0.png 2 times"),
        ("00_0.png,a,train\n00_1.png,a,val", "patient a is in train"),
        ("00_0.png,a,train\ngreen/00_0.png,a,train", "lists green/00_0.png twice"),
    ],
)
def test_a_csv_that_is_wrong_is_one_line(folder, row, expected):
    write_split(folder, [row])
    with pytest.raises(DataError) as error:
        read_folders(folder, Folders())
    assert expected in str(error.value)


def test_nothing_is_dealt_where_nothing_names_slides(folder):
    with pytest.raises(DataError, match=r"nothing says which pictures.*task\.slide_pattern"):
        read_folders(folder, Folders())


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("(", "is no regular expression"), ("^x(.*)", "finds no slide in 00_0.png")],
)
def test_a_pattern_that_cannot_be_used_is_one_line(folder, pattern, expected):
    with pytest.raises(ConfigError, match=expected):
        read_folders(folder, Folders(slide_pattern=pattern))


def test_empty_folders_are_one_line(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "d" / name).mkdir(parents=True)
    with pytest.raises(DataError, match="holds 0 pictures"):
        read_folders(tmp_path / "d", CASE)
