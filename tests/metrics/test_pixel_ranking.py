"""AUC, AP and thresholds of px, against sorting all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from midog.metrics import pixel_ranking
from midog.metrics.pixel_ranking import (
    best_dice_threshold,
    pixel_auc,
    pixel_average_precision,
    rank_pixels,
)


def slides(levels: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Three slides with px of some levels of score, one without tumour."""
    rng = np.random.default_rng(seed)
    made = []
    for share in (0.4, 0.1, 0):
        positive = rng.random(700) < share
        scores = (rng.random(700) + 0.5 * positive) / 1.5
        made.append((np.floor(scores * levels) / levels, positive))
    return made


WEIGHTS = np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0], [0, 0, 2]])


@pytest.mark.parametrize("levels", [5, 10**9])
def test_scores_of_resamples_are_those_of_all_px_of_them(levels):
    own = slides(levels)
    ranking = rank_pixels(own)
    auc, ap = pixel_auc(ranking, WEIGHTS), pixel_average_precision(ranking, WEIGHTS)
    for number, weights in enumerate(WEIGHTS):
        scores = np.concatenate([np.tile(s, n) for (s, _), n in zip(own, weights, strict=True)])
        truth = np.concatenate([np.tile(p, n) for (_, p), n in zip(own, weights, strict=True)])
        if not truth.any():
            assert math.isnan(auc[number])
            assert math.isnan(ap[number])
            continue
        assert auc[number] == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
        assert ap[number] == pytest.approx(average_precision_score(truth, scores), abs=1e-9)
    assert pixel_auc(ranking).tolist() == auc[:1].tolist()


def test_many_scores_share_bins_and_move_little(monkeypatch):
    own = slides(10**9)
    exact = pixel_auc(rank_pixels(own))[0]
    monkeypatch.setattr(pixel_ranking, "MOST_BINS", 100)
    ranking = rank_pixels(own)
    assert ranking.positives.shape[1] <= 101
    assert pixel_auc(ranking)[0] == pytest.approx(exact, abs=1 / 200)
    assert ranking.positives.sum() + ranking.negatives.sum() == 2100


def test_the_threshold_has_the_highest_dice():
    own = slides(50, seed=3)
    threshold = best_dice_threshold(own)
    scores, truth = (np.concatenate(parts) for parts in zip(*own, strict=True))
    best = max(f1_score(truth, scores >= one) for one in np.unique(scores))
    assert f1_score(truth, scores >= threshold) == pytest.approx(best)
    assert threshold not in scores


def test_without_tumour_there_is_no_threshold():
    assert math.isnan(best_dice_threshold(slides(5)[2:]))
    assert math.isnan(best_dice_threshold([]))
    everything = [(np.array([0.2, 0.2]), np.array([True, True]))]
    assert best_dice_threshold(everything) == pytest.approx(0.2)
