"""The phantom as a data set: layout on disk, determinism, splits, what happens when drawing
fails."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from midog.data.phantom import draw as phantom
from midog.data.phantom.draw import draw_phantom
from midog.errors import DataError

SIZE = 256


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_phantom(
        tmp_path_factory.mktemp("phantom") / "data", rois_per_scanner=8, size=SIZE, seed=3
    )


@pytest.fixture(scope="module")
def annotations(drawn: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((drawn / "annotations.json").read_text())
    return content


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "split.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def splits_of(folder: Path) -> dict[str, list[str]]:
    splits_by_scanner = defaultdict(list)
    for row in rows_of(folder):
        splits_by_scanner[row["scanner"]].append(row["split"])
    return dict(splits_by_scanner)


def test_lays_out_files_as_midog_does(drawn: Path, annotations: dict[str, Any]) -> None:
    assert list(annotations) == ["info", "licenses", "images", "categories", "annotations"]
    assert annotations["categories"] == [
        {"id": 1, "name": "mitotic figure"},
        {"id": 2, "name": "not mitotic figure"},
    ]
    names = [f"{index:03d}.tiff" for index in range(1, len(annotations["images"]) + 1)]
    assert [image["file_name"] for image in annotations["images"]] == names
    assert [image["id"] for image in annotations["images"]] == list(range(1, len(names) + 1))
    assert [row["file_name"] for row in rows_of(drawn)] == names
    assert sorted(path.name for path in (drawn / "images").iterdir()) == names
    assert sorted(path.name for path in drawn.iterdir()) == [
        "annotations.json",
        "images",
        "split.csv",
    ]


def test_same_layout_as_the_real_file(annotations: dict[str, Any], composite: Path) -> None:
    real = json.loads((composite / "annotations.json").read_text())
    assert list(annotations) == list(real)
    assert annotations["categories"] == real["categories"]
    assert annotations["images"][0].keys() == real["images"][0].keys()
    assert annotations["annotations"][0].keys() == real["annotations"][0].keys()


def test_images_are_tiled_jpeg_tiffs_of_a_quarter_micrometre(
    drawn: Path, annotations: dict[str, Any]
) -> None:
    for image in annotations["images"]:
        with tifffile.TiffFile(drawn / "images" / image["file_name"]) as file:
            page = file.pages[0]
            assert page.shape == (image["height"], image["width"], 3) == (SIZE, SIZE, 3)
            assert page.dtype == np.uint8
            assert page.is_tiled
            assert (page.tilewidth, page.tilelength) == (256, 256)
            assert page.compression == tifffile.COMPRESSION.JPEG
            pixels, centimetres = page.tags["XResolution"].value
            assert page.tags["XResolution"].value == page.tags["YResolution"].value
            assert page.tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
            assert 1e4 * centimetres / pixels == 0.25


def test_openslide_reads_mpp_and_the_same_pixels(drawn: Path) -> None:
    import openslide

    path = drawn / "images" / "001.tiff"
    with openslide.OpenSlide(path) as slide:
        assert float(slide.properties[openslide.PROPERTY_NAME_MPP_X]) == pytest.approx(
            0.25, abs=1e-9
        )
        pixels = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[:, :, :3]
    np.testing.assert_array_equal(pixels, tifffile.imread(path))


def test_split_has_scanners_patients_and_mpp(drawn: Path) -> None:
    rows = rows_of(drawn)
    assert list(rows[0]) == ["file_name", "scanner", "patient", "split", "mpp"]
    assert {row["mpp"] for row in rows} == {"0.25"}
    assert list(dict.fromkeys(row["scanner"] for row in rows)) == [
        "Phantom A",
        "Phantom B",
        "Phantom C",
        "Phantom D",
    ]
    of_patient = defaultdict(set)
    for row in rows:
        of_patient[row["patient"]].add((row["scanner"], row["split"]))
    assert all(len(places) == 1 for places in of_patient.values())
    assert len(rows) / 2 <= len(of_patient) < len(rows)  # some patients have two ROIs


@pytest.mark.parametrize(
    ("count", "seen", "unseen", "unlabelled"),
    [
        (1, {"train": 1}, 1, 2),
        (2, {"train": 1, "test": 1}, 2, 2),
        (3, {"train": 1, "val": 1, "test": 1}, 2, 2),
        (4, {"train": 2, "val": 1, "test": 1}, 2, 2),
        (10, {"train": 6, "val": 2, "test": 2}, 4, 2),
    ],
)
def test_deals_out_rois(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    seen: dict[str, int],
    unseen: int,
    unlabelled: int,
) -> None:
    blank = np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((0, 2)), np.zeros(0, np.int64)
    monkeypatch.setattr(phantom, "_draw_roi", lambda plan, size, seed: blank)
    folder = draw_phantom(tmp_path / "data", rois_per_scanner=count, size=SIZE)
    splits_by_scanner = {name: dict(Counter(splits)) for name, splits in splits_of(folder).items()}
    assert splits_by_scanner == {
        "Phantom A": seen,
        "Phantom B": seen,
        "Phantom C": {"test": unseen},
        "Phantom D": {"unlabelled": unlabelled},
    }


def test_boxes_are_squares_with_their_centre_in_the_image(annotations: dict[str, Any]) -> None:
    boxes = np.array([record["bbox"] for record in annotations["annotations"]])
    assert [record["id"] for record in annotations["annotations"]] == list(range(1, len(boxes) + 1))
    assert (boxes[:, 2:] - boxes[:, :2] == 50).all()
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert ((centres >= 0) & (centres < SIZE)).all()


def test_boxes_are_where_the_image_is_darkest(drawn: Path, annotations: dict[str, Any]) -> None:
    boxes = defaultdict(list)
    for record in annotations["annotations"]:
        boxes[record["image_id"]].append(record["bbox"])
    shares = []
    for index in boxes:
        red = tifffile.imread(drawn / "images" / f"{index:03d}.tiff")[:, :, 0]
        rows, columns = np.nonzero(red <= np.quantile(red, 0.003))
        inside = [
            (columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2)
            for x1, y1, x2, y2 in boxes[index]
        ]
        shares.append(np.any(inside, axis=0).mean())
    assert np.mean(shares) > 0.35  # the boxes are 8 % of the area, and lymphocytes are dark as well


def test_labelled_rois_have_imposters_and_all_but_a_few_figures(
    drawn: Path, annotations: dict[str, Any]
) -> None:
    labels = defaultdict(set)
    for record in annotations["annotations"]:
        labels[record["image_id"]].add(record["category_id"])
    without_figure = []
    for index, row in enumerate(rows_of(drawn), start=1):
        if row["split"] == "unlabelled":
            assert labels[index] == set()
        else:
            assert 2 in labels[index]
            without_figure += [row["split"]] if 1 not in labels[index] else []
    assert without_figure == ["train", "train", "test"]


def test_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = (
        bytes_of(draw_phantom(tmp_path / name, rois_per_scanner=1, size=SIZE, seed=seed))
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert again == first
    assert other.keys() == first.keys()
    assert all(other[name] != first[name] for name in first if name != "split.csv")


def test_an_roi_does_not_depend_on_those_before_it(drawn: Path) -> None:
    plan = phantom._plan(8)[-1]
    image, *_ = phantom._draw_roi(plan, SIZE, seed=3)
    on_disk = tifffile.imread(drawn / "images" / plan.file_name)
    difference = np.abs(image.astype(int) - on_disk)
    assert (
        difference.mean() < 6
    )  # JPEG's loss; colours handed over in the wrong space would be 40 off
    assert np.abs(image.mean(axis=(0, 1)) - on_disk.mean(axis=(0, 1))).max() < 1


def test_tells_how_far_it_is(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    draw_phantom(
        tmp_path / "data",
        rois_per_scanner=1,
        size=SIZE,
        on_roi=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_fills_an_empty_folder_and_makes_missing_parents(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "new" / "data"):
        assert draw_phantom(folder, rois_per_scanner=1, size=SIZE) == folder
        assert (folder / "split.csv").is_file()


def test_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty; name a new folder"):
        draw_phantom(tmp_path, rois_per_scanner=1, size=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(DataError, match=r"notes\.txt exists"):
        draw_phantom(tmp_path / "notes.txt", rois_per_scanner=1, size=SIZE)


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_phantom(tmp_path / "data", rois_per_scanner=1, size=SIZE, on_roi=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(DataError, match="the disk is full; make room"):
        draw_phantom(tmp_path / "data", rois_per_scanner=1, size=SIZE)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_draw_into_one_folder(tmp_path: Path) -> None:
    def another(done: int, total: int) -> None:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(DataError, match=r"another process is writing .*data; wait until"):
            draw_phantom(tmp_path / "data", rois_per_scanner=2, size=SIZE)
        assert sorted(tmp_path.rglob("*")) == before

    draw_phantom(tmp_path / "data", rois_per_scanner=1, size=SIZE, on_roi=another)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    with pytest.raises(DataError, match="is not empty"):
        draw_phantom(tmp_path / "data", rois_per_scanner=2, size=SIZE)
    assert len(list((tmp_path / "data" / "images").iterdir())) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"rois_per_scanner": 0},
        {"size": 255},
        {"seed": -1},
        {"rois_per_scanner": 10**9},
        {"size": 8193},
        {"seed": 2**64},
    ],
)
def test_numbers_out_of_range_are_named(tmp_path: Path, wrong: dict[str, int]) -> None:
    (name, value), *_ = wrong.items()
    with pytest.raises(DataError, match=rf"{name} is {value}; give \d+ to \d+"):
        draw_phantom(tmp_path / "data", **wrong)  # type: ignore[arg-type]
