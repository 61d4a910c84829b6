"""The challenge's ground truth: read, refused, and scored like the ROIs of a data folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midog.errors import DetectionsError
from midog.evaluation.challenge_truth import evaluate_truth, read_truth, score_truth
from midog.evaluation.scoring import evaluate
from midog.metrics.counts import Counts
from tests.evaluation.cases import ROIS, total

KINDS = [(0, "hotspot"), (1, "random"), (0, "challenging")]


def truth_tree() -> dict[str, Any]:
    """`cases.ROIS` as the challenge writes them."""
    return {
        roi.file_name: {
            "annotations": [
                [x * 0.25 / 1000, y * 0.25 / 1000, 0]
                for x, y in roi.boxes.of_class(1).reshape(-1, 2, 2).mean(axis=1).tolist()
            ],
            "tumor domain": domain,
            "roi type": kind,
        }
        for roi, (domain, kind) in zip(ROIS, KINDS, strict=True)
    }


def write_truth(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps(truth_tree() | changes))
    return path


def test_it_scores_as_the_rois_do(folder: Path, tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "truth.json.txt"))
    own = evaluate_truth(folder, truth, by="tumour,roi_type", resamples=20)
    other = evaluate(folder, ROIS, resamples=0)
    assert own.groups["all"].counts == other.groups["all"].counts
    for key in ("f1", "ap50", "froc_auc"):
        assert own.groups["all"].values[key] == other.groups["all"].values[key]
    assert list(own.groups) == ["all", "0", "0 / hotspot", "0 / challenging", "1", "1 / random"]
    assert own.to_dict()["rois"][0]["area_mm2"] is None
    by_score = score_truth(folder, truth, threshold=0.6)
    assert total(by_score) == Counts(tp=2, fp=1, fn=1)


def test_points_stay_as_they_are_written(tmp_path: Path) -> None:
    places = [[0.1, 1 / 3, 0], [-0.001, 12.5, 0]]
    own = {"annotations": places, "tumor domain": "lung", "roi type": "random"}
    (roi,) = read_truth(write_only(tmp_path / "t.json", {"a.tiff": own}))
    np.testing.assert_array_equal(roi.figures_mm, np.array(places)[:, :2])
    assert roi.roi.columns == {"tumour": "lung", "roi_type": "random"}


def write_only(path: Path, tree: Any) -> Path:
    path.write_text(json.dumps(tree))
    return path


GOOD = {"annotations": [[0.1, 0.2, 0]], "tumor domain": 0, "roi type": "random"}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ([], "is no ground truth"),
        ({}, "is no ground truth"),
        ({"a": [1]}, "a has no 'annotations'"),
        ({"a": {"annotations": [], "roi type": "random"}}, "a has no 'tumor domain'"),
        ({"a": {"annotations": [], "tumor domain": 0}}, "a has no 'roi type'"),
        ({"a": GOOD | {"roi type": "hot"}}, "'roi type' is 'hot'"),
        ({"a": GOOD | {"tumor domain": None}}, "'tumor domain' is None"),
        ({"a": GOOD | {"annotations": 3}}, "'annotations' is no list"),
        ({"a": GOOD, "b": GOOD | {"annotations": [[0, 0, 0], [1]]}}, r"b annotation 2 is \[1\]"),
        ({"a": GOOD | {"annotations": [[0, "1", 0]]}}, "annotation 1"),
        ({"a": GOOD | {"annotations": [[0, float("nan"), 0]]}}, "annotation 1"),
        ({"a": GOOD | {"annotations": [[0, 10**400, 0]]}}, "annotation 1"),
    ],
)
def test_what_is_no_ground_truth_gets_one_line(tmp_path: Path, tree: Any, words: str) -> None:
    with pytest.raises(DetectionsError, match=words):
        read_truth(write_only(tmp_path / "t.json", tree))


def test_what_cannot_be_scored_is_refused(folder: Path, tmp_path: Path) -> None:
    truth = read_truth(write_truth(tmp_path / "t.txt", **{"009.tiff": GOOD}))
    with pytest.raises(DetectionsError, match="no detections for 009"):
        score_truth(folder, truth)
    with pytest.raises(DetectionsError, match="is not a score"):
        score_truth(folder, truth, threshold=2)
    assert len(score_truth(folder, truth, allow_missing=True)) == 4


def test_geojson_cannot_be_scored_in_mm_without_mpp(tmp_path: Path) -> None:
    (tmp_path / "det").mkdir()
    (tmp_path / "det" / "001.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    own = {"annotations": [], "tumor domain": 0, "roi type": "random"}
    (tmp_path / "truth.json").write_text(json.dumps({"001.tiff": own}))
    with pytest.raises(DetectionsError, match="holds GeoJSON, in px"):
        score_truth(tmp_path / "det", read_truth(tmp_path / "truth.json"))
