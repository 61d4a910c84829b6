"""Scores moved to the level of the images that a threshold was chosen on."""

from __future__ import annotations

import json
import logging
import math

import numpy as np
import pytest
import torch

from midog.errors import WeightsError
from midog.images.image import as_image
from midog.inference.calibration import (
    CALIBRATED,
    Calibration,
    StoredCalibration,
    highest_of_fields,
    level_of,
    read_calibration,
    store_calibration,
)
from midog.inference.detector import Detector
from midog.inference.stored_threshold import Tuning
from midog.models.protocol import Candidates
from midog.mpp import Mpp
from tests.inference.small import CONFIG
from tests.inference.squares import Squares

FIELD, SIDE = 128, 8 * 128
MPP = Mpp.of(0.25)


def tissue(nucleus: int, figures: int = 0, figure: int = 20) -> np.ndarray:
    """64 fields of 32 um, an ordinary nucleus of that grey in each, and darker figures in the first
    ones."""
    pixels = np.full((SIDE, SIDE, 3), 170, np.uint8)
    for number in range(64):
        y, x = (FIELD * place for place in divmod(number, 8))
        pixels[y + 20 : y + 40, x + 20 : x + 40] = nucleus
        if number < figures:
            pixels[y + 70 : y + 110, x + 70 : x + 110] = figure
    return pixels


def detector(floor: float = 0.3) -> Detector:
    return Detector(Squares(), CONFIG, device="cpu", floor=floor)


def odds(score: float) -> float:
    return math.log(score / (1 - score))


def level(pixels: np.ndarray) -> float:
    return level_of(detector().members[0], as_image(pixels, 0.25), MPP)


def test_the_level_is_that_of_ordinary_tissue_however_many_figures_there_are():
    ordinary = odds(1 - 120 / 255)
    assert level(tissue(120)) == pytest.approx(ordinary, abs=1e-3)
    assert level(tissue(120, figures=20)) == pytest.approx(ordinary, abs=1e-3)
    assert level(tissue(120, figures=40)) > ordinary + 1, "more than half are too many"


def test_an_image_with_little_tissue_has_no_level_and_stays(caplog):
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[:256] = tissue(120, figures=3)[:256]
    assert math.isnan(level(pixels))
    own = detector()
    own.calibration = Calibration({own.members[0].weights: 5.0})
    with caplog.at_level(logging.WARNING):
        found = own(pixels, mpp=0.25)
    assert "too little tissue to calibrate scores by" in caplog.text
    assert found.scores.tolist() == detector()(pixels, mpp=0.25).scores.tolist()


def test_glass_beside_tissue_does_not_move_the_level():
    pixels = np.full((SIDE, 2 * SIDE, 3), 255, np.uint8)
    pixels[:, :SIDE] = tissue(120)
    assert level(pixels) == pytest.approx(odds(1 - 120 / 255), abs=1e-3)


def test_a_paler_image_gets_the_scores_of_the_one_that_the_threshold_is_of():
    """Nuclei score 1 - 150/255 here and 1 - 120/255 there, figures 1 - 140/255."""
    own, pale = detector(), tissue(150, figures=4, figure=140)
    assert len(own(pale, mpp=0.25)) == 68
    dark, light = level(tissue(120)), level(pale)
    own.calibration = Calibration({own.members[0].weights: dark})
    found = own(pale, mpp=0.25)
    assert len(found) == 68
    assert (np.diff(found.scores) <= 0).all()
    assert odds(float(found.scores[-1])) == pytest.approx(dark, abs=1e-3)
    expected = odds(1 - 140 / 255) + dark - light
    assert odds(float(found.scores[0])) == pytest.approx(expected, abs=1e-3)
    high = detector(floor=0.42)
    assert len(high(pale, mpp=0.25)) == 4
    high.calibration = own.calibration
    assert len(high(pale, mpp=0.25)) == 68, "what the shift brings over the floor is not lost"
    own.calibration = Calibration({own.members[0].weights: light - 2})
    assert len(own(pale, mpp=0.25)) == 0, "and what falls to it is left out"


def test_it_is_part_of_what_decides_detections():
    own = detector()
    before = own.settings()
    own.calibration = Calibration({own.members[0].weights: 0.5})
    assert own.settings() == {**before, "calibration": {own.members[0].weights: 0.5}}


def test_the_highest_score_of_each_field_is_of_figures_alone():
    boxes = torch.tensor([[[0.0, 0, 4, 4], [90, 0, 98, 8], [60, 60, 64, 64], [0, 90, 9, 99]]])
    scores = torch.tensor([[0.4, 0.9, 0.2, 0.8]])
    candidates = Candidates(boxes, scores, torch.tensor([[1, 1, 1, 2]]))
    best = highest_of_fields(candidates, 100, 2)
    np.testing.assert_allclose(best, [[0.4, 0.9], [0.2, 0.2]], atol=1e-6)
    nothing = Candidates(boxes, torch.zeros(1, 4), candidates.labels)
    assert (highest_of_fields(nothing, 100, 2) == 0).all()


def test_what_is_stored_is_read_again_and_damage_is_named(tmp_path):
    own = detector()
    path = tmp_path / "model.json"
    path.write_text('{"threshold": 0.5}')
    stored = StoredCalibration({own.members[0].weights: -1.5}, 0.25, Tuning("best F1", "val", 3), 1)
    store_calibration(path, stored)
    tree = json.loads(path.read_text())
    assert tree["threshold"] == 0.5
    assert read_calibration(tree, own.members, path) == stored
    threshold = stored.for_orientations(1)
    assert (threshold.value, threshold.is_tuned) == (0.25, True)
    assert threshold.origin == "best F1 on 3 val ROIs, scores calibrated"
    assert not stored.for_orientations(8).is_tuned
    for broken, says in (
        ({}, "has no reference to calibrate scores by; make one with `midog tune --calibrate`"),
        ({CALIBRATED: {**tree[CALIBRATED], "references": {"x": 1.0}}}, "is of other weights"),
        ({CALIBRATED: {**tree[CALIBRATED], "threshold": 7.0}}, "out of range"),
        ({CALIBRATED: [1]}, "calibrated"),
    ):
        with pytest.raises(WeightsError, match=says):
            read_calibration(broken, own.members, path)
