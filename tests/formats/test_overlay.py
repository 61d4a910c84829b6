"""Overlays frame what was detected, and with the truth, what was right, wrong and missed."""

from __future__ import annotations

import math
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.boxes import Boxes, Detections, squares_around
from midog.errors import DetectionsError
from midog.formats import overlay as module
from midog.formats.overlay import Rows, overlay_scale, reduction, write_overlay
from midog.formats.registry import FORMATS
from tests.formats.cases import NOTHING, SOME

GREEN, RED, YELLOW, BLUE = (0, 215, 70), (240, 20, 20), (255, 225, 0), (0, 110, 255)
TRUTH = Boxes(squares_around([(100, 50), (300, 310), (200, 150), (60, 250)]), [1, 1, 1, 2])


def white(width: int, height: int, rows: int = 128) -> Rows:
    """Bands of a white image."""

    def bands(scale: float) -> Iterator[tuple[int, np.ndarray]]:
        wide, high = (math.ceil(side * scale - 1e-9) for side in (width, height))
        for y in range(0, high, rows):
            yield y, np.full((min(rows, high - y), wide, 3), 255, np.uint8)

    return bands


def overlay(
    path: Path, detections: Detections, truth: Boxes | None, threshold: float = 0.5
) -> np.ndarray:
    write_overlay(
        path, (420, 400), white(420, 400), detections, mpp=0.25, threshold=threshold, truth=truth
    )
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
    for mpp, colour in ((0.25, GREEN), (0.5, RED)):  # 20 px are 5 um or 10 um
        write_overlay(
            tmp_path / "a.png",
            (200, 200),
            white(200, 200),
            detections,
            mpp=mpp,
            threshold=0.5,
            truth=truth,
        )
        assert has(np.asarray(Image.open(tmp_path / "a.png")), colour, (120, 100))


@pytest.mark.parametrize("truth", [None, Boxes()])
def test_overlay_of_nothing_on_a_tiny_image_is_jpeg_by_its_ending(tmp_path: Path, truth) -> None:
    path = tmp_path / ("a" + FORMATS["overlay"].ending)
    write_overlay(path, (30, 20), white(30, 20), NOTHING, mpp=0.25, threshold=0.5, truth=truth)
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert picture.width == 30


@pytest.mark.parametrize(
    ("size", "smaller"),
    [
        ((7000, 5000), None),
        ((10_000, 10_000), None),
        ((65_500, 600), None),
        ((65_501, 600), (65_500, 600)),
        ((70_000, 500), (65_500, 468)),
        ((500, 70_000), (461, 64_500)),
        ((30_000, 30_000), (11_586, 11_586)),
        ((2_000_000, 1), (65_500, 1)),
        ((100_000, 80_000), (12_953, 10_363)),
    ],
)
def test_an_overlay_that_is_too_large_is_made_smaller_and_this_is_said(size, smaller) -> None:
    scale = overlay_scale(*size)
    if smaller is None:
        assert (scale, reduction(*size)) == (1.0, "")
        return
    assert tuple(math.ceil(side * scale - 1e-9) for side in size) == smaller
    assert f"smaller than the image, {smaller[0]:,} x {smaller[1]:,} px of {size[0]:,} x" in (
        reduction(*size)
    )


def test_what_is_drawn_on_a_smaller_overlay_is_where_the_cells_are(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_MOST_PX", 100 * 105)  # a quarter of each side
    picture = overlay(tmp_path / "a.png", SOME, TRUTH)
    assert picture.shape[1] == 105
    assert has(picture, GREEN, (75, 75), reach=16)
    assert has(picture, YELLOW, (50, 37), reach=16)
    assert not has(picture, GREEN, (20, 20), reach=15)


def test_a_picture_longer_than_jpeg_bears_opens(tmp_path: Path) -> None:
    path = tmp_path / "wide.overlay.jpg"
    size = (70_000, 40)
    write_overlay(path, size, white(*size), SOME, mpp=0.25, threshold=0.5)
    with Image.open(path) as picture:
        assert picture.width == 65_500
        picture.load()


def test_the_picture_is_put_together_band_by_band(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (300, 200, 3), dtype=np.uint8)

    def bands(scale: float) -> Iterator[tuple[int, np.ndarray]]:
        assert scale == 1
        for y in range(0, 300, 77):
            yield y, pixels[y : y + 77]

    write_overlay(tmp_path / "a.png", (200, 300), bands, NOTHING, mpp=0.25, threshold=0.5)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png"))[:300], pixels)


CUT_SHORT = """
import resource, sys
from pathlib import Path
import numpy as np
from midog.boxes import Detections
from midog.errors import DetectionsError
from midog.formats.overlay import write_overlay
path, limit = Path(sys.argv[1]), int(sys.argv[2])
noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    write_overlay(path, (300, 300), lambda scale: [(0, noise)], Detections(), mpp=1, threshold=0.5)
except DetectionsError as error:
    print(error)
"""


def test_a_picture_that_the_disk_cuts_short_is_an_error(tmp_path: Path) -> None:
    """Also where only the last write is cut: Pillow takes a short one for a whole one."""
    path = tmp_path / "a.jpg"

    def limited(limit: int) -> str:
        words = [sys.executable, "-c", CUT_SHORT, str(path), str(limit)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return done.stdout

    assert limited(resource.RLIM_INFINITY) == ""
    whole = path.stat().st_size
    for limit in (whole - 1, whole - 1000, whole // 2, 1):
        path.unlink(missing_ok=True)
        assert "a.jpg cannot be written: " in limited(limit)
        assert list(tmp_path.iterdir()) == []


def test_memory_holds_one_picture_of_bounded_size(tmp_path: Path, monkeypatch) -> None:
    """The band that is read and the picture are all there is of an image."""
    largest = 0

    def bands(scale: float) -> Iterator[tuple[int, np.ndarray]]:
        nonlocal largest
        for y, band in white(30_000, 30_000, 512)(scale):
            largest = max(largest, band.nbytes)
            yield y, band

    monkeypatch.setattr(module, "_MOST_PX", 1 << 20)
    write_overlay(tmp_path / "a.jpg", (30_000, 30_000), bands, NOTHING, mpp=1, threshold=0.5)
    assert 0 < largest < 2**21
    with Image.open(tmp_path / "a.jpg") as picture:
        assert picture.width == 1024
    with pytest.raises(DetectionsError, match="cannot be written"):
        write_overlay(tmp_path, (30, 30), white(30, 30), NOTHING, mpp=1, threshold=0.5)
