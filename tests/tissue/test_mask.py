"""The share of boxes is exact, for any box; points are looked up; the line says what there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.mpp import Mpp
from midog.tissue.kinds import GLASS, KINDS, PEN, TISSUE
from midog.tissue.mask import TissueMask, percent

KINDS_DRAWN = np.random.default_rng(0).integers(0, 3, (7, 9)).astype(np.uint8)
SCALE = (9 / 100, 7 / 70)
MASK = TissueMask(KINDS_DRAWN, SCALE, (100, 70), Mpp(0.5, 0.5), "a rule")
NUMBER = st.floats(-30, 130, allow_nan=False)


@given(NUMBER, NUMBER, NUMBER, NUMBER)
def test_the_share_of_a_box_is_that_of_its_px(
    x: float, y: float, right: float, down: float
) -> None:
    (x1, x2), (y1, y2) = sorted((x, right)), sorted((y, down))
    actual = MASK.share_in(np.array([[x1, y1, x2, y2]]))[0]
    columns = overlaps(x1, x2, 100, 9)
    rows = overlaps(y1, y2, 70, 7)
    area = columns.sum() * rows.sum()
    expected = rows @ (KINDS_DRAWN == TISSUE) @ columns / area if area > 1e-9 else actual
    assert actual == pytest.approx(expected, abs=1e-6)


def overlaps(start: float, end: float, length: int, px: int) -> np.ndarray:
    """How much of each px of the mask lies between two places, level-0 px."""
    edges = np.linspace(0, length, px + 1)
    return np.maximum(np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1]), 0)


def test_whole_tissue_is_one_and_none_is_zero_to_the_bit() -> None:
    for kind, share in ((TISSUE, 1.0), (GLASS, 0.0)):
        mask = TissueMask(np.full((7, 9), kind, np.uint8), SCALE, (100, 70), Mpp(0.5, 0.5), "")
        boxes = np.random.default_rng(1).uniform(0, 40, (500, 4)) + np.array([0, 0, 41, 41])
        assert (mask.share_in(boxes) == share).all()
        assert mask.share == share


def test_only_what_is_in_the_image_counts() -> None:
    mask = TissueMask(np.full((7, 9), TISSUE, np.uint8), SCALE, (100, 70), Mpp(0.5, 0.5), "")
    boxes = np.array([[-50, -50, 10, 10], [90, 60, 612, 572], [200, 0, 300, 50], [-9, -9, -1, -1]])
    assert mask.share_in(boxes).tolist() == [1, 1, 0, 0]
    assert mask.share_in(np.zeros((0, 4))).shape == (0,)


def test_points_are_on_tissue_where_their_px_is() -> None:
    points = np.array([[x, y] for x in np.arange(0, 100, 1.7) for y in np.arange(0, 70, 1.3)])
    expected = [KINDS_DRAWN[int(y * SCALE[1]), int(x * SCALE[0])] == TISSUE for x, y in points]
    assert MASK.contains(points).tolist() == expected
    assert not MASK.contains(np.array([[-0.1, 5], [100, 5], [5, 70], [5, -1], [1e9, 1]])).any()


def test_the_line_says_share_area_source_and_what_is_left_out() -> None:
    pen = int((KINDS_DRAWN == PEN).sum()) / 63
    assert MASK.line() == (
        f"{percent(MASK.share)} is tissue, {MASK.share * 100 * 70 * 0.25 / 1e6:.3g} mm2 (a rule);"
        f" left out: {percent(pen)} {KINDS[PEN].words}"
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100.0 %"),
        (0.99999, "99.9 %"),
        (1e-7, "under 0.01 %"),
        (0.0123, "1.23 %"),
        (0.345, "34.5 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert percent(share) == text
