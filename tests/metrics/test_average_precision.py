"""Average precision, against torchmetrics and the field's own scorers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.detection.mean_ap import MeanAveragePrecision

from midog.metrics.average_precision import average_precision, interpolated_precision
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import HALF_SIDE_MM
from tests.metrics.cases import GROUPS, parity_rois, roi


def field_ap50(rois: list[RoiPoints]) -> float:
    """As the challenge's container computes it."""
    metric = MeanAveragePrecision(
        box_format="xyxy",
        max_detection_thresholds=[1, 10, 10**6],
        rec_thresholds=np.linspace(0, 1, 101).tolist(),
    )
    for each in rois:
        detected, truth = (
            torch.tensor(
                np.hstack([points - HALF_SIDE_MM, points + HALF_SIDE_MM]), dtype=torch.float64
            )
            for points in (each.detected_mm, each.truth_mm)
        )
        ones = torch.ones(len(detected), dtype=torch.int64)
        metric.update(
            [{"boxes": detected, "scores": torch.tensor(each.scores), "labels": ones}],
            [{"boxes": truth, "labels": torch.ones(len(truth), dtype=torch.int64)}],
        )
    return float(metric.compute()["map_50"])


@pytest.mark.parametrize("seed", range(6))
def test_ap50_equals_torchmetrics(seed) -> None:
    random = np.random.default_rng(seed)
    rois = []
    for _ in range(5):
        truth = random.uniform(0, 500, (random.integers(0, 20), 2))
        near = truth + random.normal(0, 15, truth.shape)
        detected = np.vstack([near, random.uniform(0, 500, (random.integers(0, 150), 2))])
        rois.append(roi(truth, detected, random.integers(1, 60, len(detected)) / 60))
    assert average_precision(rois) == pytest.approx(
        field_ap50(rois), abs=1e-6
    )  # theirs is float32 at the end


def test_ap_of_perfect_and_of_hopeless_detections() -> None:
    figures = [(0, 0), (200, 0)]
    assert average_precision([roi(figures, figures, [0.3, 0.2])]) == 1
    assert average_precision([roi(figures, [], [])]) == 0
    assert average_precision([roi(figures, [(900, 900)], [1.0])]) == 0
    assert math.isnan(average_precision([roi([], [(0, 0)], [1.0])]))
    assert math.isnan(average_precision([]))


def test_ap_by_hand() -> None:
    # hit, false alarm, hit; a third figure is missed: precision 1 up to recall 1/3, 2/3 up to
    # recall 2/3, then 0.
    one = roi([(0, 0), (200, 0), (400, 0)], [(0, 0), (600, 0), (200, 0)], [0.9, 0.8, 0.7])
    assert average_precision([one]) == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)


def test_false_alarms_in_rois_without_figures_lower_the_ap() -> None:
    good = roi([(0, 0)], [(0, 0)], [0.5])
    assert average_precision([good, roi([], [(0, 0)], [0.9])]) == 0.5


def test_ap_has_no_cap_on_points_and_takes_many() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(0, 90_000, (2000, 2))
    detected = np.vstack([random.uniform(0, 90_000, (40_000, 2)), truth])
    scores = np.concatenate([np.full(40_000, 0.9), np.full(2000, 0.1)])
    assert (
        0.04 < average_precision([roi(truth, detected, scores)]) < 0.06
    )  # every figure, after 40,000 false alarms


def test_precision_is_read_off_at_the_first_recall_that_is_enough_for_any_number_of_figures() -> (
    None
):
    random = np.random.default_rng(0)
    for figures in range(1, 400):
        tp = np.arange(1, random.integers(0, figures + 1) + 1)
        detected = tp + np.sort(random.integers(0, 50, len(tp)))
        expected = [
            max((tp / detected)[tp / figures >= recall], default=0)
            for recall in np.linspace(0, 1, 101)
        ]
        ours = interpolated_precision(tp[:, None], detected[:, None], np.array([figures]))
        assert ours.tolist() == [np.mean(expected)]


def test_iou_of_one_half_is_7_5_um_along_an_axis() -> None:
    assert average_precision([roi([(0, 0)], [(29.9, 0)], [0.9])]) == 1
    assert average_precision([roi([(0, 0)], [(30.1, 0)], [0.9])]) == 0
    assert (
        average_precision([roi([(0, 0)], [(22, 22)], [0.9])]) == 0
    )  # within 30 px, but the squares share too little


@pytest.mark.parametrize("group", GROUPS)
def test_ap50_equals_the_fields(parity, group) -> None:
    assert average_precision(parity_rois(parity, group)) == pytest.approx(
        parity["expected"][group]["ap50"], abs=1e-6
    )
