"""Crops of slides show their places, at every resolution and whatever the slide's um/px; the
slide's colours say where a px is from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.config.load import load_config
from midog.data.patches.patch_set import PatchSet
from midog.data.patches.places import SlidePlaces, read_places, write_places
from midog.loading.batches import Loader
from midog.loading.slide_crops import SlideCropSource, slide_crops, training_slide_crops
from midog.models.classifiers.views import View
from tests.tumour.slides import place_colours, write_slide

MPPS = {"a": 0.5, "b": 0.25}
CENTRES = np.array([[600.0, 500], [800.5, 420], [1001, 999.5], [700, 700]])


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> PatchSet:
    """Eight places of 32 px of 1 um in two slides of other um/px."""
    folder = tmp_path_factory.mktemp("slides")
    slides = []
    for name, mpp in MPPS.items():
        path = write_slide(folder / f"{name}.tif", place_colours(), 4, mpp)
        labels, shares = np.array([0, 1, 0, 1]), np.zeros((4, 2))
        known = (2048, 1536), mpp, "", "", "train", None
        slides.append(SlidePlaces(path, path.name, *known, CENTRES, labels, shares))
    write_places(folder / "index", slides, {}, side=32, mpp=1.0)
    return read_places(folder / "index").of("train")


def from_where(view: np.ndarray) -> np.ndarray:
    """Where the middle of a view is from, level-0 px."""
    half = len(view) // 2
    return view[half - 1 : half + 1, half - 1 : half + 1, :2].reshape(4, 2).mean(axis=0) * 8 + 4


def test_a_crop_shows_its_place(patches: PatchSet) -> None:
    source = slide_crops(patches, None)
    assert source.side == 32
    out = np.empty((32, 32, 3), np.uint8)
    for number in range(8):
        source.cut(number, out)
        downsample = 1 / MPPS["a" if number < 4 else "b"]
        # the place is rounded to a px of the crop, which is read at whole px of a level
        assert np.abs(from_where(out) - CENTRES[number % 4]).max() <= downsample + 4.5
        across = int(out[16, -1, 0]) - int(out[16, 0, 0])
        assert across * 8 == pytest.approx(31 * downsample, abs=17)


def test_all_views_of_a_place_have_one_centre(patches: PatchSet) -> None:
    views = (View(32), View(16, 2), View(8, 4), View(24, 3))
    plain = slide_crops(patches, None)
    source = SlideCropSource(**{**vars(plain), "views": views})
    assert source.view_shapes == tuple((view.side, view.side, 3) for view in views)
    out = [np.empty(shape, np.uint8) for shape in source.view_shapes]
    for number in range(8):
        source.cut_views(number, out)
        scale = 1 / MPPS["a" if number < 4 else "b"]
        for view, pixels in zip(views, out, strict=True):
            off = np.abs(from_where(pixels) - CENTRES[number % 4]).max()
            assert off <= scale * (0.5 + view.downsample / 2) + 4.5


@pytest.mark.parametrize("on_cpu", [True, False])
def test_batches_are_augmented_alike_in_all_views(patches: PatchSet, on_cpu: bool) -> None:
    augment = load_config(None).augment
    source = training_slide_crops(
        patches, augment, side=None, balance="draws", length=24, jitter=3, on_cpu=on_cpu
    )
    views = (View(32), View(32, 2))
    scratches = tuple(type(source.scratches[0])(32) for _ in views) if on_cpu else ()
    source = SlideCropSource(**{**vars(source), "views": views, "scratches": scratches})
    loader = Loader(source, 8, 2, 0, torch.device("cpu"), fill=True)
    labels = []
    for batch in loader.batches(0, start=0, rank=0, world=1):
        fine, coarse = batch.views
        assert (batch.augmentation is None) is on_cpu
        labels += batch.targets["labels"].tolist()
        if on_cpu:  # the coarse view's middle is the fine view, turned and stained alike
            half = coarse[:, 8:24, 8:24].float()
            mean = fine.float().reshape(8, 16, 2, 16, 2, 3).mean(dim=(2, 4))
            assert (half - mean).abs().mean() < 4
    assert 6 <= sum(labels) <= 18


def test_a_part_of_the_side_is_seen(patches: PatchSet) -> None:
    source = slide_crops(patches, 16)
    small, large = np.empty((16, 16, 3), np.uint8), np.empty((32, 32, 3), np.uint8)
    source.cut(0, small)
    slide_crops(patches, None).cut(0, large)
    np.testing.assert_array_equal(small, large[8:24, 8:24])
