"""Distances between scanners in features: one scale for pairs and baselines, what is undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from midog.shift import feature_distances as module
from midog.shift.distances import frechet_distance, proxy_a_distance, reduce
from midog.shift.feature_distances import FEATURE_DISTANCES, feature_distances
from tests.shift.vectors import Values, draw, groups, study


class TestFeatureDistances:
    def test_each_pair_and_each_scanner_has_each_distance_by_name(self):
        apart = feature_distances(*study(a=40, b=30, c=60), [("a", "b"), ("c", "a"), ("b", "b")])
        assert list(apart) == [("a", "b"), ("c", "a"), ("b", "b")]
        for distances_of in apart.values():
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
        apart = feature_distances(features, patients, pairs)
        frechet = [pair["frechet"] for pair in apart.values()]
        assert max(frechet) < 1.35 * min(frechet)
        assert all(abs(pair["mmd"]) < 0.02 for pair in apart.values())

    def test_scanners_that_differ_are_further_apart_than_their_halves(self):
        features, patients = study(a=60, b=90)
        features["b"] += 3
        apart = feature_distances(features, patients, [("a", "b"), ("a", "a"), ("b", "b")])
        for name in FEATURE_DISTANCES:
            assert apart["a", "b"][name] > 2 * max(apart["a", "a"][name], apart["b", "b"][name])

    def test_patients_who_differ_are_in_the_baseline(self):
        features, patients = study(a=60, b=60)
        offsets = draw(12, 20, seed=9).repeat(5, axis=0)
        apart = feature_distances(
            {**features, "a": features["a"] + 2 * offsets}, patients, [("a", "a"), ("b", "b")]
        )
        assert apart["a", "a"]["mmd"] > 0.02 > abs(apart["b", "b"]["mmd"])

    def test_patients_whom_both_scanners_scanned_bring_two_no_closer_than_halves_of_one(self):
        features, _ = study(a=60, b=60)
        offsets = 2 * draw(12, 20, seed=9).repeat(5, axis=0)
        features = {name: vectors + offsets for name, vectors in features.items()}
        apart = feature_distances(
            features, dict.fromkeys("ab", groups(60, 5)), [("a", "b"), ("a", "a"), ("b", "b")]
        )
        for name in ("frechet", "mmd"):
            halves = (apart["a", "a"][name] + apart["b", "b"][name]) / 2
            assert apart["a", "b"][name] == pytest.approx(halves, rel=0.1)

    def test_they_are_the_means_over_draws_of_equally_many_patches(self, monkeypatch):
        sizes, bandwidths, scores = [], [], iter(range(100))

        def counted(a: Values, b: Values, *bandwidth: float) -> float:
            sizes.append((len(a), len(b), a.shape[1]))
            bandwidths.extend(bandwidth)
            return float(next(scores))

        monkeypatch.setattr(module, "frechet_distance", counted)
        monkeypatch.setattr(module, "mmd", lambda a, b, bandwidth: counted(a, b, bandwidth) and 0.0)
        apart = feature_distances(*study(a=40, b=35, c=500), [("b", "c"), ("c", "c")])
        assert set(sizes) == {(15, 15, 8)}, "b has 7 patients, 3 of them in the smaller half"
        assert len(sizes) == 2 * (20 + 10)
        (bandwidth,) = set(bandwidths)
        assert bandwidth == pytest.approx(
            np.median(pdist(np.concatenate(reduce(list(study(a=40, b=35, c=500)[0].values()))))),
            rel=0.2,
        )
        assert apart["b", "c"]["frechet"] == np.mean(range(0, 40, 2))
        assert apart["c", "c"]["frechet"] == np.mean(range(40, 60, 2))

    def test_a_half_is_no_more_than_256_patches(self, monkeypatch):
        sizes = []
        monkeypatch.setattr(
            module, "mmd", lambda a, b, _bandwidth: sizes.append((len(a), len(b))) or 0.0
        )
        feature_distances(*study(a=600, b=600), [("a", "b")])
        assert set(sizes) == {(256, 256)}

    def test_pad_is_of_all_patches_and_whole_features(self):
        features, patients = study(a=40, b=30)
        features["b"] += 0.3
        apart = feature_distances(features, patients, [("a", "b")], seed=7)
        whole = proxy_a_distance(
            features["a"], features["b"], patients["a"], patients["b"], seed=7
        ).pad
        assert apart["a", "b"]["pad"] == whole

    def test_the_other_way_round_is_the_same(self):
        features, patients = study(a=40, b=30)
        features["b"] += 0.3
        apart = feature_distances(features, patients, [("a", "b"), ("b", "a")])
        assert apart["a", "b"] == pytest.approx(apart["b", "a"], rel=1e-9)

    def test_the_seed_decides(self):
        one, again, other = (
            feature_distances(*study(a=40, b=30), [("a", "b")], seed=seed) for seed in (0, 0, 1)
        )
        assert one == again
        assert one["a", "b"]["mmd"] != other["a", "b"]["mmd"]

    def test_a_scanner_of_one_patient_has_distances_and_no_baseline(self):
        features, patients = study(a=40, b=5)
        apart = feature_distances(features, patients, [("a", "b"), ("b", "b"), ("a", "a")])
        assert all(map(math.isnan, apart["b", "b"].values()))
        assert math.isfinite(apart["a", "b"]["frechet"])
        assert math.isfinite(apart["a", "b"]["mmd"])
        assert all(map(math.isfinite, apart["a", "a"].values()))

    @pytest.mark.parametrize("count", [2, 3])
    def test_the_baseline_of_pad_needs_two_patients_in_either_half(self, count):
        features, patients = study(a=40, b=5 * count)
        apart = feature_distances(features, patients, [("b", "b")])["b", "b"]
        assert math.isnan(apart["pad"])
        assert math.isfinite(apart["frechet"])

    @pytest.mark.parametrize("count", [0, 1])
    def test_a_scanner_without_enough_patches_is_nan_and_spoils_no_other(self, count):
        features, patients = study(a=40, b=30, c=count)
        apart = feature_distances(features, patients, [("a", "c"), ("c", "c"), ("a", "b")])
        assert all(math.isnan(value) for pair in list(apart)[:2] for value in apart[pair].values())
        assert all(map(math.isfinite, apart["a", "b"].values()))

    def test_without_any_patches_all_is_nan(self):
        apart = feature_distances(*study(a=0, b=1), [("a", "b")])
        assert all(map(math.isnan, apart["a", "b"].values()))
