"""Detection files: what is written reads back, in the challenge's layout, and strangers' files are
checked."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from midog.boxes import Boxes, Detections, squares_around
from midog.errors import DetectionsError
from midog.formats.write import (
    FORMATS,
    read_challenge,
    write_challenge,
    write_coco,
    write_csv,
    write_overlay,
)

NOTHING = Detections()
SOME = Detections(
    boxes=squares_around([(100, 50), (10.25, 200), (300, 300), (0, 0)]),
    scores=np.array([0.3, 0.9, 0.7, 0.95], np.float32),
    labels=[1, 1, 1, 2],
)


def write_json(folder: Path, content: object) -> Path:
    path = folder / "001.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def points_file(*points: object) -> dict[str, object]:
    return {"type": "Multiple points", "points": list(points)}


# --- challenge JSON


def test_challenge_file_has_the_challenges_layout(tmp_path: Path) -> None:
    write_challenge(tmp_path / "001.json", SOME, mpp=0.25, threshold=0.7)
    assert json.loads((tmp_path / "001.json").read_text()) == {
        "name": "Points of interest",
        "type": "Multiple points",
        "points": [
            {"name": "mitotic figure", "point": [0.0025625, 0.05, 0], "probability": 0.9},
            {"name": "mitotic figure", "point": [0.075, 0.075, 0], "probability": 0.7},
            {"name": "non-mitotic figure", "point": [0.025, 0.0125, 0], "probability": 0.3},
        ],
        "version": {"major": 1, "minor": 0},
    }


def test_challenge_file_without_detections_has_an_empty_list(tmp_path: Path) -> None:
    write_challenge(tmp_path / "001.json", NOTHING, mpp=0.25, threshold=0.5)
    assert json.loads((tmp_path / "001.json").read_text())["points"] == []
    assert read_challenge(tmp_path / "001.json").points_mm.shape == (0, 2)


def test_equal_scores_keep_their_order_and_bytes_repeat(tmp_path: Path) -> None:
    tied = Detections(
        squares_around([(9, 9), (50, 50), (80, 80)]), np.array([0.5, 0.6, 0.5]), np.ones(3)
    )
    for name in "ab":
        write_challenge(tmp_path / f"{name}.json", tied, mpp=0.23, threshold=0.5)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    x = read_challenge(tmp_path / "a.json").points_mm[:, 0] / 0.23 * 1000
    assert x == pytest.approx([50, 9, 80])


@settings(max_examples=60, deadline=None)
@given(
    centers=st.lists(
        st.tuples(st.floats(-50, 9e4, width=32), st.floats(-50, 9e4, width=32)), max_size=6
    ),
    data=st.data(),
    mpp=st.floats(0.1, 1),
)
def test_what_is_written_reads_back(tmp_path_factory, centers, data, mpp) -> None:
    scores = data.draw(
        st.lists(st.floats(0, 1, width=32), min_size=len(centers), max_size=len(centers))
    )
    threshold = data.draw(st.sampled_from([*scores, 0.5]))
    detections = Detections(squares_around(centers), scores, np.ones(len(centers)))
    path = tmp_path_factory.mktemp("json") / "001.json"
    write_challenge(path, detections, mpp=mpp, threshold=threshold)
    found = read_challenge(path)
    order = np.argsort(-detections.scores, kind="stable")
    assert np.array_equal(found.points_mm, (detections.centers * mpp / 1000)[order])
    assert np.array_equal(found.scores.astype(np.float32), detections.scores[order])
    assert found.is_figure.sum() == len(detections.at_least(threshold))


def test_a_score_of_the_threshold_counts_in_the_file_and_by_its_probability(tmp_path: Path) -> None:
    for score in (0.1, 0.3, 0.7, 0.642, 0.999):  # none of which float32 holds exactly
        one = Detections(squares_around([(5, 5)]), [score], [1])
        write_challenge(tmp_path / "a.json", one, mpp=0.25, threshold=score)
        found = read_challenge(tmp_path / "a.json")
        assert found.is_figure.all()
        assert found.scores[0] >= score


def test_reads_the_challenges_own_example_and_older_kinds(tmp_path: Path) -> None:
    path = write_json(
        tmp_path,
        {
            "name": "Points of interest",
            "type": "Multiple points",
            "points": [
                {"name": "mitotic figure", "point": [0.04, 0.8, 0], "probability": 0.92},
                {"name": "non-mitotic figure", "point": [1.3, 1.1, 0.5], "probability": 0.4},
                {"name": "something else", "point": [1, 2], "probability": 1},
                {"point": [0.5, 0.6, 0]},
            ],
            "version": {"major": 1, "minor": 0},
        },
    )
    found = read_challenge(path)
    assert found.points_mm.tolist() == [[0.04, 0.8], [1.3, 1.1], [1, 2], [0.5, 0.6]]
    assert found.is_figure.tolist() == [True, False, False, True]
    assert found.scores[:3].tolist() == [0.92, 0.4, 1]
    assert np.isnan(found.scores[3])
    assert (found.points_mm.dtype, found.scores.dtype) == (np.float64, np.float64)


def test_reads_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "001.json"
    path.write_text("\ufeff" + json.dumps(points_file({"point": [1, 2, 0]})), encoding="utf-8")
    assert len(read_challenge(path).scores) == 1


GOOD = {"name": "mitotic figure", "point": [1.0, 2.0, 0], "probability": 0.5}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "not JSON"),
        ('{"points": [', "not JSON"),
        ([GOOD], "no list `points`"),
        ({"type": "Multiple points"}, "no list `points`"),
        ({"type": "Multiple points", "points": {"point": [1, 2]}}, "no list `points`"),
        ({"type": "Multiple polygons", "points": []}, "'Multiple polygons'"),
        (points_file(GOOD, [1, 2, 0]), "point 2"),
        (points_file(GOOD, {"name": "mitotic figure"}), "point 2: `point` is None"),
        (points_file({"point": [1.0]}), "point 1: `point` is [1.0]"),
        (points_file({"point": [1, 2, 3, 4]}), "point 1: `point`"),
        (points_file({"point": ["1", 2, 0]}), "point 1: `point`"),
        (points_file({"point": [True, 2, 0]}), "point 1: `point`"),
        (points_file(GOOD, GOOD, {"point": [float("nan"), 2, 0]}), "point 3: `point`"),
        (points_file({"point": [10**400, 2, 0]}), "point 1: `point`"),
        (points_file({"point": [float("inf"), 2, 0]}), "point 1: `point`"),
        (points_file(GOOD | {"probability": float("nan")}), "point 1: `probability`"),
        (points_file(GOOD | {"probability": None}), "point 1: `probability`"),
        (points_file(GOOD | {"probability": 87.5}), "point 1: `probability` is '87.5'"),
        (points_file(GOOD | {"probability": "high"}), "point 1: `probability`"),
    ],
)
def test_a_strangers_bad_file_is_an_error_that_names_file_and_point(
    tmp_path: Path, content, says
) -> None:
    with pytest.raises(DetectionsError) as error:
        read_challenge(write_json(tmp_path, content))
    assert str(tmp_path / "001.json") in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_and_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"II*\x00\xff\xfe")
    for name in ("a.json", "b.json"):
        with pytest.raises(DetectionsError, match=name):
            read_challenge(tmp_path / name)


# --- CSV and COCO


def test_csv_has_both_classes_with_corners_and_centres(tmp_path: Path) -> None:
    write_csv(tmp_path / "001.csv", SOME, file_name="a, b.tiff")
    rows = list(csv.DictReader((tmp_path / "001.csv").open(newline="")))
    assert list(rows[0]) == ["file_name", "x1", "y1", "x2", "y2", "x", "y", "label", "score"]
    assert list(rows[1].values()) == [
        *("a, b.tiff", "-14.75", "175.0", "35.25", "225.0", "10.25", "200.0"),
        *("mitotic figure", "0.9"),
    ]
    assert [row["label"] for row in rows] == ["mitotic figure"] * 3 + ["non-mitotic figure"]
    for row, box in zip(rows, SOME.boxes, strict=True):
        assert [np.float32(row[key]) for key in ("x1", "y1", "x2", "y2")] == box.tolist()


def test_csv_without_detections_has_its_header(tmp_path: Path) -> None:
    write_csv(tmp_path / "001.csv", NOTHING, file_name="001.tiff")
    assert (tmp_path / "001.csv").read_bytes() == b"file_name,x1,y1,x2,y2,x,y,label,score\n"


def test_coco_file_is_one_that_pycocotools_reads(tmp_path: Path) -> None:
    path = tmp_path / "001.coco.json"
    write_coco(path, SOME, file_name="001.tiff", width=400, height=350)
    coco = COCO(str(path))
    assert coco.loadImgs(1)[0]["file_name"] == "001.tiff"
    assert [coco.cats[key]["name"] for key in (1, 2)] == ["mitotic figure", "non-mitotic figure"]
    rows = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert [row["score"] for row in rows] == [0.3, 0.9, 0.7, 0.95]
    assert [row["category_id"] for row in rows] == [1, 1, 1, 2]
    assert rows[0]["bbox"] == [75, 25, 50, 50]
    assert rows[0]["area"] == 2500
    assert len(coco.loadRes(json.loads(path.read_text())["annotations"]).anns) == 4


def test_coco_file_without_detections(tmp_path: Path) -> None:
    write_coco(tmp_path / "a.coco.json", NOTHING, file_name="001.tiff", width=400, height=350)
    assert COCO(str(tmp_path / "a.coco.json")).getAnnIds() == []


# --- overlay

GREEN, RED, YELLOW, BLUE = (0, 215, 70), (240, 20, 20), (255, 225, 0), (0, 110, 255)
TRUTH = Boxes(squares_around([(100, 50), (300, 310), (200, 150), (60, 250)]), [1, 1, 1, 2])


def overlay(
    path: Path, detections: Detections, truth: Boxes | None, threshold: float = 0.5
) -> np.ndarray:
    white = np.full((400, 420, 3), 255, np.uint8)
    write_overlay(path, white, detections, mpp=0.25, threshold=threshold, truth=truth)
    assert (white == 255).all()
    return np.asarray(Image.open(path).convert("RGB"))


def has(
    picture: np.ndarray, colour: tuple[int, int, int], center: tuple[int, int], reach: int = 60
) -> bool:
    """Is that colour within `reach` px of a point?"""
    x, y = center
    part = picture[max(y - reach, 0) : min(y + reach, 400), max(x - reach, 0) : x + reach]
    return bool((part == colour).all(axis=2).any())


def test_overlay_marks_hits_false_alarms_misses_and_imposters(tmp_path: Path) -> None:
    picture = overlay(tmp_path / "a.png", SOME, TRUTH)
    assert picture.shape[0] > 400  # a legend below
    assert picture.shape[1] == 420
    assert has(picture, GREEN, (300, 300))  # matched, though 10 px off
    assert has(picture, RED, (10, 200), reach=45)
    assert has(picture, YELLOW, (200, 150))
    assert has(picture, YELLOW, (100, 50), reach=40)  # its detection is below the threshold
    assert has(picture, BLUE, (60, 250))
    assert not has(picture, GREEN, (100, 50), reach=40)
    assert not has(picture, RED, (300, 300))


def test_overlay_without_truth_is_green_and_leaves_the_cell_itself_alone(tmp_path: Path) -> None:
    picture = overlay(tmp_path / "a.png", SOME, None, threshold=0.1)
    for x, y in ((100, 50), (300, 300)):
        assert has(picture, GREEN, (x, y))
        assert (picture[y - 25 : y + 25, x - 25 : x + 25] == 255).all()
    assert not has(picture, RED, (200, 200), reach=200)
    # The class-2 detection at (0, 0) is no figure.
    assert not has(picture, GREEN, (0, 0), reach=40)


def test_overlay_matches_by_micrometres(tmp_path: Path) -> None:
    found, truth = (
        Detections(squares_around([(120, 100)]), [0.9], [1]),
        Boxes(squares_around([(100, 100)]), [1]),
    )
    white = np.full((200, 200, 3), 255, np.uint8)
    for mpp, colour in ((0.25, GREEN), (0.5, RED)):  # 20 px are 5 um or 10 um
        write_overlay(tmp_path / "a.png", white, found, mpp=mpp, threshold=0.5, truth=truth)
        assert has(np.asarray(Image.open(tmp_path / "a.png")), colour, (120, 100))


@pytest.mark.parametrize("truth", [None, Boxes()])
def test_overlay_of_nothing_on_a_tiny_image_is_jpeg_by_its_ending(tmp_path: Path, truth) -> None:
    path = tmp_path / ("a" + FORMATS["overlay"])
    write_overlay(
        path, np.zeros((20, 30, 3), np.uint8), NOTHING, mpp=0.25, threshold=0.5, truth=truth
    )
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.width == 30


# --- files


def test_endings_tell_the_formats_of_one_image_apart() -> None:
    assert list(FORMATS) == ["challenge", "csv", "coco", "overlay"]
    assert len(set(FORMATS.values())) == 4


def test_folders_are_made_and_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    write_challenge(tmp_path / "new" / "001.json", SOME, mpp=0.25, threshold=0.5)
    assert os.listdir(tmp_path / "new") == ["001.json"]


def test_a_file_that_cannot_be_written_is_an_error_and_keeps_the_old_one(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "001.csv"
    path.write_text("old")

    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DetectionsError, match=r"001\.csv cannot be written: the disk is full"):
        write_csv(path, SOME, file_name="001.tiff")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["001.csv"]


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(DetectionsError, match="cannot be written"):
        write_challenge(tmp_path / "out" / "001.json", SOME, mpp=0.25, threshold=0.5)
