"""How a detector is judged: over whole ROIs, in millimetres, by scanner."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from midog.boxes import Boxes, squares_around
from midog.config.load import load_config
from midog.data.roi import Roi
from midog.inference.detector import Detector
from midog.loading.box_targets import BoxTargets
from midog.loading.locations import SampledRoi
from midog.loading.rois import DecodedRois
from midog.models.postprocess import Candidates
from midog.training.tasks.detection import (
    RoiLoader,
    detect_points,
    draw_pictures,
    is_better,
    prepare,
    score,
    training_loader,
    validation_loader,
    validation_losses,
)


class FindsDark(nn.Module):
    """Finds the black squares of 20 px in a white image; its score is 0.5 plus their grey."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images, targets=None, *, floor=0.05):
        if targets is not None:
            return {"classification": self.weight.sum() + (targets["labels"] > 0).sum()}
        results = []
        for image in images:
            ys, xs = torch.nonzero(image[0] < 0.5, as_tuple=True)
            corners = sorted({(int(x) // 100, int(y) // 100) for x, y in zip(xs, ys, strict=True)})
            boxes = [[100 * i + 40, 100 * j + 40, 100 * i + 60, 100 * j + 60] for i, j in corners]
            results.append(
                {
                    "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                    "scores": torch.full((len(boxes),), 0.8),
                    "labels": torch.ones(len(boxes), dtype=torch.int64),
                }
            )
        return results

    def candidates(self, images, floor):
        columns = zip(*(found.values() for found in self(images)), strict=True)
        return Candidates(
            *(nn.utils.rnn.pad_sequence(list(column), batch_first=True) for column in columns)
        )


def world() -> DecodedRois:
    """Two ROIs of two scanners with two black squares each; in the second one, the annotation knows
    one of them."""
    images = [np.full((300, 300, 3), 255, np.uint8) for _ in range(2)]
    for image in images:
        image[40:60, 40:60] = 0
        image[240:260, 140:160] = 0
    truth = [np.array([[50, 50], [150, 250]]), np.array([[50, 50]])]
    boxes = [Boxes(squares_around(points), np.ones(len(points), int)) for points in truth]
    fields = [
        SampledRoi(300, 300, each, scanner) for each, scanner in zip(boxes, "AB", strict=True)
    ]
    return DecodedRois(
        images, fields, [0.25, 0.23], [Roi(f"{i}.tiff", 300, 300, boxes[i]) for i in (0, 1)]
    )


CONFIG = load_config(
    None, ["inference.tile=512", "sampling.patch_size=256", "machine.workers=0", "train.pictures=2"]
)


CPU = torch.device("cpu")


def fixed_patches() -> RoiLoader:
    return validation_loader(world(), CONFIG, CPU)


def test_points_are_in_millimetres_of_each_roi_and_counted_by_scanner():
    pixels = world()
    points = detect_points(
        Detector(FindsDark(), CONFIG, device="cpu"), pixels, [0, 1], lambda: None
    )
    assert points[0].detected_mm == pytest.approx(np.array([[50, 50], [150, 250]]) * 0.25 / 1000)
    assert points[1].truth_mm == pytest.approx(np.array([[50, 50]]) * 0.23 / 1000)
    assert points[1].detected_mm == pytest.approx(np.array([[50, 50], [150, 250]]) * 0.23 / 1000)
    validation = score(points, pixels, {"loss": 2.0})
    assert {name: (c.tp, c.fp, c.fn) for name, c in validation.counts.items()} == {
        "all": (3, 1, 0),
        "A": (2, 0, 0),
        "B": (1, 1, 0),
    }
    scalars = validation.scalars()
    assert scalars["val/f1"] == pytest.approx(6 / 7)
    assert scalars["val/precision/B"] == 0.5
    assert scalars["val/loss"] == 2.0
    assert 0 < scalars["val/threshold"] <= 0.8


def test_validation_losses_are_means_over_the_patches():
    losses = validation_losses(FindsDark(), fixed_patches(), CPU)
    assert losses["loss"] == losses["loss_classification"] > 0


def test_pictures_show_patches_with_figures():
    pictures = draw_pictures(FindsDark(), fixed_patches(), CPU, 2, 0.5)
    assert len(pictures) == 2
    assert all(picture.shape == (256, 256, 3) for picture in pictures)
    assert all(((picture == [0, 255, 0]).all(axis=-1)).any() for picture in pictures), (
        "true boxes are drawn in green"
    )


@pytest.mark.parametrize("where", ["cpu", "device"])
def test_a_batch_is_prepared_the_same_twice_and_otherwise_in_another_epoch(where):
    settings = load_config(
        None, [f"machine.augment_on={where}", "machine.workers=0", "sampling.patch_size=256"]
    )

    def prepared(epoch: int) -> tuple[torch.Tensor, BoxTargets]:
        return prepare(next(training_loader(world(), settings, CPU).batches(epoch)), CPU)

    (images, targets), again = prepared(1), prepared(1)
    assert images.dtype == torch.float32
    assert images.shape == (16, 3, 256, 256)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert targets["boxes"].shape == (16, 8, 4)
    assert torch.equal(images, again[0])
    assert torch.equal(targets["boxes"], again[1]["boxes"])
    assert not torch.equal(images, prepared(2)[0])


def test_validation_patches_are_as_they_are():
    batch = next(fixed_patches().batches())
    images, _ = prepare(batch, torch.device("cpu"))
    assert torch.equal((images * 255).round().byte(), batch.images.permute(0, 3, 1, 2))


def test_the_first_model_is_kept_and_only_better_ones_after_it():
    nan = math.nan
    assert is_better(0.0, nan)
    assert is_better(nan, nan)
    assert is_better(0.5, 0.4)
    assert not is_better(0.4, 0.4)
    assert not is_better(nan, 0.0)
