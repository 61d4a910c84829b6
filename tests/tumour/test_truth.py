"""Points, boxes and px of levels agree with a mask drawn px by px, also across blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midog.tumour import truth as module
from midog.tumour.asap_xml import read_asap
from midog.tumour.read import read_truth, truth_of_areas
from midog.tumour.truth import SlideTruth, no_tumour
from tests.tumour.slides import OUTLINES, SIZE, drawn_mask, write_asap, write_mask


@pytest.fixture(params=["xml", "tif"])
def truth(request: pytest.FixtureRequest, tmp_path: Path) -> SlideTruth:
    """The square with its hole, of outlines and of a mask."""
    if request.param == "xml":
        path = write_asap(tmp_path / "a.xml", [OUTLINES[0], OUTLINES[2]])
    else:
        path = write_mask(tmp_path / "a_mask.tif", drawn_mask())
    return read_truth(path, SIZE)


def test_px_of_level_0_are_those_of_the_mask(truth: SlideTruth) -> None:
    assert truth.has_tumour
    np.testing.assert_array_equal(truth.mask(0, 0, *SIZE), drawn_mask() > 0)
    padded = np.zeros((460, 680), bool)
    padded[30:430, 40:640] = drawn_mask() > 0
    np.testing.assert_array_equal(truth.mask(-40, -30, 680, 460), padded)
    assert truth.mask(-500, 0, 10, 10).sum() == truth.mask(0, 900, 10, 10).sum() == 0


@pytest.mark.parametrize("downsample", [2, 4, 5, 16])
def test_px_of_a_level_are_told_by_their_middles(truth: SlideTruth, downsample: int) -> None:
    x, y, width, height = 3, 2, 90 // downsample, 70 // downsample
    px = truth.mask(x, y, width, height, downsample)
    columns = ((np.arange(width) + x + 0.5) * downsample).astype(int)
    rows = ((np.arange(height) + y + 0.5) * downsample).astype(int)
    expected = (drawn_mask() > 0)[rows][:, columns]
    # a mask's own levels hold the px at the corner of each of theirs
    differing = px != expected
    assert differing.mean() <= (0.25 if downsample > 2 else 0.1)
    assert truth.mask(0, 0, 600 // downsample, 400 // downsample, downsample).mean() == (
        pytest.approx((200**2 - 50**2) / (600 * 400), abs=0.02)
    )


def test_points(truth: SlideTruth) -> None:
    points = [(100, 50), (99.9, 50), (299.9, 249.9), (300, 249), (175, 125), (149.9, 125), (-1, -1)]
    assert truth.contains(np.array(points)).tolist() == [1, 0, 1, 0, 0, 1, 0]
    assert truth.contains(np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize("block", [7, 2048])
def test_shares_of_boxes(truth: SlideTruth, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    rng = np.random.default_rng(0)
    corners = rng.integers(-30, 580, (40, 2))
    boxes = np.hstack([corners, corners + rng.integers(1, 120, (40, 2))])
    padded = np.zeros((900, 900), bool)
    padded[100:500, 100:700] = drawn_mask() > 0
    expected = [padded[y1 + 100 : y2 + 100, x1 + 100 : x2 + 100].mean() for x1, y1, x2, y2 in boxes]
    np.testing.assert_allclose(truth.share_in(boxes), expected)
    assert truth.share_in(np.zeros((0, 4))).shape == (0,)
    whole = np.array([[0, 0, *SIZE], [100, 50, 300, 250], [500, 0, 501, 1]])
    shares = truth.share_in(whole)
    assert shares == pytest.approx([37500 / 240000, 37500 / 40000, 0], abs=0.01)


def test_an_outline_of_parts_of_px_is_told_by_middles(tmp_path: Path) -> None:
    whole = read_truth(write_asap(tmp_path / "a.xml"), SIZE)
    assert whole.mask(400, 301, 4, 1).tolist() == [[False, True, True, False]]
    triangle = abs((99.5 * 89.5 - 49.5 * 49.5) / 2)
    share = whole.share_in(np.array([[390, 290, 510, 400]]))[0]
    assert share == pytest.approx(triangle / (120 * 110), rel=0.01)


def test_what_is_cut_stays_cut_whatever_overlaps_it(tmp_path: Path) -> None:
    outlines = [OUTLINES[2], OUTLINES[0], ("_1", OUTLINES[0][1])]
    truth = truth_of_areas(read_asap(write_asap(tmp_path / "a.xml", outlines)), SIZE, "a")
    np.testing.assert_array_equal(truth.mask(0, 0, *SIZE), drawn_mask() > 0)


def test_a_slide_without_tumour() -> None:
    truth = no_tumour(SIZE)
    assert not truth.has_tumour
    assert not truth.mask(0, 0, *SIZE).any()
    assert truth.share_in(np.array([[0, 0, 50, 50]])).tolist() == [0]
