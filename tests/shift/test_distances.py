"""Distances between sets of feature vectors, against closed forms and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist

from midog.shift import distances
from midog.shift.distances import (
    frechet_distance,
    mmd,
    project,
    proxy_a_distance,
    reduce,
)
from tests.shift.vectors import draw, groups

Values = NDArray[np.float64]


def with_moments(count: int, mean: Values, covariance: Values, seed: int = 0) -> Values:
    """Vectors whose sample mean and covariance (n - 1) are exactly these."""
    points = draw(count, len(mean), seed=seed)
    points -= points.mean(axis=0)
    white = points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


class TestProxyADistance:
    def test_one_distribution_is_hardly_told_apart(self):
        outcome = proxy_a_distance(
            draw(400, 4, seed=1), draw(400, 4, seed=2), groups(400, 20, "a"), groups(400, 20, "b")
        )
        assert outcome.folds == 5
        assert 0.45 < outcome.error < 0.55
        assert 0 <= outcome.pad < 0.2

    def test_two_far_apart_are_always_told_apart(self):
        outcome = proxy_a_distance(
            draw(60, 4), draw(50, 4, at=20, seed=1), groups(60, 6, "a"), groups(50, 5, "b")
        )
        assert (outcome.pad, outcome.error, outcome.folds) == (2.0, 0.0, 5)

    def test_the_error_is_that_of_the_best_line(self):
        """Two normal distributions d apart are mixed up with probability Phi(-d / 2) (here d = 2:
        0.159)."""
        outcome = proxy_a_distance(
            draw(2000, 1),
            draw(2000, 1, at=2, seed=1),
            groups(2000, 100, "a"),
            groups(2000, 100, "b"),
        )
        assert abs(outcome.error - 0.5 * math.erfc(1 / math.sqrt(2))) < 0.01
        assert outcome.pad == 2 * (1 - 2 * outcome.error)

    def test_many_of_one_side_do_not_outvote_the_other(self):
        outcome = proxy_a_distance(
            draw(1000, 1), draw(50, 1, at=2, seed=1), groups(1000, 50, "a"), groups(50, 5, "b")
        )
        assert 0.1 < outcome.error < 0.22

    def test_an_error_over_chance_counts_as_chance(self):
        """Either part teaches the opposite of what the other asks: a is 0 and b is 1 in one ROI,
        not in the other."""
        a, b = (
            np.array([[0.0], [1.0]]).repeat(10, axis=0),
            np.array([[1.0], [0.0]]).repeat(10, axis=0),
        )
        outcome = proxy_a_distance(a, b, groups(20, 10), groups(20, 10))
        assert (outcome.pad, outcome.error, outcome.folds) == (0.0, 1.0, 2)

    def test_an_roi_known_from_training_does_not_help(self):
        """Each ROI has a colour of its own and nothing tells the scanners apart: patches at random
        would say 2."""
        colours = np.eye(40).repeat(5, axis=0) * 10
        a, b = colours[:100], colours[100:]
        assert proxy_a_distance(a, b, groups(100, 5, "a"), groups(100, 5, "b")).pad < 0.3
        assert proxy_a_distance(a, b, groups(100, 1, "a"), groups(100, 1, "b")).pad == 2.0

    def test_no_group_is_in_both_parts(self, monkeypatch):
        parts = []

        class Spy(distances.StratifiedGroupKFold):
            def split(self, features, sides, names):
                for taught, tested in super().split(features, sides, names):
                    parts.append((set(names[taught]), set(names[tested]), tested))
                    yield taught, tested

        monkeypatch.setattr(distances, "StratifiedGroupKFold", Spy)
        # "both 0" was seen by both scanners
        names_a, names_b = (
            [*groups(40, 7, "a"), *["both 0"] * 5],
            [*groups(30, 4, "b"), *["both 0"] * 5],
        )
        outcome = proxy_a_distance(draw(45, 3), draw(35, 3, at=1), names_a, names_b, folds=4)
        assert len(parts) == outcome.folds == 4
        assert all(not taught & tested for taught, tested, _ in parts)
        assert sorted(np.concatenate([rows for *_, rows in parts]).tolist()) == list(range(80))

    @pytest.mark.parametrize(("each", "folds"), [(30, 2), (20, 3), (6, 5), (1, 5)])
    def test_there_are_no_more_folds_than_the_smaller_side_has_groups(self, each, folds):
        names = groups(60, each, "b")
        assert (
            proxy_a_distance(draw(80, 2), draw(60, 2, at=1), groups(80, 2, "a"), names).folds
            == folds
        )

    @pytest.mark.parametrize(("n", "m"), [(10, 20), (20, 10), (0, 20), (0, 0)])
    def test_it_is_nan_where_a_side_has_one_group_or_none(self, n, m):
        outcome = proxy_a_distance(draw(n, 2), draw(m, 2), groups(n, 10, "a"), groups(m, 10, "b"))
        assert math.isnan(outcome.pad)
        assert math.isnan(outcome.error)
        assert outcome.folds == 0

    def test_it_is_symmetric_and_repeats(self):
        a, b = draw(60, 5), draw(40, 5, at=0.7, seed=1)
        names_a, names_b = groups(60, 6, "a"), groups(40, 5, "b")
        one = proxy_a_distance(a, b, names_a, names_b, seed=3)
        assert 0 < one.pad < 2
        assert proxy_a_distance(a, b, names_a, names_b, seed=3) == one
        assert proxy_a_distance(b, a, names_b, names_a, seed=3) == one
        assert proxy_a_distance(a, b, names_a, names_b, seed=4) != one

    def test_the_unit_of_a_feature_does_not_matter(self):
        a, b = draw(40, 2), draw(40, 2, at=[0, 9], seed=1)
        names_a, names_b = groups(40, 5, "a"), groups(40, 5, "b")
        assert proxy_a_distance(a * [1, 1e-6], b * [1, 1e-6], names_a, names_b).pad == 2.0

    def test_a_feature_that_never_varies_does_no_harm(self):
        a, b = draw(40, 3), draw(40, 3, at=9, seed=1)
        a[:, 1] = b[:, 1] = 4.0
        assert proxy_a_distance(a, b, groups(40, 5, "a"), groups(40, 5, "b")).pad == 2.0

    @settings(max_examples=25)
    @example(list("ppr"), list("qr"))  # all of the second side is in one fold
    @given(
        st.lists(st.sampled_from("pqrs"), min_size=2, max_size=12),
        st.lists(st.sampled_from("pqrs"), min_size=2, max_size=12),
    )
    def test_any_groups_shared_by_both_sides_give_a_number_or_nan(self, names_a, names_b):
        outcome = proxy_a_distance(
            draw(len(names_a), 2), draw(len(names_b), 2, seed=1), names_a, names_b
        )
        assert math.isnan(outcome.pad) == (min(len(set(names_a)), len(set(names_b))) < 2)
        assert math.isnan(outcome.pad) or 0 <= outcome.pad <= 2


class TestFrechet:
    def test_the_closed_form_of_diagonal_covariances(self):
        """Sum of (m1 - m2)^2 + (s1 - s2)^2 over the features."""
        mean_a, mean_b = np.array([0.0, 1.0, -2.0]), np.array([3.0, 1.0, 0.0])
        sd_a, sd_b = np.array([1.0, 2.0, 0.5]), np.array([1.5, 0.1, 0.5])
        a = with_moments(50, mean_a, np.diag(sd_a**2))
        b = with_moments(40, mean_b, np.diag(sd_b**2), seed=1)
        expected = ((mean_a - mean_b) ** 2).sum() + ((sd_a - sd_b) ** 2).sum()
        assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)

    def test_one_feature(self):
        assert frechet_distance(
            np.array([[0.0], [2.0]]), np.array([[4.0], [12.0]])
        ) == pytest.approx(49 + 2 * 9)

    def test_the_plain_formula(self):
        rng = np.random.default_rng(2)
        a, b = (
            rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)
            for _ in range(2)
        )
        cov_a, cov_b = np.cov(a.T), np.cov(b.T)
        shift = a.mean(axis=0) - b.mean(axis=0)
        expected = shift @ shift + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
        assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)

    def test_fewer_vectors_than_features(self):
        """Only the first two features vary, so that the covariances have no inverse."""
        a, b = np.zeros((30, 40)), np.zeros((25, 40))
        a[:, :2], b[:, :2] = draw(30, 2), draw(25, 2, at=1, seed=1)
        assert frechet_distance(a, b) == pytest.approx(
            frechet_distance(a[:, :2], b[:, :2]), rel=1e-9
        )

    def test_a_set_is_at_0_from_itself_and_never_below(self):
        a = draw(20, 30)
        assert 0 <= frechet_distance(a, a) < 1e-9
        assert 0 <= frechet_distance(a, a[::-1]) < 1e-9

    def test_it_is_symmetric(self):
        a, b = draw(30, 5), 2 * draw(20, 5, at=1, seed=1)
        assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)

    def test_float32_features_are_computed_in_float64(self):
        a, b = (
            (draw(30, 5) + 1000).astype(np.float32),
            (draw(20, 5, seed=1) + 1000).astype(np.float32),
        )
        assert frechet_distance(a, b) == frechet_distance(
            a.astype(np.float64), b.astype(np.float64)
        )

    @pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (0, 5), (0, 0)])
    def test_it_is_nan_without_a_covariance(self, n, m):
        assert math.isnan(frechet_distance(draw(n, 3), draw(m, 3)))


def mmd_by_loops(a: Values, b: Values) -> float:
    pool = [*a, *b]
    h = np.median([np.linalg.norm(x - y) for i, x in enumerate(pool) for y in pool[:i]])

    def mean(one: Values, other: Values) -> float:
        same = one is other
        pairs = [
            (i, j) for i in range(len(one)) for j in range(len(other)) if not (same and i == j)
        ]
        return float(
            np.mean(
                [np.exp(-(np.linalg.norm(one[i] - other[j]) ** 2) / (2 * h**2)) for i, j in pairs]
            )
        )

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)


class TestMmd:
    @pytest.mark.parametrize("at", [0.0, 0.5, 5.0])
    def test_the_plain_double_loop(self, at):
        a, b = draw(13, 3), draw(9, 3, at=at, seed=1)
        assert mmd(a, b) == pytest.approx(mmd_by_loops(a, b), abs=1e-12)

    def test_it_is_symmetric(self):
        a, b = draw(13, 3), draw(9, 3, at=1, seed=1)
        assert mmd(a, b) == pytest.approx(mmd(b, a), abs=1e-14)

    def test_it_is_without_bias(self):
        """Over many draws from one distribution its mean is 0, and half of the values or so are
        below 0."""
        values = [mmd(draw(20, 2, seed=seed), draw(20, 2, seed=1000 + seed)) for seed in range(200)]
        assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(200)
        assert min(values) < 0 < max(values)

    @pytest.mark.parametrize(("n", "m"), [(1, 5), (5, 1), (0, 5), (0, 0)])
    def test_it_is_nan_without_a_pair(self, n, m):
        assert math.isnan(mmd(draw(n, 3), draw(m, 3)))

    def test_a_bandwidth_may_be_given(self):
        a, b = draw(13, 3), draw(9, 3, at=1, seed=1)
        median = float(np.median(pdist(np.concatenate([a, b]))))
        assert mmd(a, b, median) == mmd(a, b)
        assert mmd(a, b, 2 * median) != mmd(a, b)
        assert math.isnan(mmd(a, b, 0.0))

    def test_it_is_nan_without_a_bandwidth(self):
        assert math.isnan(mmd(np.ones((4, 2)), np.ones((5, 2))))


class TestReduce:
    def test_as_many_dims_as_features_keep_all_distances(self):
        """Principal components are a turn of the standardised features."""
        a, b = 5 * draw(30, 6), 3 + draw(20, 6, seed=1)
        small_a, small_b = reduce([a, b])
        pool = np.concatenate([a, b])
        scaled_a, scaled_b = ((one - pool.mean(axis=0)) / pool.std(axis=0) for one in (a, b))
        assert small_a.shape == (30, 6)
        assert frechet_distance(small_a, small_b) == pytest.approx(
            frechet_distance(scaled_a, scaled_b), rel=1e-9
        )
        assert mmd(small_a, small_b) == pytest.approx(mmd(scaled_a, scaled_b), abs=1e-12)

    def test_components_are_of_the_pool_uncorrelated_and_largest_first(self):
        pool = np.concatenate(
            reduce([draw(30, 100), draw(50, 100, at=1, seed=1), draw(20, 100, seed=2)])
        )
        covariance = np.cov(pool.T)
        assert covariance.shape == (8, 8)
        np.testing.assert_allclose(pool.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-9)
        assert (np.diff(np.diag(covariance)) <= 1e-12).all()

    def test_units_of_a_feature_do_not_matter(self):
        a, b = draw(30, 4), draw(20, 4, at=1, seed=1)
        units = np.array([1.0, 100.0, 0.01, 7.0])
        for one, other in zip(
            reduce([a, b], 3), reduce([a * units + 5, b * units + 5], 3), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-9)

    def test_turned_features_are_turned_back(self):
        """Whatever sign the decomposition chose: the largest weight of a component is positive."""
        a, b = draw(30, 4), draw(20, 4, at=[1, 2, 3, 0.5], seed=1)
        pool = np.concatenate([a, b])
        scaled = (pool - pool.mean(axis=0)) / pool.std(axis=0)
        components = np.linalg.lstsq(scaled, np.concatenate(reduce([a, b])), rcond=None)[0]
        assert (components[np.abs(components).argmax(axis=0), range(4)] > 0).all()

    @pytest.mark.parametrize(
        ("n", "m", "dims", "expected"), [(3, 4, 32, 6), (3, 4, 2, 2), (40, 40, 32, 9), (2, 0, 5, 1)]
    )
    def test_dims_are_never_more_than_there_is(self, n, m, dims, expected):
        small = reduce([draw(n, 9), draw(m, 9, seed=1)], dims)
        assert [one.shape for one in small] == [(n, expected), (m, expected)]

    @pytest.mark.parametrize("count", [0, 1])
    def test_no_patches_or_one_give_no_components(self, count):
        assert [one.shape for one in reduce([draw(count, 9), draw(0, 9)])] == [(count, 0), (0, 0)]

    def test_nothing_given_is_changed(self):
        a = draw(10, 3)
        before = a.copy()
        reduce([a, a])
        np.testing.assert_array_equal(a, before)


class TestProject:
    def test_it_is_the_first_two_components(self):
        sets = [draw(10, 5), draw(12, 5, at=3, seed=1), draw(0, 5)]
        for point, small in zip(project(sets), reduce(sets), strict=True):
            np.testing.assert_allclose(point, small[:, :2], atol=1e-12)

    def test_what_is_far_apart_is_apart_in_the_picture(self):
        a, b = project([draw(10, 50), draw(10, 50, at=8, seed=1)])
        assert a[:, 0].max() < b[:, 0].min() or b[:, 0].max() < a[:, 0].min()

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_few_patches_have_a_place_too(self, count):
        assert [one.shape for one in project([draw(count, 5), draw(0, 5)])] == [(count, 2), (0, 2)]
