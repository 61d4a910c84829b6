"""An opened file: its levels, pixels decoded once, one kind of error, a warning once."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.errors import ImageError
from midog.images.opened_file import (
    decoded_whole,
    downsample_of,
    in_memory,
    on_white,
    one_kind_of_error,
    warn_once,
)
from midog.images.pixels import Pixels
from midog.mpp import Mpp, StatedMpp
from tests.images.pictures import PIXELS


def test_pixels_in_memory_are_a_file_of_one_level() -> None:
    mpp = StatedMpp(Mpp.of(0.25))
    file = in_memory(PIXELS, mpp)
    assert (file.size, file.mpp, len(file.levels)) == ((150, 130), mpp, 1)
    assert file.mapped is PIXELS
    out = np.empty((3, 4, 3), np.uint8)
    file.levels[0].read_into(5, 6, out)
    np.testing.assert_array_equal(out, PIXELS[6:9, 5:9])


def test_what_is_decoded_whole_is_decoded_on_the_first_reading_and_dropped_when_closed() -> None:
    calls = []

    def decode() -> Pixels:
        calls.append(1)
        return PIXELS

    file = decoded_whole((150, 130), None, decode)
    assert calls == []
    out = np.empty((3, 4, 3), np.uint8)
    for count in (1, 1):
        file.levels[0].read_into(5, 6, out)
        assert len(calls) == count
    file.close()
    file.levels[0].read_into(5, 6, out)
    assert len(calls) == 2


def test_a_downsample_is_the_mean_of_both_sides() -> None:
    assert downsample_of((75, 65), (150, 130)) == 2
    assert downsample_of((100, 100), (400, 402)) == pytest.approx(4.01)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (RuntimeError("bad marker"), "cannot be read (bad marker)"),
        (MemoryError(), "too large"),
        (Image.UnidentifiedImageError(), "is not an image"),
        (ImageError("its own words"), "its own words"),
    ],
)
def test_whatever_a_decoder_throws_is_an_image_error(fault: Exception, said: str) -> None:
    with (
        pytest.raises(ImageError) as caught,
        one_kind_of_error(Path("a.tiff")),
    ):
        raise fault
    assert said in str(caught.value)


def test_transparent_is_white() -> None:
    picture = Image.fromarray(PIXELS).convert("RGBA")
    np.testing.assert_array_equal(on_white(picture), PIXELS)
    picture.putalpha(0)
    assert (on_white(picture) == 255).all()


def test_a_warning_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            warn_once("a warning of this test alone")
    assert [record.message for record in caplog.records] == ["a warning of this test alone"]
