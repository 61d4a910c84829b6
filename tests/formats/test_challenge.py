"""Challenge files have the challenge's layout and read back; a third party's are checked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.boxes import Detections, squares_around
from midog.errors import DetectionsError
from midog.formats.challenge import read_challenge, write_challenge
from tests.formats.cases import NOTHING, SOME


def write_json(folder: Path, content: object) -> Path:
    path = folder / "001.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def points_file(*points: object) -> dict[str, object]:
    return {"type": "Multiple points", "points": list(points)}


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
    points = read_challenge(path)
    order = np.argsort(-detections.scores, kind="stable")
    assert np.array_equal(points.points_mm, (detections.centers * mpp / 1000)[order])
    assert np.array_equal(points.scores.astype(np.float32), detections.scores[order])
    assert points.is_figure.sum() == len(detections.at_least(threshold))


def test_a_score_of_the_threshold_counts_in_the_file_and_by_its_probability(tmp_path: Path) -> None:
    for score in (0.1, 0.3, 0.7, 0.642, 0.999):  # none of which float32 holds exactly
        one = Detections(squares_around([(5, 5)]), [score], [1])
        write_challenge(tmp_path / "a.json", one, mpp=0.25, threshold=score)
        points = read_challenge(tmp_path / "a.json")
        assert points.is_figure.all()
        assert points.scores[0] >= score


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
    points = read_challenge(path)
    assert points.points_mm.tolist() == [[0.04, 0.8], [1.3, 1.1], [1, 2], [0.5, 0.6]]
    assert points.is_figure.tolist() == [True, False, False, True]
    assert points.scores[:3].tolist() == [0.92, 0.4, 1]
    assert np.isnan(points.scores[3])
    assert points.other_names == {"something else": 1}
    assert (points.points_mm.dtype, points.scores.dtype) == (np.float64, np.float64)


@pytest.mark.parametrize("kind", ["Multiple  points", "multiple points", "Point", None, 5])
def test_the_type_of_the_file_does_not_matter(tmp_path: Path, kind) -> None:
    path = write_json(tmp_path, {"type": kind, "points": [{"point": [1, 2, 0]}]})
    assert read_challenge(path).points_mm.tolist() == [[1, 2]]


def test_names_that_are_almost_right_are_counted(tmp_path: Path) -> None:
    names = ["Mitotic Figure", "mitotic figure", "non-mitotic figure", "Mitotic Figure", None, 7]
    path = write_json(tmp_path, points_file(*({"point": [1, 2], "name": name} for name in names)))
    points = read_challenge(path)
    assert points.is_figure.tolist() == [False, True, False, False, False, False]
    assert points.other_names == {"Mitotic Figure": 2, "None": 1, "7": 1}


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
        ('{"points": [], "points": []}', "named twice"),
        ("[" * 50000, "nested deeper"),
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
def test_a_third_partys_bad_file_is_an_error_that_names_file_and_point(
    tmp_path: Path, content, says
) -> None:
    with pytest.raises(DetectionsError) as error:
        read_challenge(write_json(tmp_path, content))
    assert str(tmp_path / "001.json") in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_and_files_that_do_not_exist(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"II*\x00\xff\xfe")
    for name in ("a.json", "b.json"):
        with pytest.raises(DetectionsError, match=name):
            read_challenge(tmp_path / name)


def test_folders_are_made_and_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    write_challenge(tmp_path / "new" / "001.json", SOME, mpp=0.25, threshold=0.5)
    assert os.listdir(tmp_path / "new") == ["001.json"]


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(DetectionsError, match="cannot be written"):
        write_challenge(tmp_path / "out" / "001.json", SOME, mpp=0.25, threshold=0.5)
