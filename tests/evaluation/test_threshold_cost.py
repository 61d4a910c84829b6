"""What the threshold costs: by hand, over groups, and where the scores do not hold it."""

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


@pytest.fixture
def shifted(tmp_path: Path):
    """A's figures score 0.9, one false alarm 0.6; B's score 0.3, below the threshold of 0.5, its
    false alarm 0.2; C holds no figure."""
    rois = [
        roi("1.png", FIGURES, scanner="A", patient="a"),
        roi("2.png", FIGURES, scanner="B", patient="b"),
        roi("3.png", scanner="C", patient="c"),
    ]
    write(tmp_path / "1.json", *hits(3, 0.9, YES), (900, 900, 0.6, YES))
    write(tmp_path / "2.json", *hits(4, 0.3, NO), (900, 900, 0.2, NO), (950, 10, 0.55, YES))
    write(tmp_path / "3.json", (900, 900, 0.7, YES))
    return tmp_path, rois


def test_by_hand(shifted) -> None:
    folder, rois = shifted
    result = evaluate(folder, rois, resamples=0)
    assert result.written.lack == ""
    assert result.written.floor == 0.2
    a, b, c, whole = (result.groups[name].values for name in ("A", "B", "C", "all"))
    own = 2 * 3 / (2 * 3 + 1 + 1)
    best = 2 * 3 / (2 * 3 + 1)
    assert a["f1"] == own
    assert [a[key] for key in KEYS] == pytest.approx([best, best - own, 1 - best])
    # at 0.3 all four and the alarm of 0.55
    assert [b[key] for key in ("f1", *KEYS)] == pytest.approx([0, 8 / 9, 8 / 9, 1 / 9])
    assert all(math.isnan(c[key]) for key in ("f1", *KEYS)), "C has no figure"
    best_of_all = 2 * 7 / (2 * 7 + 3 + 1)
    assert whole["oracle_f1"] == pytest.approx(best_of_all), "one threshold for all"
    assert result.groups["B"].oracle.threshold == pytest.approx(0.25)
    for group in (a, b, whole):
        assert group["f1"] == pytest.approx(1 - group["ranking_loss"] - group["threshold_loss"])


def test_a_threshold_that_is_asked_for_is_the_own_one(shifted) -> None:
    folder, rois = shifted
    b = evaluate(folder, rois, threshold=0.25, resamples=0).groups["B"].values
    assert b["f1"] == b["oracle_f1"] == 8 / 9
    assert b["threshold_loss"] == 0


def test_each_resample_has_a_threshold_of_its_own(tmp_path: Path) -> None:
    """Patients whose best thresholds differ: alone each reaches 1, together none does."""
    rois = [roi(f"{n}.png", FIGURES[:1], patient=f"p{n}") for n in range(2)]
    write(tmp_path / "0.json", (100, 100, 0.9, YES), (900, 900, 0.8, YES))
    write(tmp_path / "1.json", (100, 100, 0.3, NO), (900, 900, 0.2, NO))
    group = evaluate(tmp_path, rois, resamples=200).groups["all"]
    assert group.values["oracle_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    limits = group.intervals["oracle_f1"]
    assert (limits.low, limits.high) == pytest.approx((0.8, 1))
    loss = group.intervals["threshold_loss"]
    assert (loss.low, loss.high) == pytest.approx((0.8 - 0.5, 1)), "both 0.3, b alone 1"


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
