"""What tasks of crops share: the crops that are most wrong, and examples."""

from __future__ import annotations

import numpy as np
import torch

from midog.config.schema import RunConfig
from midog.loading.crops import CropSource, Places
from midog.training.tasks.crop_task import CropTask, worst_crops

PIXELS = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
CENTRES = np.array([(50.0, 50.0), (200.0, 200.0), (120.0, 120.0), (20.0, 200.0)])


def crops(labels: list[int]) -> CropSource:
    places = Places(np.zeros(4, np.int64), CENTRES, np.array(labels))
    return CropSource([PIXELS], places, 64, "mirrored")


def test_the_worst_crops_come_first_in_frames():
    logits = np.array([3, -5, 4, -2], np.float32)
    pictures = worst_crops(crops([1, 1, 0, 0]), logits, 3)
    assert [picture[0, 0].tolist() for picture in pictures] == [
        [0, 255, 0],
        [255, 0, 0],
        [255, 0, 0],
    ]
    crop = np.empty((64, 64, 3), np.uint8)
    crops([1, 1, 0, 0]).cut(1, crop)
    assert np.array_equal(pictures[0][2:-2, 2:-2], crop[2:-2, 2:-2])
    assert worst_crops(crops([1, 1, 0, 0]), logits, 0) == []


def test_what_has_no_label_is_not_among_them():
    pictures = worst_crops(crops([1, -1, 0, -1]), np.array([3, -5, 4, 9], np.float32), 4)
    assert [picture[0, 0].tolist() for picture in pictures] == [[255, 0, 0], [0, 255, 0]]


def test_an_example_is_of_the_size_of_the_crops():
    config = RunConfig()
    task = CropTask(crops([1, 1, 0, 0]), config.train, config.machine, torch.device("cpu"))
    batch = task.example(3)
    assert batch.images.shape == (3, 64, 64, 3)
    assert batch.targets["labels"].tolist() == [0, 1, 0]
