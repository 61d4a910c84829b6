"""The FROC curve by hand, and the challenge's area against its recipe written out and against the
field's answers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.metrics.counts import counts_at
from midog.metrics.froc import froc_auc, froc_auc_of_sweep, froc_curve
from midog.metrics.points import RoiPoints
from midog.metrics.sweep import sweep


def roi(truth_px, found_px, scores, mpp: float = 0.25) -> RoiPoints:
    def to_mm(points):
        return np.asarray(points, np.float64).reshape(-1, 2) * mpp / 1000

    return RoiPoints(to_mm(truth_px), to_mm(found_px), np.asarray(scores, np.float64))


def forty_calls(rois: list[RoiPoints]) -> tuple[np.ndarray, np.ndarray]:
    """Mean false positives per ROI and recall at the challenge's 40 thresholds, by the plain
    rule."""
    scores = np.concatenate([each.scores for each in rois])
    counts = [
        counts_at(rois, threshold) for threshold in np.linspace(scores.min(), scores.max(), 40)
    ]
    return np.array([count.fp / len(rois) for count in counts]), np.array(
        [count.recall for count in counts]
    )


def area_of(fp_per_roi: np.ndarray, recall: np.ndarray) -> float:
    order = np.argsort(fp_per_roi)
    heights = np.interp(np.linspace(0, 8, 50), fp_per_roi[order], recall[order])
    return float(np.sum((heights[1:] + heights[:-1]) / 2) * 8 / 49)


@st.composite
def some_rois(draw) -> list[RoiPoints]:
    """One to three ROIs of crowded points, at least one figure and one found point in all; scores
    often tie."""
    point = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(
        lambda xy: (xy[0] * 8.0, xy[1] * 8.0)
    )
    score = st.one_of(st.integers(0, 10).map(lambda tenth: tenth / 10), st.floats(0, 1))
    rois = []
    for first in (True, *([False] * draw(st.integers(0, 2)))):
        truth = draw(st.lists(point, min_size=first, max_size=6))
        detected = draw(st.lists(st.tuples(point, score), min_size=first, max_size=30))
        rois.append(roi(truth, [xy for xy, _ in detected], [s for _, s in detected]))
    return rois


# --- the curve


def test_curve_by_hand() -> None:
    # Over two ROIs of 2 mm2 each: a hit at 0.9, a false alarm at 0.8, both at 0.4; one of three
    # figures is missed.
    first = roi([(0, 0), (200, 0)], [(0, 0), (400, 0), (200, 0)], [0.9, 0.8, 0.4])
    second = roi([(0, 0)], [(600, 600)], [0.4])
    curve = froc_curve([first, second], area_mm2=4.0)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.4]
    assert curve.recall.tolist() == [1 / 3, 1 / 3, 2 / 3]
    assert curve.fp_per_roi.tolist() == [0, 0.5, 1]
    assert curve.fp_per_mm2.tolist() == [0, 0.25, 0.5]


@given(some_rois())
def test_curve_equals_the_plain_rule_at_every_score(rois) -> None:
    curve = froc_curve(rois, area_mm2=0.5)
    for at, threshold in enumerate(curve.thresholds):
        counts = counts_at(rois, threshold)
        got = (curve.recall[at], curve.fp_per_roi[at], curve.fp_per_mm2[at])
        assert got == (counts.recall, counts.fp / len(rois), counts.fp / 0.5)


@pytest.mark.parametrize("area", [math.nan, 0.0])
def test_an_unknown_area_leaves_false_positives_per_roi(area) -> None:
    curve = froc_curve([roi([(0, 0)], [(0, 0), (90, 90)], [0.9, 0.8])], area)
    assert np.isnan(curve.fp_per_mm2).all()
    assert curve.fp_per_roi.tolist() == [0, 1]
    assert np.isnan(froc_curve([roi([(0, 0)], [(0, 0)], [0.9])]).fp_per_mm2).all()


@pytest.mark.parametrize(
    "rois", [[], [roi([], [], [])], [roi([(0, 0)], [], [])]], ids=["no ROI", "empty", "no point"]
)
def test_curve_of_nothing_found_is_empty(rois) -> None:
    curve = froc_curve(rois, 2.0)
    shapes = {
        values.shape
        for values in (curve.thresholds, curve.recall, curve.fp_per_roi, curve.fp_per_mm2)
    }
    assert shapes == {(0,)}


def test_recall_is_nan_without_figures() -> None:
    curve = froc_curve([roi([], [(0, 0), (9, 9)], [0.7, 0.6])], 1.0)
    assert np.isnan(curve.recall).all()
    assert curve.fp_per_mm2.tolist() == [1, 2]


# --- the area


@given(some_rois())
def test_area_equals_the_recipe_with_40_calls_of_the_plain_rule(rois) -> None:
    assert froc_auc(rois) == pytest.approx(area_of(*forty_calls(rois)), abs=1e-12)


@given(some_rois())
def test_area_from_a_sweep_at_hand_is_the_same(rois) -> None:
    assert froc_auc_of_sweep(sweep(rois), len(rois)) == froc_auc(rois)


@pytest.mark.parametrize(
    "rois", [[], [roi([], [], [])], [roi([], [(0, 0)], [0.9])]], ids=["no ROI", "empty", "found"]
)
def test_area_is_nan_without_figures(rois) -> None:
    assert math.isnan(froc_auc(rois))


def test_area_is_zero_without_detections() -> None:
    assert froc_auc([roi([(0, 0)], [], []), roi([], [], [])]) == 0.0


def test_area_of_one_detection_is_its_recall_at_any_rate() -> None:
    figures = [(0, 0), (200, 0), (400, 0), (600, 0)]
    assert froc_auc([roi(figures, [(0, 0)], [0.7])]) == pytest.approx(8 / 4)
    assert froc_auc([roi(figures, [(900, 900)], [0.7])]) == 0


def test_area_where_all_scores_are_equal_is_the_recall_at_any_rate() -> None:
    one = roi([(0, 0), (200, 0)], [(0, 0), (400, 0), (600, 0)], [0.5, 0.5, 0.5])
    assert froc_auc([one]) == pytest.approx(8 * 0.5)


def test_area_by_hand() -> None:
    # Over two ROIs: at 1.0 one false alarm, at 0.5 one of two figures and two more false alarms. So
    # (0.5, 0) at the 39 higher thresholds and (1.5, 1/2) at the lowest, a straight line between
    # them, level on either side.
    one = roi([(0, 0), (200, 0)], [(0, 0), (400, 0), (600, 0), (90, 900)], [0.5, 0.5, 0.5, 1.0])
    other = roi([], [], [])
    places = np.linspace(0, 8, 50)
    heights = np.clip(places - 0.5, 0, 1) / 2
    assert froc_auc([one, other]) == pytest.approx(
        np.sum((heights[1:] + heights[:-1]) / 2) * 8 / 49
    )


def test_of_equal_false_positives_the_last_in_numpys_order_counts() -> None:
    # Every point is a hit, so all 40 thresholds have 0 false positives, and one recall of 40 stands
    # for all.
    figures = [(200 * k, 0) for k in range(20)]
    perfect = roi(figures, figures, np.linspace(0.1, 0.9, 20))
    fp_per_roi, recall = forty_calls([perfect])
    assert set(fp_per_roi) == {0}
    assert len(set(recall)) > 10
    assert froc_auc([perfect]) == pytest.approx(8 * recall[np.argsort(np.zeros(40))[-1]])


def test_groups_of_equal_false_positives_keep_numpys_order() -> None:
    # 4 hits between any two of 3 false alarms: each count of false positives stands at several
    # recalls.
    figures = [(200 * k, 0) for k in range(16)]
    detected = [(200 * k, 0) for k in range(16)] + [(200 * k, 900) for k in range(3)]
    scores = [*(1 - k / 20 for k in range(16)), *(1 - (4 * k + 3.5) / 20 for k in range(3))]
    rois = [roi(figures, detected, scores)]
    fp_per_roi, recall = forty_calls(rois)
    assert set(fp_per_roi) == {0, 1, 2, 3}
    assert all(len(set(recall[fp_per_roi == fp])) > 2 for fp in range(4))
    assert froc_auc(rois) == pytest.approx(area_of(fp_per_roi, recall), abs=1e-12)


@pytest.mark.parametrize(
    "group", ["all", "Hamamatsu XR", "Hamamatsu S360", "Aperio CS2", "Leica GT450"]
)
def test_area_equals_the_fields(shared: Path, group) -> None:
    if not np.array_equal(np.argsort(np.zeros(40)), np.arange(40)):
        pytest.skip(
            "numpy sorts ties in another order on this processor (no AVX2) than where the field's"
            " area was had"
        )
    parity = json.loads((shared / "parity" / "parity.json").read_text())
    rois = []
    for image in parity["images"]:
        if group in ("all", image["scanner"]):
            detected = np.asarray(image["detections_px"], np.float64).reshape(-1, 3)
            rois.append(
                roi(image["mitotic_figures_px"], detected[:, :2], detected[:, 2], image["mpp"])
            )
    assert froc_auc(rois) == pytest.approx(parity["expected"][group]["froc_auc_0_8"], abs=1e-6)
