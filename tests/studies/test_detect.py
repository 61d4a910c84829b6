"""How the models of a row detect."""

from __future__ import annotations

import pytest

from midog.errors import ConfigError
from midog.inference.calibration import Calibration
from midog.studies import detect
from midog.studies.detect import OPTIONS, check_options, load_detector


def test_an_option_that_does_not_exist_is_named_with_the_nearest():
    numbers = dict.fromkeys(OPTIONS, 64)
    check_options("r", {**numbers, "calibrate": True})
    with pytest.raises(ConfigError, match=r"row r: detect\.calibrate is 3; write true or false"):
        check_options("r", {"calibrate": 3})
    with pytest.raises(ConfigError, match=r"row r: detect has no option overlapp \(did you mean"):
        check_options("r", {"overlapp": 1})


def test_options_reach_the_detector(model):
    detector = load_detector([model], {"overlap": 32}, "cpu")
    assert detector.settings()["overlap"] == 32


def test_several_runs_are_loaded_as_one(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        detect.Detector, "load", lambda folders, **options: asked.append((folders, options))
    )
    load_detector([tmp_path / "a", tmp_path / "b"], {"orientations": 8}, "cpu")
    load_detector([tmp_path / "a"], {}, "cpu")
    assert asked == [
        ([tmp_path / "a", tmp_path / "b"], {"device": "cpu", "orientations": 8}),
        ([tmp_path / "a"], {"device": "cpu"}),
    ]


def test_scores_are_moved_to_a_level_where_the_row_asks_for_it(model):
    asked = []

    def measured(members):
        asked.append(len(members))
        return Calibration({members[0].weights: -2.0})

    assert load_detector([model], {"calibrate": False}, "cpu", None, measured).calibration is None
    detector = load_detector([model], {"calibrate": True}, "cpu", None, measured)
    assert asked == [1]
    assert list(detector.settings()["calibration"].values()) == [-2.0]
