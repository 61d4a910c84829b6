"""Figures of the phantom: each phase and each imposter has the marks that distinguish it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from midog.data.phantom.cells import draw_tumour
from midog.data.phantom.figures import IMPOSTERS, PHASES, Painter
from midog.data.phantom.paint import Grain, Window

SEEDS = range(12)
GRAIN = Grain(np.random.default_rng(0))
DARK = 0.5
"""Haematoxylin above which chromatin is condensed."""


def painted(painter: Painter, seed: int) -> Window:
    rng = np.random.default_rng(seed)
    return painter(rng, draw_tumour(rng), GRAIN)


def chromatin(window: Window) -> np.ndarray:
    return np.asarray(window.stain[0] > DARK)


def clumps(window: Window, at_least_px: int) -> int:
    parts, count = ndimage.label(chromatin(window))
    return int(
        (ndimage.sum_labels(np.ones_like(parts), parts, range(1, count + 1)) >= at_least_px).sum()
    )


@pytest.mark.parametrize("kind", [*PHASES, *IMPOSTERS])
def test_is_dark_in_the_middle_and_clear_at_the_windows_edge(kind: str) -> None:
    for seed in SEEDS:
        window = painted({**PHASES, **IMPOSTERS}[kind], seed)
        opacity = window.stain[2]
        assert 0 <= opacity.min() <= opacity.max() <= 1 + 1e-5
        assert (
            max(opacity[0].max(), opacity[-1].max(), opacity[:, 0].max(), opacity[:, -1].max())
            < 0.01
        )
        rows, columns = np.nonzero(chromatin(window))
        assert len(rows) > 60  # 4 square micrometres
        assert (
            np.hypot(rows.mean() - (window.side - 1) / 2, columns.mean() - (window.side - 1) / 2)
            < 8
        )


def test_anaphase_and_telophase_have_two_plates_the_latter_further_apart() -> None:
    apart = {}
    for phase in ("anaphase", "telophase"):
        spans = []
        for seed in SEEDS:
            window = painted(PHASES[phase], seed)
            assert clumps(window, at_least_px=40) >= 2
            spans.append(np.hypot(window.x, window.y)[chromatin(window)].mean())
        apart[phase] = np.mean(spans)
    assert apart["telophase"] > apart["anaphase"] + 3


def test_a_metaphase_plate_is_8_to_13_um_long_and_thin() -> None:
    for seed in SEEDS:
        window = painted(PHASES["metaphase"], seed)
        points = np.stack([window.x[chromatin(window)], window.y[chromatin(window)]])
        across, along = (
            4 * np.sqrt(np.linalg.eigvalsh(np.cov(points))) * 0.25
        )  # a bar of length L: about 1.15 L
        assert 7 < along < 14
        assert across < 0.6 * along


def test_figures_are_more_ragged_than_pyknotic_and_hyperchromatic_nuclei() -> None:
    def raggedness(painter: Painter) -> float:
        values = []
        for seed in SEEDS:
            dark = chromatin(painted(painter, seed))
            rim = dark & ~ndimage.binary_erosion(dark)
            values.append(rim.sum() / np.sqrt(dark.sum()))
        return float(np.mean(values))

    smooth = max(raggedness(IMPOSTERS[kind]) for kind in ("pyknotic", "hyperchromatic"))
    assert min(raggedness(painter) for painter in PHASES.values()) > 1.2 * smooth


def test_dying_cells_are_pinker_than_dividing_ones() -> None:
    def eosin(painter: Painter) -> float:
        values = []
        for seed in SEEDS:
            window = painted(painter, seed)
            body = (
                (window.stain[2] > 0.9)
                & (window.stain[0] < 0.3)
                & (np.hypot(window.x, window.y) < 22)
            )
            values.append(window.stain[1][body].mean())
        return float(np.mean(values))

    dying = min(eosin(IMPOSTERS[kind]) for kind in ("pyknotic", "apoptotic"))
    assert dying > 1.4 * max(eosin(painter) for painter in PHASES.values())


def test_an_apoptotic_cell_has_fragments() -> None:
    assert (
        np.mean([clumps(painted(IMPOSTERS["apoptotic"], seed), at_least_px=8) for seed in SEEDS])
        > 1.5
    )
