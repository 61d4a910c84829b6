"""References: patches at places that names decide, of unlabelled ROIs too, and lone figures."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from midog.boxes import Boxes
from midog.config.load import load_config
from midog.data.roi import Roi
from midog.loading.locations import SampledRoi
from midog.loading.references import TrainingPixels, described_references, make_references
from midog.loading.rois import DecodedRois
from midog.loading.rois_on_device import copy_to_device
from tests.stained import BROWNISH, USUAL, painted

DATA = load_config(None, ["data.cache=false"]).data
BOXES = Boxes(
    [
        [50, 60, 74, 84],  # alone
        [150, 60, 174, 84],  # beside an imposter
        [172, 84, 196, 108],
        [0, 100, 24, 124],  # at the edge
        [100, 180, 124, 204],  # beside a box to ignore
        [200, 200, 225, 224],  # alone
    ],
    [1, 1, 2, 1, 1, 1],
)


def decoded(names: list[str]) -> DecodedRois:
    images, sampled, rois = [], [], []
    for name in names:
        images.append(painted(USUAL, patches=1, side=256, seed=ord(name[0]))[0])
        ignored = np.array([[90, 170, 101, 181]], np.float32)
        sampled.append(SampledRoi(256, 256, BOXES, "A", ignored))
        rois.append(Roi(name, 256, 256, BOXES, scanner="A", ignored=ignored))
    return DecodedRois(images, sampled, [0.25] * len(names), rois)


@pytest.fixture
def unlabelled(tmp_path: Path) -> list[Roi]:
    """One with an image, one without."""
    Image.fromarray(painted(BROWNISH, patches=1, side=256)[0]).save(tmp_path / "u.png")
    here = Roi("u.png", path=tmp_path / "u.png", mpp=0.25, scanner="U", split="unlabelled")
    return [here, replace(here, file_name="v.png", path=None)]


def by_scanner(pixels: TrainingPixels) -> dict[str, list[bytes]]:
    patches: dict[str, list[bytes]] = {}
    for scanner, patch in pixels.patches():
        assert patch.shape == (64, 64, 3)
        patches.setdefault(scanner, []).append(patch.tobytes())
    return patches


def test_patches_are_of_all_scanners_at_places_that_names_decide(unlabelled):
    patches = by_scanner(TrainingPixels(decoded(["a", "b", "c"]), unlabelled, DATA, 64))
    assert {scanner: len(own) for scanner, own in patches.items()} == {"A": 48, "U": 16}
    other_order = by_scanner(TrainingPixels(decoded(["c", "a", "b"]), unlabelled, DATA, 64))
    assert {key: set(own) for key, own in patches.items()} == {
        key: set(own) for key, own in other_order.items()
    }


def test_places_differ_from_roi_to_roi():
    rois = decoded(["a1", "a2"])
    assert np.array_equal(*rois.images)
    patches = by_scanner(TrainingPixels(rois, (), DATA, 64))["A"]
    assert not set(patches[:16]) & set(patches[16:])


def test_rois_on_a_device_give_the_same(unlabelled):
    there = decoded(["a"])
    on_device = copy_to_device(there.images, 64, torch.device("cpu"))
    there = replace(there, images=on_device.images(), on_device=on_device)
    here, moved = (TrainingPixels(rois, (), DATA, 64) for rois in (decoded(["a"]), there))
    assert by_scanner(here) == by_scanner(moved)
    for (_, crop, box), (_, other, same) in zip(here.figures(), moved.figures(), strict=True):
        assert np.array_equal(crop, other)
        assert np.array_equal(box, same)


def test_an_roi_smaller_than_a_patch_is_white_beyond():
    pixels = TrainingPixels(decoded(["a"]), (), DATA, 320)
    assert all((patch[256:] == 255).all() for _, patch in pixels.patches())


def test_figures_are_those_that_are_alone_with_their_surroundings():
    rois = decoded(["a"])
    figures = list(TrainingPixels(rois, (), DATA, 64).figures())
    assert [scanner for scanner, _, _ in figures] == ["A", "A"]
    for (_, crop, box), whole in zip(figures, BOXES.xyxy[[0, 5]], strict=True):
        assert crop.shape == (32, 32, 3), "1.28 times the median side, in even px"
        x, y = (whole[:2] - box[:2]).astype(int)
        assert np.array_equal(crop, rois.images[0][y : y + 32, x : x + 32])
        assert np.abs(box[:2] + box[2:] - 32).max() <= 1, "centred"
    none = replace(rois, sampled=[SampledRoi(256, 256, Boxes(), "A")])
    assert list(TrainingPixels(none, (), DATA, 64).figures()) == []


def test_only_ops_that_are_on_take_references_and_missing_images_are_named(unlabelled, caplog):
    rois = decoded(["a"])
    off = load_config(None, []).augment
    assert make_references(off, rois, unlabelled, DATA, 64) == {}
    on = load_config(None, ["augment.fda.share=0.5", "augment.copy_paste=0.2"]).augment
    with caplog.at_level(logging.INFO):
        references = make_references(on, rois, unlabelled, DATA, 64)
    assert described_references(references) == {
        "fda": {"patches": {"A": 16, "U": 16}},
        "copy_paste": {"figures": {"A": 2}},
    }
    assert "1 unlabelled ROIs have no image" in caplog.text
    assert "augment.fda: references of A 16, U 16" in caplog.text
