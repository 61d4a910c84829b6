"""Atypical against normal figures: which class is which, points and crops, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog import PatchClassifier
from midog.errors import ConfigError, WeightsError
from midog.images.image import as_image
from midog.inference.atypical import AtypicalClassifier, atypical_class
from midog.inference.detector import Detector
from midog.mpp import Mpp
from tests.drawn_patches import draw

PATCHES, LABELS = draw(40, 7)
MPP = Mpp.of(0.25)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [(("normal", "atypical"), 1), (("Atypical", "typical"), 0), (("0", "1"), 1)],
)
def test_the_class_is_found_by_its_name(classes, expected, caplog) -> None:
    assert atypical_class(classes, "runs/a") == expected
    assert ("label 1 is taken for atypical" in caplog.text) == (classes == ("0", "1"))


@pytest.mark.parametrize("classes", [("imposter", "mitotic"), ("1", "0"), ("atypical", "Atypical")])
def test_other_classes_are_refused(classes) -> None:
    with pytest.raises(WeightsError, match=r"runs/a tells .* from .*normal,atypical"):
        atypical_class(classes, "runs/a")


def test_a_crop_is_scored_as_the_classifier_scores_it(classifier: Path) -> None:
    own = AtypicalClassifier.load(classifier, device="cpu")
    expected = PatchClassifier.load(classifier, device="cpu").predict(PATCHES)[:, 1]
    scores = own.of_crops([as_image(patch, 0.25) for patch in PATCHES], [MPP] * 40)
    assert scores == pytest.approx(expected, abs=1e-6)
    assert (scores >= own.threshold).tolist() == (LABELS == 1).tolist()
    larger = np.pad(PATCHES[:3], ((0, 0), (9, 9), (11, 11), (0, 0)), constant_values=255)
    middle = own.of_crops([as_image(patch, 0.25) for patch in larger], [MPP] * 3)
    assert middle == pytest.approx(expected[:3], abs=1e-6)
    assert len(own.of_crops([], [])) == 0


def test_figures_of_an_image_are_scored_where_they_are(classifier: Path) -> None:
    own = AtypicalClassifier.load(classifier, device="cpu")
    sheet = np.concatenate([np.concatenate(list(PATCHES[at : at + 5]), 1) for at in (0, 5)], 0)
    xs, ys = np.meshgrid(np.arange(5) * 32 + 16.0, np.arange(2) * 32 + 16.0)
    centres = np.stack([xs.ravel(), ys.ravel()], 1)
    scores = own.at(as_image(sheet, 0.25), MPP, centres)
    assert scores == pytest.approx(
        PatchClassifier.load(classifier, device="cpu").predict(PATCHES[:10])[:, 1], abs=1e-6
    )
    twice = as_image(sheet.repeat(2, axis=0).repeat(2, axis=1), 0.125)
    finer = own.at(twice, Mpp.of(0.125), centres * 2)
    assert ((finer >= own.threshold) == (scores >= own.threshold)).all()


def test_the_first_class_may_be_that_of_atypical(classifier: Path) -> None:
    own = AtypicalClassifier.load(classifier, device="cpu")
    other = replace(own, atypical=0, threshold=1 - own.threshold)
    crops = [as_image(patch, 0.25) for patch in PATCHES]
    mpp = [MPP] * 40
    assert other.of_crops(crops, mpp) == pytest.approx(1 - own.of_crops(crops, mpp), abs=1e-7)
    assert own.settings() != other.settings()


def test_a_threshold_may_be_given_and_must_be_a_probability(classifier: Path) -> None:
    own = AtypicalClassifier.load(classifier, device="cpu", threshold=0.75)
    assert (own.threshold, own.threshold_from) == (0.75, "given")
    with pytest.raises(ConfigError, match=r"threshold 1\.5 is no probability"):
        AtypicalClassifier.load(classifier, device="cpu", threshold=1.5)


def test_a_detector_is_refused(saved: Path) -> None:
    assert Detector.load(saved, device="cpu")
    with pytest.raises(WeightsError, match="of task detection"):
        AtypicalClassifier.load(saved)
