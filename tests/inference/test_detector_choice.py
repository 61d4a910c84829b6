"""A detector is loaded from plain values, which can be sent to another process."""

from __future__ import annotations

import pickle
from pathlib import Path

from midog.inference.detector import Detector
from midog.inference.detector_choice import DetectorChoice


def test_a_choice_that_was_sent_loads_the_detector_that_it_names(saved, two_models):
    choice = DetectorChoice((saved,), threshold=0.3, device="cpu", overlap=48)
    loaded = pickle.loads(pickle.dumps(choice)).load()
    expected = Detector.load(saved, threshold=0.3, device="cpu", overlap=48)
    assert loaded.settings() == expected.settings()
    assert loaded.threshold_from == "given"
    several = DetectorChoice(tuple(two_models), device="cpu", orientations=2)
    assert several.load().views == 4
    assert str(several) == f"{two_models[0]} + {two_models[1]}"
    assert str(DetectorChoice((Path("a"),), Path("v"))) == "a, verifier v"
