"""Slides are opened once, closed when many are open, and never while they are read from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from midog.errors import DataError, ImageError
from midog.images.open_slides import OpenSlides
from tests.tumour.slides import write_slide


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three slides of 256 px whose red is their number."""
    made = []
    for number in range(3):
        pixels = np.full((256, 256, 3), number, np.uint8)
        made.append(write_slide(tmp_path / f"{number}.tif", pixels, 1))
    return made


def test_threads_read_the_slides_that_they_ask_for(paths: list[Path]) -> None:
    slides = OpenSlides(paths, [(256, 256)] * 3, most=1)

    def red(number: int) -> int:
        with slides.reading(number % 3) as image:
            return int(image.read(5, 5, 200, 200)[..., 0].mean())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(red, range(60))) == [number % 3 for number in range(60)]
    assert len(slides._open) <= 4
    slides.close()
    assert red(2) == 2


def test_the_one_that_was_not_read_for_longest_is_closed(paths: list[Path]) -> None:
    slides = OpenSlides(paths, [(256, 256)] * 3, most=2)
    for number in (0, 1, 0, 2):
        with slides.reading(number):
            pass
    assert list(slides._open) == [0, 2]
    with slides.reading(0) as first, slides.reading(1), slides.reading(2):
        assert len(slides._open) == 3
        assert first.read(0, 0, 8, 8).max() == 0


def test_another_slide_than_was_sampled_is_an_error(paths: list[Path]) -> None:
    slides = OpenSlides([*paths[:1], Path("none.tif")], [(256, 255), (1, 1)])
    what = "is 256 x 256 px, 256 x 255 when it was sampled"
    with pytest.raises(DataError, match=what), slides.reading(0):
        pass
    with pytest.raises(ImageError, match=r"none\.tif"), slides.reading(1):
        pass
