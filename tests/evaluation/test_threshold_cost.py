"""What the threshold costs: by hand, over groups, and where the scores do not hold it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from midog.evaluation.scoring import evaluate
from midog.evaluation.threshold_cost import THRESHOLD_MEASURES
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
