"""data_splits/*.csv against the published annotation files from which
scripts/make_shipped_splits.py makes them."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from midog.data.annotations.read import read_annotations
from midog.data.folder import read_rois
from midog.data.split_file import read_split

ROOT = Path(__file__).resolve().parents[2]
SPLITS = sorted(
    path.stem for path in (ROOT / "data_splits").glob("*.csv") if not path.stem.endswith("_files")
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_shipped_splits", ROOT / "scripts" / "make_shipped_splits.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_makes_the_shipped_files_to_the_byte(
    script: ModuleType, shared: Path, tmp_path: Path
) -> None:
    made = script.make_all(shared / "data" / "annotations", tmp_path)
    shipped = sorted((ROOT / "data_splits").glob("*.csv"))
    assert sorted(path.name for path in made) == [path.name for path in shipped]
    for path in shipped:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("name", SPLITS)
def test_151_to_200_are_unlabelled_and_nothing_else_is(name: str) -> None:
    unlabelled = {row.file_name for row in read_split(name).rows if row.split == "unlabelled"}
    assert unlabelled == {f"{number}.tiff" for number in range(151, 201)}


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("midog21", {"train": 94, "val": 23, "test": 33, "unlabelled": 50}),
        ("midog21_without_xr", {"train": 80, "val": 20, "test": 50, "unlabelled": 50}),
        ("midog21_without_s360", {"train": 80, "val": 20, "test": 50, "unlabelled": 50}),
        ("midog21_without_cs2", {"train": 80, "val": 20, "test": 50, "unlabelled": 50}),
        ("midogpp", {"train": 314, "val": 78, "test": 111, "unlabelled": 50}),
    ],
)
def test_counts(name: str, counts: dict[str, int]) -> None:
    assert Counter(row.split for row in read_split(name).rows) == counts


def test_every_scanner_is_in_train_val_and_test() -> None:
    for name in ("midog21", "midogpp"):
        rows = read_split(name).rows
        places = Counter((row.scanner, row.split) for row in rows if row.split != "unlabelled")
        assert len(places) == 3 * len({scanner for scanner, _ in places})


def test_the_published_test_part_is_kept(script: ModuleType, shared: Path) -> None:
    slides = script.read_slides(shared / "data" / "annotations" / "midogpp_slides.csv")
    published = {name for name, slide in slides.items() if slide["Dataset"] == "test"}
    for name, expected in (
        ("midogpp", published),
        ("midog21", {name for name in published if int(name[:3]) <= 150}),
    ):
        assert {row.file_name for row in read_split(name).rows if row.split == "test"} == expected


def test_a_scanner_left_out_is_all_test() -> None:
    for name, scanner in (
        ("xr", "Hamamatsu XR"),
        ("s360", "Hamamatsu S360"),
        ("cs2", "Aperio CS2"),
    ):
        rows = read_split(f"midog21_without_{name}").rows
        assert {row.scanner for row in rows if row.split == "test"} == {scanner}
        assert scanner not in {row.scanner for row in rows if row.split != "test"}


def test_one_name_for_each_scanner_and_each_tumour(shared: Path) -> None:
    rows = read_split("midogpp").rows
    assert sorted({row.scanner for row in rows}) == [
        "3D Histech",
        "Aperio CS2",
        "Hamamatsu S360",
        "Hamamatsu XR",
        "Leica GT450",
    ]
    rois = read_annotations(shared / "data" / "annotations" / "MIDOGpp.json").rois
    assert [row.columns["tumour"] for row in rows] == [roi.columns["tumour"] for roi in rois]


@pytest.mark.parametrize(
    ("file", "split", "figures", "imposters"),
    [("MIDOG.json", "midog21", 1721, 2714), ("MIDOGpp.json", "midogpp", 11937, 14349)],
)
def test_the_real_files_are_read_with_their_split(
    shared: Path, file: str, split: str, figures: int, imposters: int
) -> None:
    rois = read_rois(shared / "data" / "annotations" / file, split=split)
    assert sum(len(roi.boxes.of_class(1)) for roi in rois) == figures
    assert sum(len(roi.boxes.of_class(2)) for roi in rois) == imposters
    assert all(len(roi.boxes) for roi in rois if roi.split != "unlabelled")


def test_file_ids_cover_the_labelled_images() -> None:
    lines = (ROOT / "data_splits" / "midogpp_files.csv").read_text().splitlines()
    ids = dict(line.split(",") for line in lines[1:])
    labelled = {row.file_name for row in read_split("midogpp").rows if row.split != "unlabelled"}
    assert set(ids) == labelled | {"MIDOGpp.json"}
    assert len(set(ids.values())) == len(ids)
