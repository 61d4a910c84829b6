"""Views: each member in each orientation, in order, with progress that counts tiles once."""

from __future__ import annotations

import numpy as np
import pytest

from midog.inference.detector import Detector
from midog.inference.orientations import ORIENTATIONS
from midog.inference.views import views_of
from tests.inference.small import CONFIG
from tests.inference.squares import Squares
from tests.inference.test_opened_image import HALF


def pixels() -> np.ndarray:
    image = np.full((500, 400, 3), 230, np.uint8)
    for number, (x, y) in enumerate([(20, 30), (200, 100), (228, 230), (350, 450)]):
        image[y : y + 22, x : x + 20] = 10 * number
    return image


def test_every_member_in_every_orientation_in_px_of_the_image() -> None:
    batch_size = 3
    coarse = Detector(Squares(0.5), HALF, device="cpu", batch_size=batch_size)
    detector = Detector(
        Squares(), CONFIG, device="cpu", batch_size=batch_size, merged_with=[coarse]
    )
    told = list[tuple[int, int]]()
    with detector.open(pixels(), mpp=0.25) as opened:
        tiles = sum(len(tiles.places) for tiles, _ in opened.groups)
        views = views_of(opened, ORIENTATIONS[4], lambda *count: told.append(count))
    assert len(views) == 8
    expected = [[20, 30, 40, 52], [200, 100, 220, 122], [228, 230, 248, 252], [350, 450, 370, 472]]
    for number, (boxes, scores, _) in enumerate(views):
        assert np.abs(boxes - expected).max() <= (0 if number < 4 else 2)
        assert scores[0] == pytest.approx(1.0 if number < 4 else 0.5, abs=0.02)
    assert told[-1] == (tiles, tiles)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
