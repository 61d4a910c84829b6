"""A job of track 1: what its settings do, and what would be refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midog.errors import DetectionsError
from midog.submission import refusals
from midog.submission.container import DETECTOR, Kit
from midog.submission.detection_job import detect_figures, load_detector
from tests.submission.cases import write_input


@pytest.fixture
def folder(weights: Path, tmp_path: Path) -> Path:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / DETECTOR).symlink_to(weights)
    return tmp_path / "kit"


def test_threshold_and_orientations_are_the_kits(folder: Path) -> None:
    detector = load_detector(folder, Kit(threshold=0.7, orientations=2), device="cpu")
    assert (detector.threshold, detector.views) == (0.7, 2)


def test_points_are_written_and_what_would_be_refused_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, path = write_input(tmp_path / "input"), tmp_path / "out" / "mitotic-figures.json"
    words = detect_figures(image, folder, Kit(), path, device="cpu")
    points = json.loads(path.read_text())["points"]
    assert words == f"{len(points)} points"
    assert points
    monkeypatch.setattr(refusals, "HIGHEST_MM", 1e-3)
    with pytest.raises(DetectionsError, match="would be refused: point 1 is at"):
        detect_figures(image, folder, Kit(), path, device="cpu")
