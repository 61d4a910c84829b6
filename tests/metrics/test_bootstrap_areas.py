"""Average precision and FROC of resamples equal those of the literal list, however many resamples
there are."""

from __future__ import annotations

import numpy as np
import pytest

from midog.metrics.average_precision import average_precision
from midog.metrics.bootstrap_areas import resample_average_precision, resample_froc_auc
from midog.metrics.froc import froc_auc
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import PooledMatches


def some_rois(seed: int, decimals: int) -> list[RoiPoints]:
    """Among them ROIs without figures, without points and without either; scores of any scale."""
    random = np.random.default_rng(seed)
    rois = [
        RoiPoints([], [], []),
        RoiPoints([(0.5, 0.5)], [], []),
        RoiPoints([], [(0.1, 0.1)], [0.3]),
    ]
    for _ in range(12):
        truth, scale = (
            random.uniform(0, 0.2, (random.integers(0, 9), 2)),
            random.choice([1.0, 1.0, 5.0]),
        )
        near = truth + random.normal(0, 0.004, truth.shape)
        detected = np.concatenate([near, random.uniform(0, 0.2, (random.integers(0, 25), 2))])
        rois.append(
            RoiPoints(truth, detected, (random.random(len(detected)) * scale - 0.2).round(decimals))
        )
    return rois


def resample_areas(rois: list[RoiPoints], weights: np.ndarray) -> np.ndarray:
    matches = PooledMatches.of(rois)
    return np.stack(
        [resample_average_precision(matches, weights), resample_froc_auc(matches, weights)]
    )


def literally(rois: list[RoiPoints], weights: np.ndarray) -> np.ndarray:
    lists = [
        [roi for roi, times in zip(rois, row, strict=True) for _ in range(times)]
        for row in weights.tolist()
    ]
    return np.array([[average_precision(rois), froc_auc(rois)] for rois in lists]).T


@pytest.mark.parametrize("decimals", [1, 2, 12])
@pytest.mark.parametrize("resamples", [1, 31, 32, 33, 100])
def test_as_of_the_literal_list_for_any_number_of_resamples(decimals, resamples) -> None:
    rois = some_rois(decimals, decimals)
    weights = np.random.default_rng(resamples).poisson(1, (resamples, len(rois)))
    np.testing.assert_array_equal(resample_areas(rois, weights), literally(rois, weights))


def test_rois_of_which_few_are_drawn() -> None:
    rois = some_rois(0, 12)
    one_each = np.concatenate(
        [np.eye(len(rois), dtype=np.int64), 3 * np.eye(len(rois), dtype=np.int64)]
    )
    np.testing.assert_array_equal(resample_areas(rois, one_each), literally(rois, one_each))


def test_without_a_draw_or_a_figure_nothing_is_known() -> None:
    rois = some_rois(0, 2)
    ap50, froc = resample_areas(rois, np.zeros((40, len(rois)), np.int64))
    assert np.isnan([ap50, froc]).all()
    assert [
        len(samples) for samples in resample_areas(rois, np.zeros((0, len(rois)), np.int64))
    ] == [0, 0]
    alarms_only = np.isnan(resample_areas(rois[:3], np.array([[1, 0, 2], [0, 1, 0]])))
    assert alarms_only.tolist() == [[True, False], [True, False]]


def test_all_points_of_one_score() -> None:
    rois = [
        RoiPoints([(0, 0), (1, 1)], [(0, 0), (2, 2)], [0.7, 0.7]),
        RoiPoints([(0, 0)], [(0, 0)], [0.7]),
    ]
    weights = np.array([[1, 0], [0, 1], [2, 1]])
    np.testing.assert_array_equal(resample_areas(rois, weights), literally(rois, weights))
