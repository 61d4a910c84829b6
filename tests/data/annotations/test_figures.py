"""What readers share: labels by any name, figures, boxes of ROIs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.figures import (
    Annotations,
    Figure,
    is_coordinate,
    values_of,
    with_boxes,
)
from midog.data.annotations.read import read_annotations
from midog.data.roi import Roi
from tests.data.annotations.files import tree_of, write


@pytest.mark.parametrize("name", ["Mitotic Figure", "mitosis", "MITOTIC_FIGURE", "mitotic-figure"])
def test_spellings_of_the_mitotic_figure(tmp_path: Path, name: str) -> None:
    tree = tree_of([700, 500, 750, 550])
    tree["categories"] = [{"id": 1, "name": name}]
    assert read_annotations(write(tmp_path, tree)).rois[0].boxes.labels.tolist() == [MITOTIC_FIGURE]


@pytest.mark.parametrize(
    "name", ["non-mitotic figure", "not mitotic figure", "Imposter", "impostor", "hard negative"]
)
def test_spellings_of_the_imposter(tmp_path: Path, name: str) -> None:
    tree = tree_of([700, 500, 750, 550])
    tree["categories"] = [{"id": 1, "name": name}]
    assert read_annotations(write(tmp_path, tree)).rois[0].boxes.labels.tolist() == [IMPOSTER]


def test_a_coordinate_is_a_finite_number_of_an_image() -> None:
    assert all(map(is_coordinate, (0, -3.5, 1e8)))
    assert not any(map(is_coordinate, (float("nan"), float("inf"), 1e12, True, "3", None)))


def test_figures_become_boxes_of_their_rois_and_one_without_area_is_a_problem() -> None:
    figures = [
        Figure("f line 2", "b", 1, (1, 2, 3, 4)),
        Figure("f line 3", "b", 2, (5, 6, 5, 9)),
        Figure("f line 4", "b", 2, (7, 8, 9, 9)),
    ]
    problems: list[Exception] = []
    images = {"a": Roi("a.png"), "b": Roi("b.png")}
    empty, roi = with_boxes(images, figures, values_of(figures, 4), problems)  # type: ignore[arg-type]
    assert (empty.file_name, len(empty.boxes)) == ("a.png", 0)
    np.testing.assert_array_equal(roi.boxes.xyxy, [[1, 2, 3, 4], [7, 8, 9, 9]])
    assert roi.boxes.labels.tolist() == [1, 2]
    assert [str(problem).split(";")[0] for problem in problems] == [
        "f line 3: [5, 6, 5, 9] has no area"
    ]
    assert "data.bbox" in str(problems[0])


def test_annotations_describe_themselves_in_one_line() -> None:
    line = Annotations(Path("d/a.csv"), [Roi("a.png")], "CSV points", "as squares").describe()
    assert line == "a.csv: CSV points, as squares, 1 images, 0 mitotic figures, 0 imposters"
