"""Truth of XML and of masks of any level's size; another slide's truth and unclear values are
errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.errors import DataError
from midog.tumour.read import read_truth, truth_in
from tests.tumour.slides import OUTLINES, SIZE, drawn_mask, write_asap, write_mask


def test_a_mask_of_the_size_of_a_level(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "a_mask.tif", drawn_mask(255)[::2, ::2])
    truth = read_truth(path, (SIZE[0] + 1, SIZE[1]))  # a level's last px may be half a px
    with truth:
        np.testing.assert_array_equal(truth.mask(0, 0, *SIZE), drawn_mask() > 0)
        np.testing.assert_array_equal(truth.mask(0, 0, 300, 200, 2), drawn_mask()[::2, ::2] > 0)
    assert truth.source.endswith("a_mask.tif, value 255")


def test_the_value_that_is_tumour_is_asked_for_where_there_are_two(tmp_path: Path) -> None:
    mask = drawn_mask(2)
    mask[300:, :] = 1
    path = write_mask(tmp_path / "a_mask.tif", mask)
    with pytest.raises(DataError, match=r"values 1, 2 beside 0; state which .*mask_value"):
        read_truth(path, SIZE)
    truth = read_truth(path, SIZE, mask_value=2)
    np.testing.assert_array_equal(truth.mask(0, 0, *SIZE), drawn_mask() > 0)
    assert not read_truth(path, SIZE, mask_value=7).has_tumour


def test_a_value_that_coarse_levels_do_not_show_is_no_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("midog.tumour.read._MOST_AT_ONCE", 70_000)
    mask = drawn_mask()
    mask[301, 501] = 9
    truth = read_truth(write_mask(tmp_path / "a_mask.tif", mask), SIZE)
    with pytest.raises(DataError, match="holds the value 9 beside 0 and 1"):
        truth.mask(0, 0, *SIZE)
    bare = np.zeros_like(mask)
    bare[301, 501] = 1
    path = write_mask(tmp_path / "b_mask.tif", bare)
    assert read_truth(path, SIZE, mask_value=1).mask(0, 0, *SIZE).sum() == 1
    with pytest.raises(DataError, match="which its coarse levels do not show"):
        read_truth(path, SIZE).mask(0, 0, *SIZE)
    with pytest.raises(DataError, match="without coarser levels; write it as a pyramid"):
        read_truth(write_mask(tmp_path / "c_mask.tif", mask, levels=1), SIZE)


def test_another_slides_truth_is_an_error(tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "a_mask.tif", drawn_mask())
    with pytest.raises(DataError, match="is 600 x 400 px, its slide 600 x 500"):
        read_truth(mask, (600, 500))
    with pytest.raises(DataError, match="1 of 3 outlines lie outside the slide of 350 x 400"):
        read_truth(write_asap(tmp_path / "a.xml"), (350, 400))


def test_a_mask_with_colours_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a_mask.png"
    Image.fromarray(np.full((400, 600, 3), (255, 0, 0), np.uint8)).save(path)
    with pytest.raises(DataError, match="has colours, and a mask is grey"):
        read_truth(path, SIZE)


def test_the_truth_of_a_slide_is_found_by_its_name(tmp_path: Path) -> None:
    assert truth_in(tmp_path, Path("slides/tumor_001.tif")) is None
    path = write_asap(tmp_path / "tumor_001.xml", OUTLINES)
    assert truth_in(tmp_path, Path("slides/tumor_001.tif")) == path
    write_mask(tmp_path / "tumor_001_mask.tif", drawn_mask())
    with pytest.raises(DataError, match=r"tumor_001\.xml and tumor_001_mask\.tif for one slide"):
        truth_in(tmp_path, Path("slides/tumor_001.tif"))
