"""ScoreRule: the probability of a detection from the detector's score and the verifier's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FloatArray

Values = NDArray[np.float64]

_LEAST = 1e-6
"""Scores nearer to 0 or 1 than this count as this: their log odds would be infinite."""
_PENALTY = 1.0
_STEPS, _SMALL = 100, 1e-10


@dataclass(frozen=True)
class ScoreRule:
    """P = 1 / (1 + exp(-(bias + detector * log(s / (1 - s)) + verifier * z))).

    s is the detector's score, z the log odds of the verifier. The two weights are not negative, so
    a higher score of either never lowers P. bias = 0 and two weights of 1/2 are the geometric mean
    of the odds.
    """

    bias: float
    detector: float
    verifier: float

    def __call__(self, scores: FloatArray, logits: FloatArray) -> FloatArray:
        """Return fused probabilities.

        Args:
            scores: (N,) float32 in [0, 1], of the detector.
            logits: (N,) float32, log odds of the verifier.

        Returns:
            (N,) float32 in [0, 1].
        """
        weights = np.array([self.bias, self.detector, self.verifier])
        return _sigmoid(_columns(scores, logits) @ weights).astype(np.float32)


MEAN_OF_ODDS = ScoreRule(0.0, 0.5, 0.5)
"""What is used where there is nothing to fit."""


def fit_score_rule(
    scores: FloatArray, logits: FloatArray, is_figure: NDArray[np.bool_]
) -> ScoreRule | None:
    """Fit the weights to detections of which it is known what they are.

    It is a logistic regression: the weights have the highest likelihood less half the sum of their
    squares (which keeps them finite where the detections can be told apart without an error); the
    bias is free. A weight that would be negative is 0. Newton's method in float64 finds the one
    optimum, so equal arguments give equal weights.

    Args:
        scores: (N,) float32 in [0, 1], of the detector.
        logits: (N,) float32, log odds of the verifier.
        is_figure: (N,) bool.

    Returns:
        None where all of them are figures, or none is.
    """
    if is_figure.all() or not is_figure.any():
        return None
    columns, target = _columns(scores, logits), is_figure.astype(np.float64)
    used = [0, 1, 2]
    while True:
        weights = _newton(columns[:, used], target)
        negative = [column for column, weight in zip(used, weights, strict=True) if weight < 0]
        if not set(negative) - {0}:
            break
        worst = min(set(negative) - {0}, key=lambda column: float(weights[used.index(column)]))
        used.remove(worst)
    whole = np.zeros(3)
    whole[used] = weights
    return ScoreRule(*whole.tolist())


def _newton(columns: Values, target: Values) -> Values:
    """Weights (K,) of columns (N, K), of which the first one, of ones, bears no penalty."""
    penalty = np.full(columns.shape[1], _PENALTY)
    penalty[0] = 0.0
    weights = np.zeros(columns.shape[1])
    value = _loss(columns, target, weights, penalty)
    for _ in range(_STEPS):
        p = _sigmoid(columns @ weights)
        gradient = columns.T @ (p - target) + penalty * weights
        curvature = (columns * (p * (1 - p))[:, None]).T @ columns + np.diag(penalty)
        step = np.linalg.solve(curvature + 1e-12 * np.eye(len(weights)), gradient)
        size = 1.0
        while (new := _loss(columns, target, weights - size * step, penalty)) > value:
            size /= 2
            if size < _SMALL:
                return weights
        weights, before, value = weights - size * step, value, new
        if before - value <= _SMALL * max(1.0, abs(value)) and size == 1.0:
            break
    return weights


def _loss(columns: Values, target: Values, weights: Values, penalty: Values) -> float:
    """Negative log likelihood and half the penalised squares."""
    raw = columns @ weights
    fit = np.logaddexp(0, raw) - target * raw
    return float(fit.sum() + 0.5 * (penalty * weights**2).sum())


def _columns(scores: FloatArray, logits: FloatArray) -> Values:
    """(N, 3): ones, log odds of the detector, log odds of the verifier."""
    s = np.clip(scores.astype(np.float64), _LEAST, 1 - _LEAST)
    odds = np.log(s) - np.log1p(-s)
    return np.stack([np.ones(len(s)), odds, logits.astype(np.float64)], axis=1)


def _sigmoid(raw: Values) -> Values:
    return np.asarray(np.exp(-np.logaddexp(0, -raw)))
