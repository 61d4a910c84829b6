"""Overlays frame what was detected, and with the truth, what was right, wrong and missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.boxes import Boxes, Detections, squares_around
from midog.formats.overlay import write_overlay
from midog.formats.registry import FORMATS
from tests.formats.cases import NOTHING, SOME

GREEN, RED, YELLOW, BLUE = (0, 215, 70), (240, 20, 20), (255, 225, 0), (0, 110, 255)
TRUTH = Boxes(squares_around([(100, 50), (300, 310), (200, 150), (60, 250)]), [1, 1, 1, 2])


def overlay(
    path: Path, detections: Detections, truth: Boxes | None, threshold: float = 0.5
) -> np.ndarray:
    white = np.full((400, 420, 3), 255, np.uint8)
    write_overlay(path, white, detections, mpp=0.25, threshold=threshold, truth=truth)
    assert (white == 255).all()
    return np.asarray(Image.open(path).convert("RGB"))


def has(
    picture: np.ndarray, colour: tuple[int, int, int], center: tuple[int, int], reach: int = 60
) -> bool:
    """Is that colour within `reach` px of a point?"""
    x, y = center
    part = picture[max(y - reach, 0) : min(y + reach, 400), max(x - reach, 0) : x + reach]
    return bool((part == colour).all(axis=2).any())


def test_overlay_marks_hits_false_alarms_misses_and_imposters(tmp_path: Path) -> None:
    picture = overlay(tmp_path / "a.png", SOME, TRUTH)
    assert picture.shape[0] > 400  # a legend below
    assert picture.shape[1] == 420
    assert has(picture, GREEN, (300, 300))  # matched, though 10 px off
    assert has(picture, RED, (10, 200), reach=45)
    assert has(picture, YELLOW, (200, 150))
    assert has(picture, YELLOW, (100, 50), reach=40)  # its detection is below the threshold
    assert has(picture, BLUE, (60, 250))
    assert not has(picture, GREEN, (100, 50), reach=40)
    assert not has(picture, RED, (300, 300))


def test_overlay_without_truth_is_green_and_leaves_the_cell_itself_alone(tmp_path: Path) -> None:
    picture = overlay(tmp_path / "a.png", SOME, None, threshold=0.1)
    for x, y in ((100, 50), (300, 300)):
        assert has(picture, GREEN, (x, y))
        assert (picture[y - 25 : y + 25, x - 25 : x + 25] == 255).all()
    assert not has(picture, RED, (200, 200), reach=200)
    # The class-2 detection at (0, 0) is no figure.
    assert not has(picture, GREEN, (0, 0), reach=40)


def test_overlay_matches_by_micrometres(tmp_path: Path) -> None:
    detections, truth = (
        Detections(squares_around([(120, 100)]), [0.9], [1]),
        Boxes(squares_around([(100, 100)]), [1]),
    )
    white = np.full((200, 200, 3), 255, np.uint8)
    for mpp, colour in ((0.25, GREEN), (0.5, RED)):  # 20 px are 5 um or 10 um
        write_overlay(tmp_path / "a.png", white, detections, mpp=mpp, threshold=0.5, truth=truth)
        assert has(np.asarray(Image.open(tmp_path / "a.png")), colour, (120, 100))


@pytest.mark.parametrize("truth", [None, Boxes()])
def test_overlay_of_nothing_on_a_tiny_image_is_jpeg_by_its_ending(tmp_path: Path, truth) -> None:
    path = tmp_path / ("a" + FORMATS["overlay"].ending)
    write_overlay(
        path, np.zeros((20, 30, 3), np.uint8), NOTHING, mpp=0.25, threshold=0.5, truth=truth
    )
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.width == 30
