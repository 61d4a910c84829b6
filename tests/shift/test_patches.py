"""Fixed patches: the same places at every call and whatever the labels, on tissue, at one mpp, of
every scanner."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from midog.boxes import Boxes
from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import ImageError
from midog.images.decode import decode
from midog.shift.patches import describe, fixed_patches
from midog.stains import tissue_share


@pytest.fixture
def draw(tmp_path):
    """Make an ROI of a picture (H, W, 3)."""

    def make(name: str, pixels: np.ndarray, scanner: str = "A", **facts) -> Roi:
        Image.fromarray(pixels).save(tmp_path / name)
        return Roi(
            name, path=tmp_path / name, scanner=scanner, **{"mpp": 0.25, "split": "train", **facts}
        )

    return make


def coordinates(width: int = 200, height: int = 150) -> np.ndarray:
    """Dark pixels that say where they are: red = x, green = y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_patches_are_cut_from_their_roi_and_named(draw):
    rois = [draw("1.png", coordinates(), patient="p1"), draw("2.png", coordinates())]
    (outcome,) = fixed_patches(rois, size_px=32, per_roi=5)
    assert (outcome.scanner, outcome.labelled) == ("A", True)
    assert outcome.images.shape == (10, 32, 32, 3)
    assert outcome.images.dtype == np.uint8
    assert outcome.rois == ["1.png"] * 5 + ["2.png"] * 5
    assert outcome.patients == ["p1"] * 5 + ["2.png"] * 5
    corners = [tuple(patch[0, 0]) for patch in outcome.images]
    assert len(set(corners)) > 8
    for patch, (x, y, _) in zip(outcome.images, corners, strict=True):
        np.testing.assert_array_equal(patch, coordinates()[y : y + 32, x : x + 32])


def test_places_depend_on_seed_and_file_name_alone(draw):
    first, second = draw("1.png", coordinates()), draw("2.png", coordinates())
    (both,) = fixed_patches([first, second], size_px=32, per_roi=4)
    figures = Boxes([[20, 30, 70, 80]], [1])
    (alone,) = fixed_patches(
        [replace(second, boxes=figures, split="test", patient="x")], size_px=32, per_roi=4
    )
    np.testing.assert_array_equal(both.images[4:], alone.images)
    (fewer,) = fixed_patches([second], size_px=32, per_roi=2)
    np.testing.assert_array_equal(fewer.images, alone.images[:2])
    (other,) = fixed_patches([second], size_px=32, per_roi=4, seed=1)
    assert (other.images != alone.images).any()


def test_scanners_come_in_the_order_of_the_rois_unlabelled_ones_too(phantom):
    rois = read_rois(phantom)
    outcome = fixed_patches(rois, size_px=64, per_roi=2)
    assert [each.scanner for each in outcome] == list(dict.fromkeys(roi.scanner for roi in rois))
    unlabelled = {roi.scanner for roi in rois if roi.split == "unlabelled"}
    assert unlabelled == {each.scanner for each in outcome if not each.labelled}
    for each in outcome:
        assert each.images.shape == (
            2 * sum(roi.scanner == each.scanner for roi in rois),
            64,
            64,
            3,
        )


def test_tissue_is_preferred_and_glass_makes_up_the_number(draw):
    half = np.full((256, 1024, 3), 255, np.uint8)
    half[:, :512] = 120
    (outcome,) = fixed_patches([draw("half.png", half)], size_px=64, per_roi=6)
    assert min(tissue_share(patch) for patch in outcome.images) > 0.5
    speck = np.full((512, 512, 3), 255, np.uint8)
    speck[200:330, 200:330] = 120
    (outcome,) = fixed_patches([draw("speck.png", speck)], size_px=64, per_roi=8)
    (others,) = fixed_patches([draw("speck.png", np.full_like(speck, 120))], size_px=64, per_roi=8)
    assert len(outcome.images) == 8
    assert tissue_share(outcome.images) > 0
    (white,) = fixed_patches([draw("white.png", np.full_like(speck, 255))], size_px=64, per_roi=8)
    assert white.images.shape == others.images.shape
    assert white.images.min() == 255


@pytest.mark.parametrize("size", [(40, 30), (40, 300), (300, 30)])
def test_an_roi_smaller_than_a_patch_gives_one_on_white(draw, size):
    width, height = size
    (outcome,) = fixed_patches(
        [draw("1.png", np.full((height, width, 3), 99, np.uint8))], size_px=64, per_roi=5
    )
    assert outcome.images.shape == (1, 64, 64, 3)
    assert (outcome.images == 99).all(axis=-1).sum() == min(width, 64) * min(height, 64)
    assert set(np.unique(outcome.images)) == {99, 255}


def test_an_roi_of_just_a_patch_gives_as_many_as_asked(draw):
    (outcome,) = fixed_patches([draw("1.png", coordinates(64, 64))], size_px=64, per_roi=3)
    assert outcome.images.shape == (3, 64, 64, 3)


def test_other_mpp_is_resampled_as_the_models_see_it(draw):
    coarse = draw("1.png", np.repeat(np.repeat(coordinates(30, 20), 8, axis=0), 8, axis=1), mpp=0.5)
    (outcome,) = fixed_patches([coarse], size_px=100, per_roi=4)
    whole = decode(coarse.path, scale=2.0, cache=False)
    windows = np.lib.stride_tricks.sliding_window_view(whole[..., 0], (100, 100))
    for patch in outcome.images:
        places = np.argwhere((windows[:, :, ::33, ::33] == patch[::33, ::33, 0]).all(axis=(2, 3)))
        assert any((whole[y : y + 100, x : x + 100] == patch).all() for y, x in places)
    close, same = (
        fixed_patches([replace(coarse, mpp=mpp)], size_px=100)[0].images for mpp in (0.275, 0.25)
    )
    np.testing.assert_array_equal(close, same)


def test_a_scanner_gives_no_more_than_max_rois_the_same_ones_each_time(draw):
    rois = [draw(f"{number}.png", coordinates()) for number in range(8)]
    (outcome,) = fixed_patches(rois, size_px=32, per_roi=1, max_rois=3)
    assert len(outcome.rois) == 3
    assert outcome.rois == sorted(outcome.rois)
    (turned,) = fixed_patches(rois[::-1], size_px=32, per_roi=1, max_rois=3)
    assert turned.rois == outcome.rois[::-1]
    (other,) = fixed_patches(rois, size_px=32, per_roi=1, max_rois=3, seed=2)
    assert other.rois != outcome.rois


def test_missing_images_are_left_out_with_a_warning(draw, caplog):
    rois = [
        draw("1.png", coordinates()),
        Roi("2.png", scanner="A"),
        Roi("3.png", scanner="B", split="unlabelled"),
    ]
    with caplog.at_level(logging.WARNING):
        outcome = fixed_patches(rois, size_px=32, per_roi=2)
    assert [each.scanner for each in outcome] == ["A"]
    assert set(outcome[0].rois) == {"1.png"}
    assert "2 of 3 images are missing" in caplog.text
    assert fixed_patches([], size_px=32) == []


def test_an_image_without_mpp_is_named(draw):
    with pytest.raises(ImageError, match=r"1\.png: its mpp"):
        fixed_patches([draw("1.png", coordinates(), mpp=None)], size_px=32)


# --- how it is said


def said(rois: list[Roi], **settings: int) -> str:
    return describe(
        fixed_patches(rois, size_px=64, per_roi=2, **settings), size_px=64, mpp=0.25, seed=3
    )


def test_patches_are_told_in_numbers(draw):
    rois = [
        draw(f"{number}.png", coordinates(), scanner=scanner)
        for number, scanner in enumerate("AAABB")
    ]
    assert (
        said(rois)
        == "4 to 6 patches from 2 to 3 of the test and unlabelled ROIs of each scanner, 64 px at"
        " 0.25 um/px, places of seed 3"
    )
    assert said(rois[3:]).startswith("4 patches from 2 of the test")


def test_a_choice_of_rois_and_small_ones_are_told(draw):
    rois = [
        draw(f"{number}.png", coordinates(), scanner=scanner)
        for number, scanner in enumerate("AAABB")
    ]
    small = draw("small.png", coordinates(40, 40), scanner="B")
    assert "; of the 3 ROIs of A 2 were drawn" in said(rois, max_rois=2)
    assert "ROIs of B" not in said(rois, max_rois=2)
    assert said([*rois, small]).endswith(
        "; 1 ROIs are smaller than a patch and gave one each, white beyond the ROI"
    )


def test_16_patches_of_an_roi_unless_told(draw):
    (outcome,) = fixed_patches([draw("1.png", coordinates())], size_px=32)
    assert len(outcome.images) == 16
