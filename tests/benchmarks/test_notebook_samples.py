"""The notebooks' samples are what they should be."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
import torch

from benchmarks.baselines.notebook_samples import (
    NotebookPatches,
    load_albumentations,
    notebook_loader,
)
from midog.errors import ConfigError
from midog.images.image import open_image
from midog.loading.locations import Location

pytest.importorskip("albumentations")
SIDE = 128


@pytest.fixture
def places(drawn):
    box = drawn[1].boxes.of_class(1)[0]
    return [Location(1, int(box[0]) - 30, int(box[1]) - 30, 1), Location(1, 500, 400, 0)]


def test_a_patch_is_the_image_there_with_its_boxes(drawn, places, monkeypatch):
    patches = NotebookPatches(drawn, places, SIDE, "jitter")
    patches.augment = lambda **sample: sample
    image, target = patches[0]
    with open_image(drawn[1].path) as whole:
        expected = whole.read(places[0].x, places[0].y, SIDE, SIDE)
    assert (image.permute(1, 2, 0) * 255).round().to(
        torch.uint8
    ).numpy().tolist() == expected.tolist()
    assert [30, 30, 80, 80] in target["boxes"].round().int().tolist()
    assert patches.made == 1
    assert all(seconds > 0 for seconds in patches.spent.values())


@pytest.mark.parametrize("colour", ["jitter", "stain"])
def test_augmented_patches_come_in_batches_by_a_worker(drawn, places, colour):
    patches = NotebookPatches(drawn, places, SIDE, colour)
    batches = list(notebook_loader(patches, 2, workers=1))
    images, targets = batches[0]
    assert [tuple(image.shape) for image in images] == [(3, SIDE, SIDE)] * 2
    assert all(0 <= float(image.min()) <= float(image.max()) <= 1 for image in images)
    assert len(targets[0]["boxes"]) == len(targets[0]["labels"]) > 0
    assert np.isfinite(targets[0]["boxes"].numpy()).all()


def test_without_albumentations_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[bench\]'"):
        load_albumentations()
    monkeypatch.undo()
    assert importlib.import_module("albumentations") is load_albumentations()
