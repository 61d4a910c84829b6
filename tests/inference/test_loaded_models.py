"""Models of folders: one, an ensemble's, or several; what cannot be merged is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midog.errors import WeightsError
from midog.inference.detector import Detector
from midog.inference.loaded_models import make_ensemble, read_models
from midog.inference.stored_threshold import Tuning, store_threshold


def test_one_folder_is_the_model_itself(two_models) -> None:
    loaded = read_models([two_models[0]], 1)
    assert (len(loaded.models), loaded.threshold.value) == (1, 0.4)
    assert loaded.threshold.is_tuned
    assert "members" not in loaded.info


def test_several_folders_and_their_ensemble_are_the_same(two_models, tmp_path: Path) -> None:
    assert make_ensemble(two_models, tmp_path / "out") == pytest.approx(0.5)
    named, made = read_models(two_models[::-1], 1), read_models([tmp_path / "out"], 1)
    assert named.threshold == made.threshold
    assert named.threshold.value == pytest.approx(0.5)
    assert not named.threshold.is_tuned
    assert [member["data"] for member in named.info["members"]] == ["abc123", "abc123"]
    assert named.info["members"] == made.info["members"]


def test_an_ensembles_tuned_threshold_is_taken(two_models, tmp_path: Path) -> None:
    make_ensemble(two_models, tmp_path / "out")
    store_threshold(tmp_path / "out" / "model.json", 0.2, Tuning("best F1", rois=4), 1)
    store_threshold(tmp_path / "out" / "model.json", 0.1, Tuning("best F1", rois=4), 8)
    assert read_models([tmp_path / "out"], 1).threshold.value == 0.2
    detector = Detector.load(tmp_path / "out", device="cpu", orientations=8)
    assert (detector.threshold, detector.views) == (0.1, 16)
    assert detector.threshold_from == "best F1 on 4 val ROIs, in 8 orientations"
    given = Detector.load(two_models[0], device="cpu", threshold=0.3)
    assert (given.threshold, given.threshold_from) == (0.3, "given")


def test_what_cannot_be_merged(two_models, tmp_path: Path) -> None:
    one, two = two_models
    make_ensemble(two_models, tmp_path / "out")
    with pytest.raises(WeightsError, match="are one model: their weights are equal"):
        read_models([one, two, one.parent], 1)
    with pytest.raises(WeightsError, match="is an ensemble, which cannot be a member"):
        read_models([one, tmp_path / "out"], 1)
    with pytest.raises(WeightsError, match="at least two models; give model twice"):
        make_ensemble([one], tmp_path / "other")
    with pytest.raises(WeightsError, match="no model folder"):
        read_models([one, tmp_path / "none"], 1)
    card = two / "model.json"
    text = card.read_text()
    for change, says in (
        ({"task": "patches"}, "is of a model of task patches"),
        ({"class_names": ["cell"]}, "reports mitotic figure, .* reports cell"),
    ):
        card.write_text(json.dumps(json.loads(text) | change))
        with pytest.raises(WeightsError, match=says):
            make_ensemble(two_models, tmp_path / "other")
    assert not (tmp_path / "other").exists()
