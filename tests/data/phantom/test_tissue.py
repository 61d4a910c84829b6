"""Tissue of the phantom: figures are where they are listed, dark, apart, as many as requested."""

from __future__ import annotations

import numpy as np
import pytest

from midog.data.phantom.cells import draw_tumour
from midog.data.phantom.figures import IMPOSTERS, PHASES
from midog.data.phantom.tissue import BETWEEN_FIGURES_PX, Tissue, draw_tissue


def drawn(seed: int, size: int, with_figures: bool = True) -> Tissue:
    tumour = draw_tumour(np.random.default_rng([seed, 0]))
    return draw_tissue(np.random.default_rng([seed, 1]), tumour, size, with_figures)


@pytest.fixture(scope="module")
def tissue() -> Tissue:
    return drawn(0, 1024)


def test_stain_is_finite_and_not_negative(tissue: Tissue) -> None:
    assert tissue.stain.shape == (2, 1024, 1024)
    assert tissue.stain.dtype == np.float32
    assert np.isfinite(tissue.stain).all()
    assert tissue.stain.min() >= 0


def test_holds_some_ten_figures_and_imposters(tissue: Tissue) -> None:
    assert 9 <= (tissue.labels == 1).sum() <= 15
    assert 9 <= (tissue.labels == 2).sum() <= 15
    for label, kind in zip(tissue.labels, tissue.kinds, strict=True):
        assert kind in (PHASES if label == 1 else IMPOSTERS)


@pytest.mark.parametrize("seed", range(12))
def test_a_small_roi_has_a_figure_and_an_imposter_inside(seed: int) -> None:
    tissue = drawn(seed, 256)
    assert set(tissue.labels.tolist()) == {1, 2}
    assert ((tissue.points >= 0) & (tissue.points < 256)).all()


def test_no_two_figures_are_near_each_other(tissue: Tissue) -> None:
    gaps = np.hypot(*(tissue.points[:, None] - tissue.points[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() >= BETWEEN_FIGURES_PX > 30


def test_without_figures_there_are_imposters_only() -> None:
    assert set(drawn(0, 256, with_figures=False).labels.tolist()) == {2}


def test_figures_have_more_haematoxylin_than_what_is_around(tissue: Tissue) -> None:
    y, x = np.mgrid[:1024, :1024]
    haematoxylin = tissue.stain[0]
    for centre_x, centre_y in tissue.points[tissue.labels == 1]:
        distance = np.hypot(x - centre_x, y - centre_y)
        darkest = np.quantile(haematoxylin[distance < 25], 0.9)
        assert darkest > 2 * haematoxylin[(distance > 30) & (distance < 60)].mean()


def test_same_generator_same_tissue() -> None:
    first, again = drawn(4, 256), drawn(4, 256)
    np.testing.assert_array_equal(first.stain, again.stain)
    np.testing.assert_array_equal(first.points, again.points)


def test_tissue_has_both_nests_and_stroma(tissue: Tissue) -> None:
    haematoxylin, eosin = tissue.stain
    assert 0.15 < (haematoxylin > 0.35).mean() < 0.45  # nuclei
    assert ((haematoxylin < 0.12) & (eosin > 0.18)).mean() > 0.05  # collagen
    assert 0.005 < ((haematoxylin < 0.02) & (eosin < 0.04)).mean() < 0.3  # gaps
