"""The rule that makes one probability of two scores: its values, and how it is fitted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.inference.score_rule import MEAN_OF_ODDS, ScoreRule, fit_score_rule


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_formula_has_these_values():
    rule = ScoreRule(bias=-0.5, detector=1.25, verifier=0.75)
    expected = 1 / (1 + math.exp(-(-0.5 + 1.25 * math.log(0.8 / 0.2) + 0.75 * -1.5)))
    assert rule(f32(0.8), f32(-1.5)).tolist() == pytest.approx([expected])
    assert ScoreRule(0, 1, 0)(f32(0.3, 0.9), f32(8, -8)).tolist() == pytest.approx([0.3, 0.9])
    # odds 4 and 1 / 4: their geometric mean is 1
    assert MEAN_OF_ODDS(f32(0.8), f32(-math.log(4))).tolist() == pytest.approx([0.5])


def test_scores_of_0_and_1_and_no_detection_give_probabilities():
    fused = MEAN_OF_ODDS(f32(0, 1, 0.5), f32(500, -500, 1e30))
    assert np.isfinite(fused).all()
    assert ((fused >= 0) & (fused <= 1)).all()
    assert len(MEAN_OF_ODDS(f32(), f32())) == 0


def made(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detections whose log odds of being a figure are -0.5 + 0.8 * detector's + 1.5 * z."""
    rng = np.random.default_rng(seed)
    odds, z = rng.normal(size=count) * 2, rng.normal(size=count)
    p = 1 / (1 + np.exp(-(-0.5 + 0.8 * odds + 1.5 * z)))
    return (1 / (1 + np.exp(-odds))).astype(np.float32), z.astype(np.float32), rng.random(count) < p


def test_it_finds_the_weights_that_made_the_data():
    rule = fit_score_rule(*made(0, 40_000))
    assert rule is not None
    assert [rule.bias, rule.detector, rule.verifier] == pytest.approx([-0.5, 0.8, 1.5], abs=0.06)


def test_it_is_the_optimum_and_the_same_each_time_and_in_any_order():
    scores, z, is_figure = made(1)
    rule = fit_score_rule(scores, z, is_figure)
    assert rule == fit_score_rule(scores, z, is_figure)
    turned = fit_score_rule(scores[::-1], z[::-1], is_figure[::-1])
    assert turned is not None
    assert rule is not None

    def loss(bias: float, detector: float, verifier: float) -> float:
        s = np.clip(scores.astype(float), 1e-6, 1 - 1e-6)
        raw = bias + detector * np.log(s / (1 - s)) + verifier * z.astype(float)
        likelihood = np.logaddexp(0, raw) - is_figure * raw
        return float(likelihood.sum() + 0.5 * (detector**2 + verifier**2))

    best = loss(rule.bias, rule.detector, rule.verifier)
    assert loss(turned.bias, turned.detector, turned.verifier) == pytest.approx(best)
    for step in (-0.01, 0.01):
        assert loss(rule.bias + step, rule.detector, rule.verifier) > best
        assert loss(rule.bias, rule.detector + step, rule.verifier) > best
        assert loss(rule.bias, rule.detector, rule.verifier + step) > best


def test_what_can_be_told_apart_without_an_error_keeps_the_weights_finite():
    rule = fit_score_rule(f32(0.9, 0.8, 0.2, 0.1), f32(5, 4, -4, -5), np.array([1, 1, 0, 0], bool))
    assert rule is not None
    assert all(0 <= weight < 5 for weight in (rule.detector, rule.verifier))


def test_a_score_that_misleads_gets_no_weight():
    scores, z, is_figure = made(2)
    rule = fit_score_rule(scores, -z, is_figure)
    assert rule is not None
    assert rule.verifier == 0
    assert rule.detector > 0.5
    alone = fit_score_rule(scores, np.zeros_like(z), is_figure)
    assert alone is not None
    assert rule.detector == pytest.approx(alone.detector)
    both = fit_score_rule(1 - scores, -z, is_figure)
    assert both is not None
    assert (both.detector, both.verifier) == (0, 0)


@pytest.mark.parametrize("is_figure", [np.ones(3, bool), np.zeros(3, bool), np.zeros(0, bool)])
def test_one_kind_alone_fits_nothing(is_figure):
    count = len(is_figure)
    assert fit_score_rule(np.full(count, 0.5, np.float32), np.zeros(count), is_figure) is None
