"""Stains, colour and sharpness of patches, and that distances are distances."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, stats

from midog.data.folder import read_rois
from midog.shift.images import (
    IMAGE_DISTANCES,
    ImageStats,
    image_distances,
    image_stats,
    lab,
    sharpness,
)
from midog.shift.patches import fixed_patches
from midog.stains import optical_density
from tests.stained import BROWNISH, RUIFROK, USUAL, angle, painted


def textured(slope: float, *, patches: int = 3, side: int = 128) -> np.ndarray:
    """Grey patches whose power falls as frequency ** slope."""
    rng = np.random.default_rng(3)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    frequency[0, 0] = 1
    waves = np.fft.fft2(rng.normal(size=(patches, side, side))) * frequency ** (slope / 2)
    field = np.fft.ifft2(waves).real
    field = 128 + 30 * (field - field.mean()) / field.std()
    return np.repeat(np.clip(np.rint(field), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


@pytest.mark.parametrize("level", [255, 120, 0])
def test_patches_of_one_colour_have_no_stains_and_no_sharpness(level):
    outcome = image_stats(np.full((3, 64, 64, 3), level, np.uint8))
    assert np.isnan(outcome.stains).all()
    assert np.isnan(outcome.concentrations).all()
    assert math.isnan(outcome.sharpness)
    assert outcome.rgb_mean == pytest.approx([level] * 3)
    assert outcome.od_sd == pytest.approx([0] * 3, abs=1e-12)
    assert outcome.tissue == (level < 255)
    distances = image_distances(outcome, image_stats(painted(RUIFROK)))
    assert math.isnan(distances["stain_angle_deg"])
    assert math.isnan(distances["sharpness_difference"])
    assert distances["od_wasserstein"] > 0


def test_too_few_pixels_of_tissue_tell_no_stain():
    images = np.full((1, 64, 64, 3), 255, np.uint8)
    images[0, :20, :20] = painted(RUIFROK)[0, :20, :20]
    assert np.isnan(image_stats(images).stains).all()


def test_a_grey_picture_has_no_stains():
    assert np.isnan(image_stats(textured(-2)).stains).all()


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [  # CIELAB of sRGB's corners, D65
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.74, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_lab_of_known_colours(rgb, expected):
    assert lab(np.array([rgb], np.uint8))[0] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("slope", [-1.5, -2.0, -3.0])
def test_sharpness_is_the_slope_of_the_spectrum(slope):
    assert sharpness(textured(slope)) == pytest.approx(slope, abs=0.1)


def test_blurred_copies_have_a_steeper_slope():
    sharp = textured(-2)
    slopes = [sharpness(sharp)]
    for sigma in (0.5, 1.0, 1.5):
        slopes.append(sharpness(ndimage.gaussian_filter(sharp, (0, sigma, sigma, 0))))
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[0] - slopes[-1] > 1


def test_sharpness_ignores_patches_of_glass_and_is_unknown_for_tiny_ones():
    sharp = textured(-2)
    glass = np.full_like(sharp, 255)
    assert sharpness(np.concatenate([sharp, glass, glass])) == sharpness(sharp)
    assert math.isnan(sharpness(sharp[:, :31, :31]))


def test_means_and_deviations_are_those_of_the_pixels():
    images = painted(RUIFROK)
    outcome, pixels = image_stats(images), images.reshape(-1, 3)
    np.testing.assert_allclose(outcome.rgb_mean, pixels.mean(axis=0))
    np.testing.assert_allclose(outcome.rgb_sd, pixels.std(axis=0))
    np.testing.assert_allclose(outcome.od_mean, optical_density(pixels).mean(axis=0))
    np.testing.assert_allclose(outcome.od_sd, optical_density(pixels).std(axis=0))
    np.testing.assert_allclose(outcome.lab_mean, lab(pixels).mean(axis=0))
    assert outcome.histogram.sum(axis=1).tolist() == [len(pixels)] * 3


def test_wasserstein_is_that_of_the_pixels_densities():
    a, b = painted(RUIFROK), painted(BROWNISH, seed=1)
    oracle = [
        stats.wasserstein_distance(
            optical_density(a)[..., c].ravel(), optical_density(b)[..., c].ravel()
        )
        for c in range(3)
    ]
    assert image_distances(image_stats(a), image_stats(b))["od_wasserstein"] == pytest.approx(
        np.mean(oracle)
    )


def test_the_stain_angle_is_the_mean_of_both_stains():
    expected = np.mean([angle(RUIFROK[i], BROWNISH[i]) for i in range(2)])
    outcome = image_distances(image_stats(painted(RUIFROK)), image_stats(painted(BROWNISH)))
    assert outcome["stain_angle_deg"] == pytest.approx(expected, abs=2)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_distances_are_zero_to_itself_and_the_same_both_ways(seed, other):
    rng = np.random.default_rng(seed)
    a = image_stats(painted(RUIFROK + rng.uniform(0, 0.2, (2, 3)), patches=1, side=32, seed=seed))
    b = image_stats(painted(BROWNISH, patches=1, side=48, seed=other))
    assert image_distances(a, a) == dict.fromkeys(IMAGE_DISTANCES, 0.0)
    there, back = image_distances(a, b), image_distances(b, a)
    assert list(there) == list(IMAGE_DISTANCES)
    assert there == pytest.approx(back, rel=1e-12)
    assert all(value >= 0 for value in there.values())


def test_many_pixels_are_sampled_the_same_way_each_time_and_well():
    images = np.tile(painted(RUIFROK, patches=1, side=256), (12, 1, 1, 1))
    outcome, again, few = image_stats(images), image_stats(images), image_stats(images[:1])
    assert outcome.to_dict() == again.to_dict()
    assert outcome.histogram.sum() < images.size
    np.testing.assert_allclose(outcome.rgb_mean, few.rgb_mean, atol=0.5)
    np.testing.assert_allclose(outcome.stains, few.stains, atol=0.01)


def test_the_statistics_are_plain_json_with_null_for_nan():
    tree = image_stats(np.full((2, 16, 16, 3), 255, np.uint8)).to_dict()
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree
    assert tree["sharpness"] is None
    assert tree["stains"] == [[None] * 3] * 2
    assert tree["patches"] == 2


def stats_of(folder, **choice) -> dict[str, ImageStats]:
    return {
        each.scanner: image_stats(each.images)
        for each in fixed_patches(read_rois(folder), **choice)
    }


def test_scanners_of_the_phantom_differ_more_than_parts_of_one(phantom):
    first = stats_of(phantom, size_px=128, per_roi=4)
    again = stats_of(phantom, size_px=128, per_roi=4, seed=1)
    names = list(first)
    assert len(names) == 4
    for name in ("stain_angle_deg", "od_wasserstein", "colour_delta_e", "sharpness_difference"):
        same = [image_distances(first[each], again[each])[name] for each in names]
        other = [image_distances(first[a], first[b])[name] for a in names for b in names if a < b]
        assert np.mean(other) > 2 * np.mean(same)


def test_real_scanners_have_stains_like_those_of_the_books(composite):
    outcome = stats_of(composite, size_px=128, per_roi=2, max_rois=3)
    assert list(outcome) == ["Hamamatsu XR", "Hamamatsu S360", "Aperio CS2", "Aperio XT"]
    for each in outcome.values():
        assert None not in np.ravel(each.to_dict()["stains"])
        assert angle(each.stains[0], USUAL[0]) < 20
        assert angle(each.stains[1], USUAL[1]) < 20
        assert -5 < each.sharpness < -1
        assert each.tissue > 0.5
    distances = image_distances(outcome["Hamamatsu XR"], outcome["Aperio CS2"])
    assert all(0 < value < math.inf for value in distances.values())
