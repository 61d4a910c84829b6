"""Trained runs and their report, made once, and copies to change."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from midog.config.load import load_config
from midog.inference.detector import Detector
from midog.shift import features
from midog.shift.domain_shift import domain_shift
from midog.shift.feature_distances import FEATURE_DISTANCES
from midog.shift.result import ShiftResult
from midog.training.train import train
from tests.shift.studies import SMALL, copy_runs
from tests.spoiled import TINY


@pytest.fixture(scope="session")
def result(trained) -> ShiftResult:
    return domain_shift(trained, **SMALL)


@pytest.fixture(scope="session")
def both(phantom, tmp_path_factory) -> Path:
    """A run on Phantom A and B together, as `midog train` makes it."""
    config = load_config(None, [f"data.dir={str(phantom)!r}", *TINY, "train.epochs=1"])
    return train(config, runs=tmp_path_factory.mktemp("both"), name="both")


@pytest.fixture
def light(monkeypatch) -> None:
    """No features: for what does not depend on them."""
    unknown = dict.fromkeys(FEATURE_DISTANCES, math.nan)
    monkeypatch.setattr(features, "backbone_features", lambda _detector, images: images[:, 0, 0])
    monkeypatch.setattr(
        features,
        "feature_distances",
        lambda _vectors, _patients, pairs, **_: dict.fromkeys(pairs, unknown),
    )


@pytest.fixture
def runs(trained, result, light, tmp_path) -> Path:
    """A copy of the study, what it detected included: only_phantom_a, only_phantom_b, latest."""
    return copy_runs(trained[0].parent, tmp_path / "runs")


@pytest.fixture
def detected(monkeypatch) -> list[str]:
    """Images that a model was shown."""
    seen: list[str] = []
    original = Detector.detect

    def detect(self: Detector, opened, progress=None):
        seen.append(opened.image.path.name)
        return original(self, opened, progress)

    monkeypatch.setattr(Detector, "detect", detect)
    return seen
