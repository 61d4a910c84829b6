"""Views of a place have its physical centre at every resolution: the slide's colours say where a px
is from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from midog.images.concentric import read_view
from midog.images.image import SlideImage, open_image
from tests.tumour.slides import place_colours, write_slide


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlideImage]:
    path = write_slide(tmp_path_factory.mktemp("slide") / "a.tif", place_colours())
    with open_image(path) as image:
        yield image


def middle(view: np.ndarray) -> np.ndarray:
    """Where the four px around the centre are from, level-0 px."""
    half = len(view) // 2
    return view[half - 1 : half + 1, half - 1 : half + 1, :2].reshape(4, 2).mean(axis=0) * 8 + 4


@pytest.mark.parametrize("downsample", [1, 2, 4, 8, 3, 1.7, 6.4, 0.5])
@pytest.mark.parametrize("side", [32, 64])
def test_all_views_have_one_centre(slide: SlideImage, downsample: float, side: int) -> None:
    for x, y in [(800, 600), (1200.5, 700.5), (1003, 901)]:
        view = read_view(slide, x, y, side, downsample)
        assert view.shape == (side, side, 3)
        # half a px of the view, and half a step of the colours
        assert np.abs(middle(view) - (x, y)).max() <= downsample / 2 + 4.5
        width = int(view[side // 2, -1, 0]) - int(view[side // 2, 0, 0])
        assert width * 8 == pytest.approx((side - 1) * downsample, abs=17)


@pytest.mark.parametrize("downsample", [2, 4])
def test_a_level_of_the_file_is_read_as_it_is(slide: SlideImage, downsample: int) -> None:
    level = {2: 1, 4: 2}[downsample]
    expected = slide.read(800 // downsample - 16, 600 // downsample - 16, 32, 32, level)
    np.testing.assert_array_equal(read_view(slide, 800, 600, 32, downsample), expected)
    out = np.zeros((32, 32, 3), np.uint8)
    assert read_view(slide, 800, 600, 32, downsample, out) is out
    np.testing.assert_array_equal(out, expected)


def test_beyond_the_edge_is_white(slide: SlideImage) -> None:
    view = read_view(slide, 0, 0, 64, 4)
    assert (view[:32] == 255).all()
    assert (view[32:, 32:, 2] == 100).all()
