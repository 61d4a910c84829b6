"""What the tests of toy networks share: from a training to scores, by the real commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.spoiled import Ran


def train_detect_score(midog: Callable[..., Ran], phantom: Path, words: list[str]) -> Path:
    """Train, detect in the test part and score, in the working folder; return the best model."""
    trained = midog("train", *words)
    assert trained.code == 0, trained.err
    detected = midog("infer", phantom, "--subset", "test", "--device", "cpu")
    assert detected.code == 0, detected.err
    scored = midog("evaluate", "detections", "--data", phantom, "--json")
    assert scored.code == 0, scored.err
    assert "all" in json.loads(scored.out)["groups"]
    return Path(trained.out.strip())
