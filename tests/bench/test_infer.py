"""The stage of a whole ROI from file to JSON."""

from __future__ import annotations

import pytest

from midog.bench.infer import infer_stage
from midog.formats.challenge import read_challenge


def test_an_roi_from_file_to_json(conditions):
    measured = infer_stage(conditions)
    assert measured.unit == "Mpx/s"
    assert measured.what.startswith("small: 700x600 px from file to JSON")
    assert measured.rate == pytest.approx(0.42 / measured.detail["seconds"])
    written = read_challenge(conditions.folder / "detections.json")
    assert (written.scores >= 0.5).sum() == measured.detail["figures"]
