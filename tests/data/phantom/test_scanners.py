"""Scanners of the phantom: Beer-Lambert, and images that differ measurably."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from midog.data.phantom.cells import draw_tumour
from midog.data.phantom.scanners import SCANNERS, Scanner, scan
from midog.data.phantom.tissue import draw_tissue

PLAIN = replace(
    SCANNERS[0],
    strength=(1, 1),
    white_balance=(1, 1, 1),
    light_level=1,
    gamma=1,
    blur_sigma_px=0,
    sharpen=0,
    noise=0,
)


def colours_of(scanner: Scanner, stain: np.ndarray) -> np.ndarray:
    return (
        scan(stain.astype(np.float32), scanner, np.random.default_rng(0))
        .reshape(-1, 3)
        .astype(float)
    )


def test_light_falls_with_stain_as_beer_and_lambert_say() -> None:
    rng = np.random.default_rng(0)
    stain = rng.uniform(0, 1, (2, 32, 32))
    vectors = [np.array(v) / np.linalg.norm(v) for v in (PLAIN.haematoxylin, PLAIN.eosin)]
    expected = 255 * 10 ** -(stain[0, ..., None] * vectors[0] + stain[1, ..., None] * vectors[1])
    assert np.abs(colours_of(PLAIN, stain) - expected.reshape(-1, 3)).max() <= 0.51  # rounding


def test_glass_reads_the_light_level_and_balance() -> None:
    scanner = replace(PLAIN, light_level=0.9, white_balance=(1.0, 0.9, 0.8))
    assert colours_of(scanner, np.zeros((2, 8, 8)))[0].tolist() == [230, 207, 184]


def test_blur_softens_and_sharpening_hardens_an_edge() -> None:
    stain = np.zeros((2, 32, 32))
    stain[0, :, 16:] = 0.5
    steepest = [
        np.abs(
            np.diff(
                scan(stain.astype(np.float32), scanner, np.random.default_rng(0))[16, :, 0].astype(
                    int
                )
            )
        ).max()
        for scanner in (
            replace(PLAIN, blur_sigma_px=1.5),
            PLAIN,
            replace(PLAIN, blur_sigma_px=1.5, sharpen=2.0),
        )
    ]
    assert steepest[0] < steepest[2] <= steepest[1]


def test_names_are_distinct_and_in_order() -> None:
    assert [scanner.name for scanner in SCANNERS] == [
        "Phantom A",
        "Phantom B",
        "Phantom C",
        "Phantom D",
    ]


def test_scanners_show_the_same_tissue_in_different_colours_and_sharpness() -> None:
    tumour = draw_tumour(np.random.default_rng(1))
    stain = draw_tissue(np.random.default_rng(2), tumour, 256, with_figures=True).stain
    means = {scanner.name: colours_of(scanner, stain).mean(axis=0) for scanner in SCANNERS}
    distances = {
        pair: np.linalg.norm(means[pair[0]] - means[pair[1]]) for pair in combinations(means, 2)
    }
    assert min(distances.values()) > 8
    trained = distances["Phantom A", "Phantom B"]
    assert distances["Phantom A", "Phantom C"] > trained
    assert distances["Phantom B", "Phantom C"] > trained


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda scanner: scanner.name)
def test_image_is_uint8_rgb_and_uses_the_range(scanner: Scanner) -> None:
    stain = np.zeros((2, 16, 16), np.float32)
    stain[:, 8:] = 1.5
    image = scan(stain, scanner, np.random.default_rng(0))
    assert (image.shape, image.dtype) == ((16, 16, 3), np.uint8)
    assert image[:4].min() > 190
    assert image[-4:].max() < 90
