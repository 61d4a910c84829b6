"""Which files hold every score, and what those that do not are refused for."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from midog.evaluation.scoring import evaluate
from midog.evaluation.threshold_cost import THRESHOLD_MEASURES
from midog.inference.output_folder import write_settings
from tests.evaluation.cases import NO, YES, roi, write

FIGURES = [(100, 100), (300, 300), (500, 500), (700, 700)]
KEYS = [measure.key for measure in THRESHOLD_MEASURES]


def hits(count: int, score: float, name: str) -> list[tuple[float, float, float, str]]:
    """Points on the first figures."""
    return [(x, y, score, name) for x, y in FIGURES[:count]]


@pytest.mark.parametrize(
    ("points", "lack"),
    [
        (hits(3, 0.9, YES), "no point below the threshold is written"),
        ([], "no point is written"),
        (
            [*hits(2, 0.6, YES), (700, 700, 0.8, NO)],
            "1 points that do not count score higher than others that do,"
            " so no one threshold decides",
        ),
    ],
)
def test_files_that_do_not_hold_every_score_have_no_oracle(points, lack, tmp_path: Path) -> None:
    write(tmp_path / "1.json", *points)
    result = evaluate(tmp_path, [roi("1.png", FIGURES)], resamples=20)
    assert result.written.lack == lack
    group = result.groups["all"]
    assert all(math.isnan(group.values[key]) for key in KEYS)
    assert all(math.isnan(group.intervals[key].low) for key in KEYS)
    tree = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert tree["written"]["lack"] == lack
    assert tree["groups"]["all"]["oracle"] == {
        "threshold": None,
        "at_floor": False,
        "f1": None,
        "threshold_loss": None,
        "ranking_loss": None,
    }


def test_points_without_a_probability_have_no_oracle(tmp_path: Path) -> None:
    points = [{"point": [0.025, 0.025, 0], "name": name} for name in (YES, NO)]
    (tmp_path / "1.json").write_text(json.dumps({"type": "Multiple points", "points": points}))
    result = evaluate(tmp_path, [roi("1.png", FIGURES)], resamples=0)
    assert result.written.lack == "2 points have no probability"
    assert math.isnan(result.groups["all"].values["oracle_f1"])


def test_a_folder_that_states_its_floor_is_believed(tmp_path: Path) -> None:
    """All that was written counts, but what lies between floor and threshold would be there."""
    write(tmp_path / "1.json", *hits(3, 0.9, YES))
    rois = [roi("1.png", FIGURES)]
    write_settings(tmp_path, {"floor": 0.05, "threshold": 0.5})
    result = evaluate(tmp_path, rois, resamples=0)
    assert (result.written.floor, result.written.lack) == (0.05, "")
    assert result.groups["all"].oracle.at_floor, "an untried score below may be the fourth figure"
    write_settings(tmp_path, {"floor": 0.5, "threshold": 0.5})
    assert evaluate(tmp_path, rois, resamples=0).written.lack
    write_settings(tmp_path, {"floor": "low", "threshold": True})
    assert evaluate(tmp_path, rois, resamples=0).written.lack
