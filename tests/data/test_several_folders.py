"""Several data folders used as one: joined, one split of all, doubles, what is checked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from midog.config.load import load_config
from midog.data.check import check_folder
from midog.data.folder import data_fingerprint, read_rois
from midog.data.several_folders import locate_all
from midog.errors import DataError
from midog.inference.jobs import find_jobs

HEADER = "file_name,scanner,patient,split"
Row = tuple[str, str, str, str, int]
"""File name, scanner, patient, role, figures."""


def folder(at: Path, *rows: Row, split: bool = True, imposters: int = 1) -> Path:
    """A data folder of 900 px ROIs with empty files as images."""
    (at / "images").mkdir(parents=True)
    boxes = [
        {"image_id": number, "category_id": 1 + (index >= row[4]), "bbox": [x, 9, x + 50, 59]}
        for number, row in enumerate(rows)
        for index, x in enumerate(range(0, 60 * (row[4] + imposters * bool(row[4])), 60))
    ]
    tree = {
        "images": [
            {"id": number, "file_name": row[0], "width": 900, "height": 900}
            for number, row in enumerate(rows)
        ],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "imposter"}],
        "annotations": [{"id": number, **box} for number, box in enumerate(boxes)],
    }
    (at / "annotations.json").write_text(json.dumps(tree))
    for row in rows:
        (at / "images" / row[0]).parent.mkdir(exist_ok=True)
        (at / "images" / row[0]).touch()
    if split:
        lines = [",".join(row[:4]) for row in rows]
        (at / "split.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    return at


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Folder a of scanner A, folder b of B; a alone has a val ROI."""
    a = [("1.tiff", "A", "p1", "train", 2), ("2.tiff", "A", "p2", "val", 1)]
    b = [("3.tiff", "B", "p3", "train", 1), ("4.tiff", "B", "p4", "test", 3)]
    return [folder(tmp_path / "a", *a), folder(tmp_path / "b", *b)]


def test_rois_of_several_folders_come_in_their_order_with_their_own_images(two):
    rois = read_rois(two)
    assert [(roi.file_name, roi.split, roi.scanner) for roi in rois] == [
        ("1.tiff", "train", "A"),
        ("2.tiff", "val", "A"),
        ("3.tiff", "train", "B"),
        ("4.tiff", "test", "B"),
    ]
    assert [roi.path for roi in rois] == [
        two[number // 3] / "images" / f"{number}.tiff" for number in (1, 2, 3, 4)
    ]
    assert [len(roi.boxes) for roi in rois] == [3, 2, 2, 4]


def test_one_folder_in_a_list_is_that_folder(two):
    def plain(path):
        return [(roi.file_name, roi.path, roi.split, len(roi.boxes)) for roi in read_rois(path)]

    assert plain(two[0]) == plain([two[0]]) == plain((str(two[0]),))


def test_the_fingerprint_is_that_of_all_rois_in_whatever_order(two):
    assert data_fingerprint(read_rois(two)) == data_fingerprint(read_rois(two[::-1]))
    assert data_fingerprint(read_rois(two)) != data_fingerprint(read_rois(two[0]))


def test_one_split_of_all_gives_each_folder_its_rows(two, tmp_path):
    rows = ["1.tiff,A,p1,test", "3.tiff,B,p3,train", "4.tiff,B,p4,val", "2.tiff,A,p2,train"]
    (two[1] / "images" / "9.tiff").touch()
    (tmp_path / "s.csv").write_text("\n".join([HEADER, *rows, "9.tiff,C,p9,unlabelled"]) + "\n")
    rois = read_rois(two, split=tmp_path / "s.csv")
    assert {roi.file_name: roi.split for roi in rois} == {
        "1.tiff": "test",
        "2.tiff": "train",
        "3.tiff": "train",
        "4.tiff": "val",
        "9.tiff": "unlabelled",
    }
    assert rois[-1].path == two[1] / "images" / "9.tiff", "where its image is"


def test_a_row_goes_to_the_folder_that_names_it_in_full(tmp_path):
    a = folder(tmp_path / "a", ("x/1.tiff", "A", "p1", "train", 2), ("2.tiff", "A", "p2", "val", 1))
    b = folder(tmp_path / "b", ("y/1.tiff", "B", "p3", "train", 1))
    rows = ["y/1.tiff,B,p3,test", "x/1.tiff,A,p1,train", "2.tiff,A,p2,val"]
    (tmp_path / "s.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    rois = read_rois([a, b], split=tmp_path / "s.csv")
    assert {roi.file_name: roi.split for roi in rois} == {
        "x/1.tiff": "train",
        "2.tiff": "val",
        "y/1.tiff": "test",
    }
    (tmp_path / "bare.csv").write_text(f"{HEADER}\n1.tiff,A,p1,train\n2.tiff,A,p2,val\n")
    with pytest.raises(DataError, match=r"lists 1.tiff, and .*a/ and .*b/ have an ROI of that"):
        read_rois([a, b], split=tmp_path / "bare.csv")


def test_a_row_of_no_folder_is_named(two, tmp_path):
    (tmp_path / "s.csv").write_text(f"{HEADER}\n1.tiff,A,p1,train\n7.tiff,A,p7,train\n")
    with pytest.raises(DataError, match=r"lists ROIs that the annotation file lacks: 7.tiff"):
        read_rois(two, split=tmp_path / "s.csv")


def test_figure_free_fields_of_one_folder_are_not_unlabelled_beside_another(tmp_path):
    """Ten ROIs in a row without a box are a block that nobody annotated where imposters are
    listed: in each file by itself."""
    quiet = [(f"{n}.tiff", "X", f"q{n}", "train", 0) for n in range(10, 21)]
    a = folder(tmp_path / "a", ("1.tiff", "A", "p1", "train", 2), ("2.tiff", "A", "p2", "val", 1))
    b = folder(tmp_path / "b", ("9.tiff", "X", "p9", "train", 2), *quiet, imposters=0)
    assert len(read_rois(b)) == 12
    assert len(read_rois([a, b])) == 14


def spoil_name(two: list[Path]) -> None:
    for name in ("annotations.json", "split.csv"):
        path = two[1] / name
        path.write_text(path.read_text().replace("3.tiff", "1.tiff"))


def spoil_patient(two: list[Path]) -> None:
    path = two[1] / "split.csv"
    path.write_text(path.read_text().replace("p4", "p1"))


def spoil_split(two: list[Path]) -> None:
    (two[1] / "split.csv").unlink()


def spoil_image(two: list[Path]) -> None:
    (two[1] / "images" / "3.tiff").unlink()
    (two[1] / "images" / "3.tiff").symlink_to(two[0] / "images" / "1.tiff")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_name, r"a/ and .*b/ both have ROIs named 1.tiff; rename the images of one"),
        (spoil_patient, r"the splits of .*a/ and .*b/: patient p1 is in train \(1.tiff\) and in"),
        (spoil_split, r"a/split.csv exists, and .*b/ has no split.csv; make one with"),
        (spoil_image, r"1.tiff is the image of 2 ROIs: 1.tiff, 3.tiff"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_folders_together_is_the_same_from_reading_and_checking(
    two, spoil, says
):
    spoil(two)
    with pytest.raises(DataError, match=says):
        read_rois(two)
    report = check_folder(two, images=False)
    assert any(re.search(says, str(problem)) for problem in report.problems)


def test_a_check_counts_the_rois_of_all_folders(two):
    report = check_folder(two, images=False)
    assert report.problems == ()
    assert [(g.scanner, g.split, g.rois, g.figures) for g in report.groups] == [
        ("A", "train", 1, 2),
        ("A", "val", 1, 1),
        ("B", "train", 1, 1),
        ("B", "test", 1, 3),
    ]
    assert report.warnings == (), "b has no val, and a has one"


@pytest.mark.parametrize(
    ("paths", "annotations", "says"),
    [
        ([], None, "no data folder is given"),
        (["a", "b/../a"], None, "a is given twice"),
        (["a", "b"], "a/annotations.json", "is the annotation file of one folder, and 2 are given"),
        (["a", "c"], None, "there is no data folder"),
    ],
)
def test_folders_that_cannot_be_located(two, monkeypatch, paths, annotations, says):
    monkeypatch.chdir(two[0].parent)
    with pytest.raises(DataError, match=says):
        locate_all(paths, annotations)


def test_jobs_of_a_subset_are_those_of_all_folders_by_one_split(two, tmp_path):
    rows = ["1.tiff,A,p1,train", "2.tiff,A,p2,val", "3.tiff,B,p3,test", "4.tiff,B,p4,test"]
    (tmp_path / "s.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    jobs = find_jobs(two, subset="test", split=str(tmp_path / "s.csv"))
    assert [job.name for job in jobs] == ["3.tiff", "4.tiff"]


def test_the_commands_take_several_folders(midog, two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (two[0] / "split.csv").write_text(f"{HEADER}\n1.tiff,A,p1,train\n2.tiff,A,p2,test\n")
    ran = midog("data", "check", *two)
    assert "A" in ran.out
    assert "B" in ran.out
    (tmp_path / "found").mkdir()
    for name in ("2", "4"):
        points = {"type": "Multiple points", "points": [], "version": {"major": 1, "minor": 0}}
        (tmp_path / "found" / f"{name}.json").write_text(json.dumps(points))
    words = ["--data", two[0], "--data", two[1], "--mpp", 0.25, "--resamples", 0, "--json"]
    ran = midog("evaluate", "found", *words)
    assert ran.code == 0, ran.err
    assert {roi["file_name"] for roi in json.loads(ran.out)["rois"]} == {"2.tiff", "4.tiff"}


def test_train_takes_several_folders_and_its_settings_keep_them(midog, two, tmp_path):
    words = ["--config", "small", "--data", two[0], "--data", two[1], "--set", "machine.device=cpu"]
    ran = midog("train", "--dry-run", *words)
    assert ran.code == 0, ran.err
    assert "train: 2 ROIs (1 A, 1 B), 3 mitotic figures, 2 imposters" in ran.out
    (tmp_path / "again.yaml").write_text(ran.out.split("\ntrain: 2")[0])
    assert load_config(tmp_path / "again.yaml").data.dir == tuple(two)
