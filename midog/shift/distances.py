"""How far two sets of features are apart: proxy A-distance, Frechet distance, MMD; and a picture of
them."""

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
"""(N, D): a feature vector of each patch."""

DIMS = 8
"""Principal components that Frechet distance and MMD are of: few enough for a covariance of a
hundred patches."""


@dataclass(frozen=True)
class AProxy:
    """A proxy A-distance.

    Attributes:
        pad: From 0, never told apart, to 2, always; NaN if a side has fewer than two groups.
        error: The classifier's balanced error in [0, 1], 0.5 is chance; NaN likewise.
        folds: Of its cross-validation; 0 likewise.
    """

    pad: float
    error: float
    folds: int


def proxy_a_distance(
    a: Vectors,
    b: Vectors,
    groups_a: Sequence[str],
    groups_b: Sequence[str],
    *,
    folds: int = 5,
    seed: int = 0,
) -> AProxy:
    """Return 2 (1 - 2 error) of a linear classifier that tells a from b (Ben-David et al. 2007,
    NeurIPS 19).

    The classifier is tested on groups that it was not trained on, as it would otherwise know the
    tissue and not the scanner. The error is the mean of both sides' shares of wrong answers; over
    0.5 the distance is 0.

    Args:
        a: (N, D) features.
        b: (M, D) features.
        groups_a: (N,) the patient or ROI of each vector of a.
        groups_b: (M,) likewise of b.
        folds: At least 2; no more are made than the smaller side has groups.
        seed: Shuffles groups among the folds.
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
    """Return |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)), A and B the covariances (FID; Heusel
    et al. 2017).

    Args:
        a: (N, D) features, reduced ones if N is not well over D.
        b: (M, D) features, likewise.

    Returns:
        From 0 up; NaN if N or M is below 2.
    """
    if min(len(a), len(b)) < 2:
        return float("nan")
    shift = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    root_a, root_b = _covariance_root(a), _covariance_root(b)
    # The root of A B has the trace of the root of A^.5 B A^.5, which is the sum of the singular
    # values of A^.5 B^.5: no root of a matrix that is not symmetric, and none of a rounding error.
    shared = np.linalg.svd(root_a @ root_b, compute_uv=False).sum()
    distance = shift @ shift + (root_a**2).sum() + (root_b**2).sum() - 2 * shared
    return max(0.0, float(distance))


def mmd(a: Vectors, b: Vectors, bandwidth: float | None = None) -> float:
    """Return the unbiased squared maximum mean discrepancy (Gretton et al. 2012, JMLR 13,
    equation 3), so it may be below 0.

    Args:
        a: (N, D) features.
        b: (M, D) features.
        bandwidth: The h of the kernel exp(-d^2 / (2 h^2)); None: the median of the distances d
            between all points of both.

    Returns:
        About 0 for one distribution; NaN if N or M is below 2, or if h is 0.
    """
    if min(len(a), len(b)) < 2:
        return float("nan")
    distances = pdist(np.concatenate([a, b]).astype(np.float64))
    bandwidth = float(np.median(distances)) if bandwidth is None else bandwidth
    if bandwidth == 0:
        return float("nan")
    # 0, not 1, on the diagonal: no point with itself
    kernel = squareform(np.exp(-((distances / bandwidth) ** 2) / 2))
    n, m = len(a), len(b)
    within = kernel[:n, :n].sum() / (n * (n - 1)) + kernel[n:, n:].sum() / (m * (m - 1))
    return float(within - 2 * kernel[:n, n:].mean())


def reduce(features: Sequence[Vectors], dims: int = DIMS) -> list[Values]:
    """Return each set on the pool's first principal components, after each feature got the pool's
    mean 0 and sd 1.

    A covariance of several hundred features needs more patches than there are; one of `dims` does
    not. The largest weight of each component is positive, so that the same features give the same
    picture.

    Args:
        features: Sets (N, D); N may be 0.
        dims: The most components.

    Returns:
        A set (N, K) for each, K at most dims, D, and one less than all vectors together.
    """
    pool = np.concatenate(features).astype(np.float64)
    count = min(dims, pool.shape[1], len(pool) - 1)
    if count < 1:
        return [np.zeros((len(one), 0)) for one in features]
    pca = PCA(count, svd_solver="full")
    scores = pca.fit_transform(StandardScaler().fit_transform(pool))
    # Older versions of scikit-learn choose the sign by the scores: one more patch could mirror the
    # picture.
    largest = np.abs(pca.components_).argmax(axis=1)
    scores = scores * np.where(pca.components_[np.arange(count), largest] < 0, -1.0, 1.0)
    return np.split(scores, np.cumsum([len(one) for one in features])[:-1])


def project(features: Sequence[Vectors]) -> list[Values]:
    """Return each set (N, D) as points (N, 2) of a picture: the first two components of `reduce`, 0
    where there are fewer."""
    return [np.pad(one, ((0, 0), (0, 2 - one.shape[1]))) for one in reduce(features, dims=2)]


def _answers(
    features: Values, sides: NDArray[np.int64], groups: NDArray[np.str_], folds: int, seed: int
) -> NDArray[np.int64]:
    """The side (0 or 1) that each vector is given by a classifier trained on other groups than its
    own."""
    answers = np.empty_like(sides)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for trained, tested in split.split(features, sides, groups):
        # groups on both sides can leave the tested part all of one side
        if len(set(sides[trained])) < 2:
            answers[tested] = sides[trained][0]
            continue
        classifier = make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
        )
        answers[tested] = classifier.fit(features[trained], sides[trained]).predict(
            features[tested]
        )
    return answers


def _covariance_root(a: Vectors) -> Values:
    """The symmetric square root (D, D) of the covariance, N - 1 below the line, of a (N, D)."""
    centred = a - a.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(a) - 1))
    root: Values = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
