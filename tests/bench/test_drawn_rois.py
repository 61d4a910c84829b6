"""Drawn ROIs: the files, the figures, and nothing left behind."""

from __future__ import annotations

import os
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.bench.drawn_rois import KINDS, lay_out, workshop
from midog.boxes import Boxes
from midog.images.cache import default_cache_dir
from midog.images.image import open_image


def test_each_kind_of_file_is_the_same_image(drawn):
    assert [roi.file_name for roi in drawn] == [f"{kind}.tiff" for kind in KINDS]
    images = []
    for roi in drawn:
        with open_image(roi.path) as image:
            assert (image.width, image.height, image.mpp) == (700, 600, pytest.approx((0.25, 0.25)))
            images.append(image.read(0, 0, 700, 600).astype(int))
    assert (images[1] == images[2]).all()
    assert np.abs(images[0] - images[1]).mean() < 4, "JPEG of the same"


def test_figures_lie_where_they_were_drawn(drawn):
    assert len(drawn[0].boxes) > 0
    centers = (drawn[0].boxes.xyxy[:, :2] + drawn[0].boxes.xyxy[:, 2:]) / 2
    assert (centers < (700, 600)).all()


@given(st.integers(1, 40), st.integers(1, 40))
def test_laying_out_repeats_image_and_figures(width, height):
    pixels = np.arange(10 * 8 * 3, dtype=np.uint8).reshape(10, 8, 3)
    boxes = Boxes([[2, 3, 4, 5]], [1])
    large, every = lay_out(pixels, boxes, width, height)
    assert large.shape == (height, width, 3)
    assert all(
        (large[y, x] == pixels[y % 10, x % 8]).all()
        for y in (0, height - 1)
        for x in (0, width - 1)
    )
    expected = {(x, y) for x in range(3, width, 8) for y in range(4, height, 10)}
    assert {
        tuple(center) for center in ((every.xyxy[:, :2] + every.xyxy[:, 2:]) / 2).tolist()
    } == expected


@pytest.mark.parametrize("before", [None, "/somewhere"])
def test_the_workshop_is_gone_afterwards_and_the_cache_where_it_was(before, monkeypatch):
    monkeypatch.delenv("MIDOG_CACHE", raising=False)
    if before:
        monkeypatch.setenv("MIDOG_CACHE", before)
    seen = []
    with suppress(KeyboardInterrupt), workshop() as folder:
        assert folder in default_cache_dir().parents
        seen.append(folder)
        raise KeyboardInterrupt
    assert not seen[0].exists()
    assert os.environ.get("MIDOG_CACHE") == before
