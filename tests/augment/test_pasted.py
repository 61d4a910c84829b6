"""Pasted figures: only where nothing is, of the patch's own scanner, in the place's light."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.augment.pasted import (
    Paste,
    Pastes,
    figures_of,
    paste_on_cpu,
    paste_on_device,
    pastes_of,
)
from tests.augment.reference_pixels import Painted

NONE = np.zeros((0, 4), np.float32)
FIGURES = figures_of(Painted().figures())


def drawn(places: list, *, choice: float = 0.0, turn: int = 0, pasted: bool = True) -> dict:
    """Parameters for one patch."""
    return {
        "pasted": np.array([pasted]),
        "choices": np.array([choice], np.float32),
        "turns": np.array([turn]),
        "places": np.array([places], np.float32),
    }


def test_figures_are_gathered_by_scanner():
    assert FIGURES.crops.shape == (3, 24, 24, 3)
    assert {name: own.tolist() for name, own in FIGURES.by_scanner.items()} == {
        "A": [0, 2],
        "B": [1],
    }
    assert figures_of([]).crops.shape == (0, 0, 0, 3)


def test_the_first_place_that_touches_no_box_is_taken():
    taken = np.array([[30, 30, 40, 40], [0, 50, 5, 64]], np.float32)
    # corners 20 20 and 0 40 touch a box; 40 40 touches one at its own corner, which is no overlap
    places = [[20 / 41, 20 / 41], [0, 40.5 / 41], [40.5 / 41, 40.5 / 41], [0.001, 0.001]]
    pastes = pastes_of(drawn(places), FIGURES, ["A"], [taken], 64)
    assert pastes.corners.tolist() == [[40, 40]]
    assert pastes.boxes.tolist() == [[44, 46, 60, 58]]
    nowhere = np.array([[0, 0, 64, 64]], np.float32)
    assert pastes_of(drawn(places), FIGURES, ["A"], [nowhere], 64) is None


def test_a_figure_is_of_the_patchs_own_scanner():
    places = [[0.5, 0.5]]
    assert (pastes_of(drawn(places), FIGURES, ["B"], [NONE], 64).crops == 90).all()
    assert (pastes_of(drawn(places, choice=0.9), FIGURES, ["A"], [NONE], 64).crops == 61).all()
    assert pastes_of(drawn(places), FIGURES, ["C"], [NONE], 64) is None
    assert pastes_of(drawn(places, pasted=False), FIGURES, ["A"], [NONE], 64) is None
    assert pastes_of(drawn(places), FIGURES, ["A"], [NONE], 20) is None, "larger than the patch"


@pytest.mark.parametrize("turn", range(8))
def test_a_box_is_turned_with_its_figure(turn):
    crop = np.zeros((24, 24, 3), np.uint8)
    crop[5:9, 3:20] = 200  # y 5 to 9, x 3 to 20
    figures = figures_of([("A", crop, np.array([3, 5, 20, 9], np.float32))])
    pastes = pastes_of(drawn([[0, 0]], turn=turn), figures, ["A"], [NONE], 24)
    x1, y1, x2, y2 = pastes.boxes[0].astype(int)
    turned = pastes.crops[0].numpy()
    assert turned[y1:y2, x1:x2].min() == 200
    assert turned.sum() == crop.sum()


def both(patch: np.ndarray, crop: np.ndarray, x: int, y: int) -> list[np.ndarray]:
    on_cpu = patch.copy()
    paste_on_cpu(on_cpu, Paste(x, y, crop))
    images = torch.from_numpy(np.stack([patch] * 2))
    pastes = Pastes(torch.tensor([1]), torch.tensor([[x, y]]), torch.from_numpy(crop)[None], NONE)
    on_device = paste_on_device(images, pastes).numpy()
    assert np.array_equal(images[1].numpy(), patch), "the given patches stay as they were"
    assert np.array_equal(on_device[0], patch)
    return [on_cpu, on_device[1]]


def test_both_forms_agree_and_leave_all_else_as_it_was():
    rng = np.random.default_rng(0)
    patch = rng.integers(100, 220, (64, 64, 3), dtype=np.uint8)
    crop = rng.integers(50, 220, (24, 24, 3), dtype=np.uint8)
    results = both(patch, crop, 13, 30)
    assert np.abs(results[0].astype(int) - results[1]).max() <= 1
    for result in results:
        outside = np.ones((64, 64), bool)
        outside[30:54, 13:37] = False
        assert np.array_equal(result[outside], patch[outside])
        assert np.array_equal(result[30, 13:37], patch[30, 13:37]), "faded out at its edge"


def test_a_crop_takes_the_light_of_its_place_and_keeps_its_centre():
    patch = np.full((64, 64, 3), (200, 120, 180), np.uint8)
    crop = np.full((24, 24, 3), (100, 100, 150), np.uint8)
    crop[9:15, 9:15] //= 2
    for result in both(patch, crop, 20, 20):
        assert result[32, 32].tolist() == pytest.approx([100, 60, 90], abs=1)
        assert result[26, 32].tolist() == pytest.approx([200, 120, 180], abs=1)
