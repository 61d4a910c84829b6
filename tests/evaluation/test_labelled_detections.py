"""Detections as candidates: what they are, where they are, and whether their model knew the ROI."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from midog.boxes import Boxes, Detections, squares_around
from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.labelled_detections import candidates_of
from midog.formats.challenge import write_challenge
from midog.inference.output_folder import write_settings

TRUTH = Boxes(squares_around(np.array([(100, 100), (300, 300)])), [1, 2])
ROIS = [
    Roi("a.tiff", 400, 400, TRUTH, mpp=0.25, patient="p", split="train"),
    Roi("b.tiff", 400, 400, mpp=0.25, patient="q", split="train"),
    Roi("c.tiff", 400, 400, mpp=0.25, patient="p", split="train"),
]


def folder(path: Path, trained_on: list[str] | None) -> Path:
    path.mkdir()
    points = {"a": [(100, 129.5), (100, 131), (300.25, 300)], "b": [(20, 380)], "c": []}
    for stem, own in points.items():
        scores = [0.9, 0.3, 0.07][: len(own)]
        detections = Detections(squares_around(np.array(own)), scores, [1] * len(own))
        write_challenge(path / f"{stem}.json", detections, mpp=0.25, threshold=0.5)
    if trained_on is not None:
        write_settings(path, {"weights": "w", "trained_on": trained_on})
    return path


def test_a_detection_is_a_figure_within_the_radius_and_below_the_threshold_too(tmp_path):
    candidates = candidates_of(folder(tmp_path / "d", []), ROIS, ROIS)
    assert [one.label for one in candidates] == [
        "mitotic figure",
        "non-mitotic figure",
        "non-mitotic figure",
        "non-mitotic figure",
    ]
    assert [one.file_name for one in candidates] == ["a.tiff"] * 3 + ["b.tiff"]
    assert [(one.x, one.y) for one in candidates] == [
        pytest.approx(point) for point in [(100, 129.5), (100, 131), (300.25, 300), (20, 380)]
    ]
    assert [one.score for one in candidates] == pytest.approx([0.9, 0.3, 0.07, 0.9])


@pytest.mark.parametrize(
    ("trained_on", "origins"),
    [
        (None, ["unknown", "unknown"]),
        (["b.tiff"], ["out-of-fold", "in-fold"]),
        (["c.tiff"], ["in-fold", "out-of-fold"]),  # of the same patient as a
        (["x.tiff"], ["out-of-fold", "out-of-fold"]),
    ],
)
def test_its_origin_is_what_the_record_says_of_roi_and_patient(tmp_path, trained_on, origins):
    candidates = candidates_of(folder(tmp_path / "d", trained_on), ROIS, ROIS)
    assert [candidates[0].origin, candidates[-1].origin] == origins


def test_a_damaged_record_says_nothing(tmp_path):
    path = folder(tmp_path / "d", ["a.tiff"])
    record = path / ".midog-infer.json"
    tree = json.loads(record.read_text())
    tree["settings"]["trained_on"] = []
    record.write_text(json.dumps(tree))
    assert {one.origin for one in candidates_of(path, ROIS, ROIS)} == {"unknown"}


def test_boxes_to_ignore_are_left_out_and_rois_without_a_file_have_none(tmp_path):
    ignored = np.array([[280, 280, 320, 320]], np.float32)
    rois = [Roi("a.tiff", 400, 400, TRUTH, mpp=0.25, ignored=ignored), Roi("x.tiff", mpp=0.25)]
    assert len(candidates_of(folder(tmp_path / "d", []), rois, rois)) == 2
    with pytest.raises(DetectionsError, match=r"holds no detections for x\.tiff"):
        candidates_of(tmp_path / "d", rois[1:], rois)
