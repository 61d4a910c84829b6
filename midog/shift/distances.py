"""How far two sets of feature vectors are apart: proxy A-distance, Frechet distance, MMD; and their projections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Values = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]

FEATURE_DISTANCES: dict[str, str] = {
    "pad": "proxy A-distance: how well a linear classifier tells the two apart, from 0 (not at all) to 2 (always)",
    "frechet": "Frechet distance: how far apart mean and spread are if both were normal distributions, from 0 up",
    "mmd": "squared maximum mean discrepancy: how much closer patches lie to their own kind, about 0 if not at all",
}


@dataclass(frozen=True)
class AProxy:
    """A proxy A-distance.

    pad: from 0, not told apart, to 2, always. error: the classifier's balanced error in [0, 1], 0.5 is chance.
    folds: of its cross-validation. Where a side has fewer than two groups pad and error are NaN and folds is 0.
    """

    pad: float
    error: float
    folds: int


def proxy_a_distance(
    a: Vectors, b: Vectors, groups_a: Sequence[str], groups_b: Sequence[str], *, folds: int = 5, seed: int = 0
) -> AProxy:
    """2 (1 - 2 error) of a linear classifier that is to tell a from b (Ben-David et al. 2007, NeurIPS 19).

    a (N, D), b (M, D): features. groups_a (N,), groups_b (M,): the patient or ROI of each; the classifier is tested
    on groups that it was not taught on, as it would else know the tissue and not the scanner.
    folds: at least 2; no more are made than the smaller side has groups. seed: shuffles groups among them.
    The error is the mean of both sides' shares of wrong answers; over 0.5 the distance is 0.
    """
    assert len(a) == len(groups_a), (len(a), len(groups_a))
    assert len(b) == len(groups_b), (len(b), len(groups_b))
    folds = min(folds, len(set(groups_a)), len(set(groups_b)))
    if folds < 2:
        return AProxy(float("nan"), float("nan"), 0)
    features = np.concatenate([a, b]).astype(np.float64)
    sides = np.repeat([0, 1], [len(a), len(b)])
    wrong = _answers(features, sides, np.array([*groups_a, *groups_b]), folds, seed) != sides
    error = float(wrong[sides == 0].mean() + wrong[sides == 1].mean()) / 2
    return AProxy(2 * (1 - 2 * min(error, 0.5)), error, folds)


def frechet_distance(a: Vectors, b: Vectors) -> float:
    """|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)), A and B the covariances (FID; Heusel et al. 2017).

    a (N, D), b (M, D): features, reduced ones if N or M is not well over D. NaN where N or M is below 2.
    """
    if min(len(a), len(b)) < 2:
        return float("nan")
    shift = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    root_a, root_b = _covariance_root(a), _covariance_root(b)
    # The root of A B has the trace of the root of A^.5 B A^.5, which is the sum of the singular values of A^.5 B^.5:
    # no root of a matrix that is not symmetric, and none of a rounding error.
    shared = np.linalg.svd(root_a @ root_b, compute_uv=False).sum()
    distance = shift @ shift + (root_a**2).sum() + (root_b**2).sum() - 2 * shared
    return max(0.0, float(distance))


def mmd(a: Vectors, b: Vectors) -> float:
    """Unbiased squared maximum mean discrepancy (Gretton et al. 2012, JMLR 13, equation 3), so it may be below 0.

    a (N, D), b (M, D): features. The kernel is exp(-d^2 / (2 h^2)), h the median of the distances d between all points
    of both. NaN where N or M is below 2, or where h is 0.
    """
    if min(len(a), len(b)) < 2:
        return float("nan")
    distances = pdist(np.concatenate([a, b]).astype(np.float64))
    bandwidth = float(np.median(distances))
    if bandwidth == 0:
        return float("nan")
    kernel = squareform(np.exp(-((distances / bandwidth) ** 2) / 2))  # 0, not 1, on the diagonal: no point with itself
    n, m = len(a), len(b)
    within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
    return float(within - 2 * kernel[:n, n:].mean())


def reduce(features: Sequence[Vectors], dims: int = 32) -> list[Values]:
    """Each set on the pool's first principal components, after each feature got the pool's mean 0 and sd 1.

    A covariance of several hundred features needs more patches than there are; one of `dims` does not.
    features: sets (N, D), N may be 0. Returns (N, K) each, K at most dims, D, and one less than all vectors together.
    The largest weight of each component is positive, so that the same features give the same picture.
    """
    pool = np.concatenate(features).astype(np.float64)
    count = min(dims, pool.shape[1], len(pool) - 1)
    if count < 1:
        return [np.zeros((len(one), 0)) for one in features]
    pca = PCA(count, svd_solver="full")
    scores = pca.fit_transform(StandardScaler().fit_transform(pool))
    # Older versions of scikit-learn choose the sign by the scores: one more patch could mirror the picture.
    largest = np.abs(pca.components_).argmax(axis=1)
    scores = scores * np.where(pca.components_[np.arange(count), largest] < 0, -1.0, 1.0)
    return np.split(scores, np.cumsum([len(one) for one in features])[:-1])


def project(features: Sequence[Vectors]) -> list[Values]:
    """Each set (N, D) as points (N, 2) of a picture: the first two components of `reduce`, 0 where there are fewer."""
    return [np.pad(one, ((0, 0), (0, 2 - one.shape[1]))) for one in reduce(features, dims=2)]


def feature_distances(
    a: Vectors,
    b: Vectors,
    groups_a: Sequence[str],
    groups_b: Sequence[str],
    *,
    reduced: tuple[Vectors, Vectors] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> dict[str, float]:
    """The distances of FEATURE_DISTANCES between a (N, D) and b (M, D), NaN where one is undefined.

    reduced: a and b as `reduce` gives them for all scanners at once, so that the pairs have one scale; None reduces
    these two alone. groups_a, groups_b, folds and seed: see proxy_a_distance, which takes the features whole.
    """
    small_a, small_b = reduced if reduced is not None else reduce([a, b])
    return {
        "pad": proxy_a_distance(a, b, groups_a, groups_b, folds=folds, seed=seed).pad,
        "frechet": frechet_distance(small_a, small_b),
        "mmd": mmd(small_a, small_b),
    }


def _answers(
    features: Values, sides: NDArray[np.int64], groups: NDArray[np.str_], folds: int, seed: int
) -> NDArray[np.int64]:
    """The side (0 or 1) that each vector is given by a classifier taught on groups other than its own."""
    answers = np.empty_like(sides)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for taught, tested in split.split(features, sides, groups):
        if len(set(sides[taught])) < 2:  # groups on both sides can leave the tested part all of one side
            answers[tested] = sides[taught][0]
            continue
        classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        answers[tested] = classifier.fit(features[taught], sides[taught]).predict(features[tested])
    return answers


def _covariance_root(a: Vectors) -> Values:
    """The symmetric square root (D, D) of the covariance, N - 1 below the line, of a (N, D)."""
    centred = a - a.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(a) - 1))
    root: Values = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
