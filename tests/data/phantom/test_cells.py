"""Nuclei of the phantom: their sizes and directions, and patients that differ."""

from __future__ import annotations

import numpy as np

from midog.data.phantom.cells import draw_tumour, lymphocyte, spindle_nucleus, tumour_nucleus
from midog.data.phantom.paint import Grain

GRAIN = Grain(np.random.default_rng(0))


def test_ordinary_nuclei_are_6_to_12_um_and_lymphocytes_smaller() -> None:
    def diameters(kind: str) -> list[float]:
        sizes = []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            window = (
                tumour_nucleus(rng, draw_tumour(rng), GRAIN)
                if kind == "tumour"
                else lymphocyte(rng, GRAIN)
            )
            area = ((window.stain[2] > 0.5) & (window.stain[0] > 0.12)).sum()
            sizes.append(2 * np.sqrt(area / np.pi) * 0.25)
        return sizes

    assert 6 < np.median(diameters("tumour")) < 10
    assert np.median(diameters("lymphocyte")) < 6


def test_spindle_nuclei_lie_along_the_fibres() -> None:
    for angle in (0.0, 0.8, 1.6):
        rng = np.random.default_rng(5)
        window = spindle_nucleus(rng, GRAIN, angle)
        weight = window.stain[2]
        turn = 0.5 * np.arctan2(
            (2 * weight * window.x * window.y).sum(), (weight * (window.x**2 - window.y**2)).sum()
        )
        assert abs((turn - angle + np.pi / 2) % np.pi - np.pi / 2) < 0.5


def test_patients_differ() -> None:
    assert draw_tumour(np.random.default_rng(0)) != draw_tumour(np.random.default_rng(1))
    assert draw_tumour(np.random.default_rng(0)) == draw_tumour(np.random.default_rng(0))
