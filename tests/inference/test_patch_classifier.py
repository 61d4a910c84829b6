"""A classifier of patches: its folder, its probabilities, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from midog import PatchClassifier
from midog.errors import DataError, WeightsError
from midog.inference.detector import Detector
from midog.inference.patch_classifier import probabilities_of
from midog.loading.patches import patch_source
from tests.drawn_patches import draw

PATCHES, LABELS = draw(40, 7)


@pytest.fixture
def model(classifier, tmp_path) -> Path:
    """A copy of a model folder."""
    return Path(shutil.copytree((classifier / "best").resolve(), tmp_path / "model"))


def test_probabilities_are_those_of_its_classes(classifier):
    own = PatchClassifier.load(classifier, device="cpu")
    assert (own.classes, own.side, own.mpp) == (("0", "1"), 32, 0.25)
    rows = own.predict(PATCHES)
    assert rows.shape == (40, 2)
    assert rows.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-6)
    assert (rows[:, 1] >= own.threshold).tolist() == (LABELS == 1).tolist()
    assert np.array_equal(own.predict(PATCHES[5:6])[0], rows[5]), "whatever stands beside it"
    assert own.predict(PATCHES[:0]).shape == (0, 2)
    logits = own.logits(patch_source(PATCHES, LABELS))
    assert rows[:, 1] == pytest.approx(probabilities_of(logits), abs=1e-6)


@pytest.mark.parametrize(
    "patches",
    [PATCHES[0], PATCHES[:, :20], PATCHES.astype(np.float32), np.zeros((2, 64, 64, 3), np.uint8)],
)
def test_patches_of_another_shape_or_type_are_refused(classifier, patches):
    with pytest.raises(DataError, match=r"give \(N, 32, 32, 3\) uint8"):
        PatchClassifier.load(classifier, device="cpu").predict(patches)


def change(model: Path, **values) -> None:
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(card | values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"side": 3}, "side: Input should be greater than or equal to 8"),
        ({"class_names": ["a"]}, "class_names"),
        ({"class_names": ["0", "2"]}, "has the classes 0, 1, model.json beside it has 0, 2"),
        ({"weights_sha256": "0" * 64}, "checksums differ"),
        ({"task": "verify"}, "is of a model of task verify"),
    ],
)
def test_a_folder_that_contradicts_itself_is_one_line(model, values, expected):
    change(model, **values)
    with pytest.raises(WeightsError) as error:
        PatchClassifier.load(model)
    assert expected in str(error.value)


def test_a_detector_is_no_classifier_and_the_other_way_round(model):
    with pytest.raises(WeightsError, match="of task patches"):
        Detector.load(model)


def test_probabilities_of_extreme_log_odds_are_0_and_1():
    logits = np.array([-1e4, 0, 1e4], np.float32)
    assert probabilities_of(logits).tolist() == [0, 0.5, 1]
