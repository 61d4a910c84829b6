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
    FEATURE_DISTANCES,
    feature_distances,
    frechet_distance,
    halve,
    mmd,
    project,
    proxy_a_distance,
    reduce,
)

Values = NDArray[np.float64]


def draw(count: int, dims: int, *, at: float = 0.0, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(at, 1.0, (count, dims))


def groups(count: int, each: int, name: str = "roi") -> list[str]:
    """The names of `count` vectors, `each` of one group after another: roi 0, roi 0, …, roi 1, …"""
    return [f"{name} {i // each}" for i in range(count)]


def with_moments(count: int, mean: Values, covariance: Values, seed: int = 0) -> Values:
    """Vectors whose sample mean and covariance (n - 1) are exactly these."""
    points = draw(count, len(mean), seed=seed)
    points -= points.mean(axis=0)
    white = points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


class TestProxyADistance:
    def test_one_distribution_is_hardly_told_apart(self):
        found = proxy_a_distance(
            draw(400, 4, seed=1), draw(400, 4, seed=2), groups(400, 20, "a"), groups(400, 20, "b")
        )
        assert found.folds == 5
        assert 0.45 < found.error < 0.55
        assert 0 <= found.pad < 0.2

    def test_two_far_apart_are_always_told_apart(self):
        found = proxy_a_distance(
            draw(60, 4), draw(50, 4, at=20, seed=1), groups(60, 6, "a"), groups(50, 5, "b")
        )
        assert (found.pad, found.error, found.folds) == (2.0, 0.0, 5)

    def test_the_error_is_that_of_the_best_line(self):
        """Two normal distributions d apart are mixed up with probability Phi(-d / 2) (here d = 2:
        0.159)."""
        found = proxy_a_distance(
            draw(2000, 1),
            draw(2000, 1, at=2, seed=1),
            groups(2000, 100, "a"),
            groups(2000, 100, "b"),
        )
        assert abs(found.error - 0.5 * math.erfc(1 / math.sqrt(2))) < 0.01
        assert found.pad == 2 * (1 - 2 * found.error)

    def test_many_of_one_side_do_not_outvote_the_other(self):
        found = proxy_a_distance(
            draw(1000, 1), draw(50, 1, at=2, seed=1), groups(1000, 50, "a"), groups(50, 5, "b")
        )
        assert 0.1 < found.error < 0.22

    def test_an_error_over_chance_counts_as_chance(self):
        """Either part teaches the opposite of what the other asks: a is 0 and b is 1 in one ROI,
        not in the other."""
        a, b = (
            np.array([[0.0], [1.0]]).repeat(10, axis=0),
            np.array([[1.0], [0.0]]).repeat(10, axis=0),
        )
        found = proxy_a_distance(a, b, groups(20, 10), groups(20, 10))
        assert (found.pad, found.error, found.folds) == (0.0, 1.0, 2)

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
        found = proxy_a_distance(draw(45, 3), draw(35, 3, at=1), names_a, names_b, folds=4)
        assert len(parts) == found.folds == 4
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
        found = proxy_a_distance(draw(n, 2), draw(m, 2), groups(n, 10, "a"), groups(m, 10, "b"))
        assert math.isnan(found.pad)
        assert math.isnan(found.error)
        assert found.folds == 0

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
        found = proxy_a_distance(
            draw(len(names_a), 2), draw(len(names_b), 2, seed=1), names_a, names_b
        )
        assert math.isnan(found.pad) == (min(len(set(names_a)), len(set(names_b))) < 2)
        assert math.isnan(found.pad) or 0 <= found.pad <= 2


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


@pytest.mark.parametrize("each", [2, 3, 10])
def test_halves_share_no_patient_and_hold_all_patches(each):
    patients = {"a": groups(40, each, "p"), "b": groups(25, each, "q")}
    for draw_number in range(5):
        halves = halve(patients, draw_number)
        for scanner, names in patients.items():
            one, other = halves[scanner]
            assert sorted([*one, *other]) == list(range(len(names)))
            people = [{names[row] for row in half} for half in (one, other)]
            assert not people[0] & people[1]
            assert len(people[1]) - len(people[0]) in (0, 1)


def test_each_draw_of_halves_is_another_and_repeats():
    patients = {"a": groups(40, 2)}
    drawn = [halve(patients, number)["a"][0].tolist() for number in range(4)]
    assert len({tuple(each) for each in drawn}) == 4
    assert halve(patients, 2)["a"][0].tolist() == drawn[2]
    assert halve(patients, 2, seed=1)["a"][0].tolist() != drawn[2]


def test_halves_of_two_scanners_of_the_same_patients_share_nobody():
    halves = halve({"a": groups(40, 2), "b": groups(60, 3)}, 0)
    first = {groups(40, 2)[row] for row in halves["a"][0]}
    second = {groups(60, 3)[row] for row in halves["b"][1]}
    assert len(first) == len(second) == 10
    assert not first & second


@pytest.mark.parametrize(("count", "expected"), [(4, [0, 1, 2, 3]), (0, [])])
def test_both_halves_of_one_patient_are_all_there_is(count, expected):
    assert [half.tolist() for half in halve({"a": ["p"] * count}, 0)["a"]] == [expected, expected]


def study(**counts: int) -> tuple[dict[str, Values], dict[str, list[str]]]:
    """So many patches of each scanner, five of a patient, all of one distribution of 20
    features."""
    features = {name: draw(count, 20, seed=ord(name)) for name, count in counts.items()}
    return features, {name: groups(count, 5, name) for name, count in counts.items()}


class TestFeatureDistances:
    def test_each_pair_and_each_scanner_has_each_distance_by_name(self):
        found = feature_distances(*study(a=40, b=30, c=60), [("a", "b"), ("c", "a"), ("b", "b")])
        assert list(found) == [("a", "b"), ("c", "a"), ("b", "b")]
        for distances_of in found.values():
            assert list(distances_of) == list(FEATURE_DISTANCES)
            assert all(map(math.isfinite, distances_of.values()))

    def test_scanners_of_one_distribution_are_as_far_apart_as_halves_of_one(self):
        """However many patches they have: the bias of the Frechet distance at few is in the
        baseline too."""
        features, patients = study(a=60, b=240, c=1200)
        small = reduce(list(features.values()))
        assert frechet_distance(small[0], small[1]) > 1.8 * frechet_distance(small[1], small[2]), (
            "the bias"
        )
        pairs = [("a", "b"), ("b", "c"), ("a", "c"), ("a", "a"), ("b", "b"), ("c", "c")]
        found = feature_distances(features, patients, pairs)
        frechet = [each["frechet"] for each in found.values()]
        assert max(frechet) < 1.35 * min(frechet)
        assert all(abs(each["mmd"]) < 0.02 for each in found.values())

    def test_scanners_that_differ_are_further_apart_than_their_halves(self):
        features, patients = study(a=60, b=90)
        features["b"] += 3
        found = feature_distances(features, patients, [("a", "b"), ("a", "a"), ("b", "b")])
        for name in FEATURE_DISTANCES:
            assert found["a", "b"][name] > 2 * max(found["a", "a"][name], found["b", "b"][name])

    def test_patients_who_differ_are_in_the_baseline(self):
        features, patients = study(a=60, b=60)
        offsets = draw(12, 20, seed=9).repeat(5, axis=0)
        found = feature_distances(
            {**features, "a": features["a"] + 2 * offsets}, patients, [("a", "a"), ("b", "b")]
        )
        assert found["a", "a"]["mmd"] > 0.02 > abs(found["b", "b"]["mmd"])

    def test_patients_whom_both_scanners_scanned_bring_two_no_closer_than_halves_of_one(self):
        features, _ = study(a=60, b=60)
        offsets = 2 * draw(12, 20, seed=9).repeat(5, axis=0)
        features = {name: vectors + offsets for name, vectors in features.items()}
        found = feature_distances(
            features, dict.fromkeys("ab", groups(60, 5)), [("a", "b"), ("a", "a"), ("b", "b")]
        )
        for name in ("frechet", "mmd"):
            halves = (found["a", "a"][name] + found["b", "b"][name]) / 2
            assert found["a", "b"][name] == pytest.approx(halves, rel=0.1)

    def test_they_are_the_means_over_draws_of_equally_many_patches(self, monkeypatch):
        sizes, bandwidths, scores = [], [], iter(range(100))

        def counted(a: Values, b: Values, *bandwidth: float) -> float:
            sizes.append((len(a), len(b), a.shape[1]))
            bandwidths.extend(bandwidth)
            return float(next(scores))

        monkeypatch.setattr(distances, "frechet_distance", counted)
        monkeypatch.setattr(
            distances, "mmd", lambda a, b, bandwidth: counted(a, b, bandwidth) and 0.0
        )
        found = feature_distances(*study(a=40, b=35, c=500), [("b", "c"), ("c", "c")])
        assert set(sizes) == {(15, 15, 8)}, "b has 7 patients, 3 of them in the smaller half"
        assert len(sizes) == 2 * (20 + 10)
        (bandwidth,) = set(bandwidths)
        assert bandwidth == pytest.approx(
            np.median(pdist(np.concatenate(reduce(list(study(a=40, b=35, c=500)[0].values()))))),
            rel=0.2,
        )
        assert found["b", "c"]["frechet"] == np.mean(range(0, 40, 2))
        assert found["c", "c"]["frechet"] == np.mean(range(40, 60, 2))

    def test_a_half_is_no_more_than_256_patches(self, monkeypatch):
        sizes = []
        monkeypatch.setattr(
            distances, "mmd", lambda a, b, _bandwidth: sizes.append((len(a), len(b))) or 0.0
        )
        feature_distances(*study(a=600, b=600), [("a", "b")])
        assert set(sizes) == {(256, 256)}

    def test_pad_is_of_all_patches_and_whole_features(self):
        features, patients = study(a=40, b=30)
        features["b"] += 0.3
        found = feature_distances(features, patients, [("a", "b")], seed=7)
        whole = proxy_a_distance(
            features["a"], features["b"], patients["a"], patients["b"], seed=7
        ).pad
        assert found["a", "b"]["pad"] == whole

    def test_the_other_way_round_is_the_same(self):
        features, patients = study(a=40, b=30)
        features["b"] += 0.3
        found = feature_distances(features, patients, [("a", "b"), ("b", "a")])
        assert found["a", "b"] == pytest.approx(found["b", "a"], rel=1e-9)

    def test_the_seed_decides(self):
        one, again, other = (
            feature_distances(*study(a=40, b=30), [("a", "b")], seed=seed) for seed in (0, 0, 1)
        )
        assert one == again
        assert one["a", "b"]["mmd"] != other["a", "b"]["mmd"]

    def test_a_scanner_of_one_patient_has_distances_and_no_baseline(self):
        features, patients = study(a=40, b=5)
        found = feature_distances(features, patients, [("a", "b"), ("b", "b"), ("a", "a")])
        assert all(map(math.isnan, found["b", "b"].values()))
        assert math.isfinite(found["a", "b"]["frechet"])
        assert math.isfinite(found["a", "b"]["mmd"])
        assert all(map(math.isfinite, found["a", "a"].values()))

    @pytest.mark.parametrize("count", [2, 3])
    def test_the_baseline_of_pad_needs_two_patients_in_either_half(self, count):
        features, patients = study(a=40, b=5 * count)
        found = feature_distances(features, patients, [("b", "b")])["b", "b"]
        assert math.isnan(found["pad"])
        assert math.isfinite(found["frechet"])

    @pytest.mark.parametrize("count", [0, 1])
    def test_a_scanner_without_enough_patches_is_nan_and_spoils_no_other(self, count):
        features, patients = study(a=40, b=30, c=count)
        found = feature_distances(features, patients, [("a", "c"), ("c", "c"), ("a", "b")])
        assert all(math.isnan(value) for pair in list(found)[:2] for value in found[pair].values())
        assert all(map(math.isfinite, found["a", "b"].values()))

    def test_without_any_patches_all_is_nan(self):
        found = feature_distances(*study(a=0, b=1), [("a", "b")])
        assert all(map(math.isnan, found["a", "b"].values()))
