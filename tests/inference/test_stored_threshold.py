"""Stored thresholds: one for images as they are and one per number of orientations, each with its
origin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midog.errors import WeightsError
from midog.inference.stored_threshold import (
    LeftOutRun,
    Threshold,
    Tuning,
    store_threshold,
    stored_threshold,
)

CARD = Path("model.json")
LEFT_OUT = Tuning(
    "best F1",
    "val",
    3,
    "scanner",
    (
        LeftOutRun("without_a", "ab", 1, ("A",), ("1.tiff", "2.tiff")),
        LeftOutRun("without_b", "cd", 2, ("B",), ("3.tiff",)),
    ),
)


def test_of_training_and_of_an_earlier_tuning() -> None:
    assert stored_threshold(0.4, {}, 1, CARD) == Threshold(0.4, "best F1 on val in training")
    tuned = {"tuned": {"goal": "best F1", "subset": "val", "rois": 12}}
    assert stored_threshold(0.4, tuned, 1, CARD) == Threshold(0.4, "best F1 on 12 val ROIs")


def test_what_was_tuned_for_nothing_like_this_says_so() -> None:
    oriented = stored_threshold(0.4, {}, 8, CARD)
    assert (oriented.value, oriented.is_tuned) == (0.4, False)
    assert oriented.origin == "chosen without orientations: best F1 on val in training"
    assert stored_threshold(0.4, {}, 1, CARD, untuned="the mean") == Threshold(
        0.4, "the mean", is_tuned=False
    )


def test_stored_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text('{"threshold": 0.4, "other": 1}')
    store_threshold(path, 0.3, Tuning("best F1", rois=5), 8)
    store_threshold(path, 0.2, LEFT_OUT, 1)
    store_threshold(path, 0.35, Tuning("best F1", rois=6), 4)
    tree = json.loads(path.read_text())
    assert (tree["threshold"], tree["other"]) == (0.2, 1)
    assert tree["oriented"]["8"] == {
        "threshold": 0.3,
        "tuned": {"goal": "best F1", "subset": "val", "rois": 5},
    }
    read = {number: stored_threshold(0.2, tree, number, path) for number in (1, 2, 4, 8)}
    assert {number: own.value for number, own in read.items()} == {1: 0.2, 2: 0.2, 4: 0.35, 8: 0.3}
    assert {number: own.is_tuned for number, own in read.items()} == {
        1: True,
        2: False,
        4: True,
        8: True,
    }
    assert read[8].origin == "best F1 on 5 val ROIs, in 8 orientations"
    assert read[1].origin == (
        "best F1 on 3 val ROIs, each of a scanner left out of training: A by without_a; B by"
        " without_b"
    )


@pytest.mark.parametrize(
    "further",
    [
        {"tuned": 3},
        {"tuned": {"goal": 1}},
        {"oriented": {"8": {"threshold": 2.0, "tuned": {"goal": "best F1"}}}},
        {"oriented": [1]},
    ],
)
def test_damage_is_one_line(further: dict) -> None:
    with pytest.raises(WeightsError, match=r"^model\.json: (tuned|oriented)"):
        stored_threshold(0.4, further, 8, CARD)
