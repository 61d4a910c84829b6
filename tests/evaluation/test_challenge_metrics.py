"""metrics.json of the challenge: its keys, and the numbers of the field's own scorers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from midog.errors import DetectionsError
from midog.evaluation.challenge_metrics import challenge_metrics, truth_of
from midog.evaluation.challenge_truth import ROI_TYPES, read_truth, score_truth
from midog.evaluation.points import score_rois
from tests.evaluation.cases import NO, ROIS, YES, write
from tests.evaluation.test_challenge_truth import write_truth

OF_PART = ("precision", "recall", "f1", "AP", "froc_auc")


def metrics_of(folder: Path, truth_file: Path) -> dict[str, Any]:
    truth = read_truth(truth_file)
    return challenge_metrics(score_truth(folder, truth), truth)


def test_keys_are_those_of_the_organisers_file(folder: Path, tmp_path: Path) -> None:
    tree = metrics_of(folder, write_truth(tmp_path / "t.txt"))
    parts = ["tumor_0", "tumor_1", *(f"roi_type_{kind}" for kind in ROI_TYPES)]
    expected = {"precision", "recall", "f1_score", "AP", "froc_auc"}
    expected |= {f"{part}_{key}" for part in parts for key in OF_PART}
    assert set(tree["aggregates"]) == expected
    assert tree["results"][0] == {
        "image": "001.tiff",
        "gt": [],
        "tumor_domain": 0,
        "pred": [
            [pytest.approx(0.02575), 0.025, 0, 1, 0.9],
            [0.075, 0.0775, 0, 0, 0.6],
            [0.05, 0.05, 0, 1, 0.7],
        ],
        "metrics": {"true_positives": 1, "false_negatives": 1, "false_positives": 1},
        "roi_type": "hotspot",
    }


def test_rois_of_a_data_folder_need_their_type(folder: Path) -> None:
    scored = score_rois(folder, ROIS)
    with pytest.raises(DetectionsError, match="3 ROIs have no roi_type"):
        truth_of(scored)


@pytest.fixture(scope="module")
def parity(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "parity" / "parity.json").read_text())


def in_mm(points: Iterable[list[float]], mpp: float) -> list[list[float]]:
    return [[x * mpp / 1000, y * mpp / 1000, 0] for x, y, *_ in points]


@pytest.mark.slow
def test_numbers_are_the_fields(parity: dict[str, Any], tmp_path: Path) -> None:
    """Scanners stand for tumours, and one of them for hotspots."""
    truth = {}
    scanners = sorted({image["scanner"] for image in parity["images"]})
    for image in parity["images"]:
        domain = scanners.index(image["scanner"])
        truth[image["file_name"]] = {
            "annotations": in_mm(image["mitotic_figures_px"], image["mpp"]),
            "tumor domain": domain,
            "roi type": "random" if domain else "hotspot",
        }
        points = [(x, y, p, YES if p >= 0.642 else NO) for x, y, p in image["detections_px"]]
        path = tmp_path / "found" / f"{Path(image['file_name']).stem}.json"
        write(path, *points, mpp=image["mpp"])
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    tree = metrics_of(tmp_path / "found", tmp_path / "truth.json")
    parts = {"all": "", "hotspots": "roi_type_hotspot_"}
    parts |= {scanner: f"tumor_{number}_" for number, scanner in enumerate(scanners)}
    for part, prefix in parts.items():
        expected = parity["expected"][scanners[0] if part == "hotspots" else part]
        counts = expected["at_threshold"]["0.642"]
        own = tree["aggregates"]
        assert own[f"{prefix}precision"] == pytest.approx(counts["precision"], abs=1e-6)
        assert own[f"{prefix}recall"] == pytest.approx(counts["recall"], abs=1e-6)
        f1 = own["f1_score" if not prefix else f"{prefix}f1"]
        assert f1 == pytest.approx(counts["f1"], abs=1e-6)
        assert own[f"{prefix}AP"] == pytest.approx(expected["ap50"], abs=1e-6)
        # recall is 0 left of the first threshold, which parity.json does not have
        assert own[f"{prefix}froc_auc"] == pytest.approx(expected["froc_auc_0_8"], abs=0.02)
    per_image = parity["expected"]["all"]["at_threshold"]["0.642"]["per_image_tp_fp_fn"]
    names = ("true_positives", "false_positives", "false_negatives")
    assert [[row["metrics"][name] for name in names] for row in tree["results"]] == per_image
