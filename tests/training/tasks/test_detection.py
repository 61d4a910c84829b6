"""The detection task: batches, losses, and validation over whole ROIs in millimetres."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from midog.boxes import Boxes, squares_around
from midog.config.load import load_config
from midog.data.roi import Roi
from midog.inference.detector import Detector
from midog.loading.locations import SampledRoi
from midog.loading.rois import DecodedRois
from midog.models.protocol import BoxTargets, Candidates
from midog.training.tasks.detection import (
    DetectionTask,
    detect_points,
    prepare,
)
from midog.training.tasks.detection_data import read_detection_data
from midog.training.train import train
from tests.models.networks import CandidatesAlone


class FindsDark(CandidatesAlone):
    """Finds the black squares of 20 px in a white image; its score is 0.5 plus their grey."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images, targets):
        return {"classification": self.weight.sum() + (targets["labels"] > 0).sum()}

    def detections(self, images, floor):
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
        columns = zip(*(result.values() for result in self.detections(images, floor)), strict=True)
        return Candidates(
            *(nn.utils.rnn.pad_sequence(list(column), batch_first=True) for column in columns)
        )


def world() -> DecodedRois:
    """Two ROIs of two scanners with two black squares each; in the second one, only one of them is
    annotated."""
    images = [np.full((300, 300, 3), 255, np.uint8) for _ in range(2)]
    for image in images:
        image[40:60, 40:60] = 0
        image[240:260, 140:160] = 0
    truth = [np.array([[50, 50], [150, 250]]), np.array([[50, 50]])]
    boxes = [Boxes(squares_around(points), np.ones(len(points), int)) for points in truth]
    fields = [
        SampledRoi(300, 300, truth, scanner) for truth, scanner in zip(boxes, "AB", strict=True)
    ]
    return DecodedRois(
        images, fields, [0.25, 0.23], [Roi(f"{i}.tiff", 300, 300, boxes[i]) for i in (0, 1)]
    )


CONFIG = load_config(
    None, ["inference.tile=512", "sampling.patch_size=256", "machine.workers=0", "train.pictures=2"]
)

CPU = torch.device("cpu")


def task_of(pixels: DecodedRois) -> DetectionTask:
    return DetectionTask(CONFIG, pixels, pixels, CPU)


def validate(pixels: DecodedRois):
    fabric = Fabric(accelerator="cpu", devices=1)
    return task_of(pixels).validate(FindsDark(), fabric, lambda: None)


def test_points_are_in_millimetres_of_each_roi():
    points = detect_points(
        Detector(FindsDark(), CONFIG, device="cpu"), world(), [0, 1], lambda: None
    )
    assert points[0].detected_mm == pytest.approx(np.array([[50, 50], [150, 250]]) * 0.25 / 1000)
    assert points[1].truth_mm == pytest.approx(np.array([[50, 50]]) * 0.23 / 1000)
    assert points[1].detected_mm == pytest.approx(np.array([[50, 50], [150, 250]]) * 0.23 / 1000)


def test_rois_on_a_device_stay_there(monkeypatch):
    detector, pixels = Detector(FindsDark(), CONFIG, device="cpu"), world()
    resident = replace(pixels, images=[torch.from_numpy(image) for image in pixels.images])
    expected = detect_points(detector, pixels, [0, 1], lambda: None)
    monkeypatch.setattr(detector, "open", None)  # what reads pixels of the host
    points = detect_points(detector, resident, [0, 1], lambda: None)
    for number in (0, 1):
        assert np.array_equal(points[number].detected_mm, expected[number].detected_mm)
        assert np.array_equal(points[number].scores, expected[number].scores)


def test_a_validation_scores_whole_rois_and_takes_the_loss_of_the_patches():
    validation = validate(world())
    assert (validation.score, validation.score_name) == (pytest.approx(6 / 7), "F1")
    scalars = validation.scalars
    assert scalars["val/precision/B"] == 0.5
    assert scalars["val/loss"] == scalars["val/loss_classification"] > 0
    assert 0 < scalars["val/threshold"] <= 0.8
    assert validation.curve is not None
    assert len(validation.pictures) == 2


def test_a_stop_is_asked_for_after_every_roi():
    calls = []
    fabric = Fabric(accelerator="cpu", devices=1)
    task_of(world()).validate(FindsDark(), fabric, lambda: calls.append(1))
    assert len(calls) == 2


def test_the_model_folder_has_the_threshold_of_the_validation(tmp_path, phantom, tiny):
    config = load_config(None, tiny)
    pixels = world()
    task = DetectionTask(config, pixels, pixels, CPU)
    validation = validate(pixels)
    task.package(task.build(pretrained=False), validation, tmp_path / "best", {"epoch": 3})
    card = json.loads((tmp_path / "best" / "model.json").read_text())
    assert card["task"] == "detection"
    assert (card["threshold"], card["epoch"]) == (validation.scalars["val/threshold"], 3)


def test_the_example_batch_is_like_those_of_the_training():
    task = task_of(world())
    real, example = next(task.batches(0, start=0, rank=0, world=1)), task.example(16)
    assert len(example) == len(real) == 16
    assert (example.images.shape, example.images.dtype) == (real.images.shape, real.images.dtype)
    for key in ("boxes", "labels", "ignore"):
        assert example.targets[key].dtype == real.targets[key].dtype
        assert example.targets[key].ndim == real.targets[key].ndim
    assert task.losses(FindsDark(), example)["classification"] == 16


@pytest.mark.parametrize("rank", [0, 1])
def test_locations_are_those_of_the_batch(rank):
    task = task_of(world())
    names = {"0.tiff": 0, "1.tiff": 1}
    batches = task.batches(2, start=0, rank=rank, world=2)
    for step, batch in enumerate(batches):
        places = task.locations(2, step, rank=rank, world=2)
        assert len(places) == len(batch)
        assert all(names[place["file_name"]] in (0, 1) for place in places)
    assert step + 1 == task.steps_per_epoch(2)


@pytest.mark.parametrize("where", ["cpu", "device"])
def test_a_batch_is_prepared_the_same_twice_and_otherwise_in_another_epoch(where):
    settings = load_config(
        None, [f"machine.augment_on={where}", "machine.workers=0", "sampling.patch_size=256"]
    )

    task = DetectionTask(settings, world(), world(), CPU)

    def prepared(epoch: int) -> tuple[torch.Tensor, BoxTargets]:
        return prepare(next(task.patches.batches(epoch)), CPU)

    (images, targets), again = prepared(1), prepared(1)
    assert images.dtype == torch.float32
    assert images.shape == (16, 3, 256, 256)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert targets["boxes"].shape == (16, 8, 4)
    assert torch.equal(images, again[0])
    assert torch.equal(targets["boxes"], again[1]["boxes"])
    assert not torch.equal(images, prepared(2)[0])


def test_validation_patches_are_as_they_are():
    batch = next(task_of(world()).fixed_patches.batches())
    images, _ = prepare(batch, CPU)
    assert torch.equal((images * 255).round().byte(), batch.images.permute(0, 3, 1, 2))


EVERY_OP = [
    "augment.hed=0.1",
    "augment.stain_basis=5",
    "augment.gamma=0.2",
    "augment.white_balance=0.1",
    "augment.fda.share=0.5",
    "augment.randstainna.share=0.5",
    "augment.noise=0.02",
    "augment.shot_noise=0.02",
    "augment.jpeg=50",
    "augment.mpp=0.1",
    "augment.copy_paste=0.5",
]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["cpu", "device"])
def test_with_every_op_on_a_batch_is_the_same_when_opened_anew_and_shared_out(tiny, where):
    chosen = load_config(None, [*tiny, *EVERY_OP, f"machine.augment_on={where}"])
    one, anew = (read_detection_data(chosen).open(torch.device("cpu")) for _ in range(2))

    def patches(task: DetectionTask, start: int, rank: int, world: int) -> dict[int, tuple]:
        seen = {}
        for batch in task.batches(1, start=start, rank=rank, world=world):
            images, targets = prepare(batch, torch.device("cpu"))
            for number, image, boxes in zip(batch.indices, images, targets["boxes"], strict=True):
                seen[number] = image.clone(), boxes[boxes.any(1)].tolist()
        return seen

    whole = patches(one, 0, 0, 1)
    later = patches(anew, 1, 0, 1)
    shared = patches(anew, 0, 0, 2) | patches(anew, 0, 1, 2)
    assert len(later) == len(whole) - 4
    assert set(whole) <= set(shared)
    for number, (image, boxes) in whole.items():
        for others in (later, shared):
            if number in others:
                torch.testing.assert_close(others[number][0], image, rtol=0, atol=1e-5)
                assert others[number][1] == boxes


@pytest.mark.slow
def test_a_model_holds_what_its_augmentation_took_from_the_data(tiny, tmp_path):
    chosen = [*tiny, "train.epochs=1", "augment.randstainna.share=1", "augment.copy_paste=1"]
    folder = train(load_config(None, chosen), runs=tmp_path, name="a")
    card = json.loads((folder / "best" / "model.json").read_text())
    taken = card["references"]["randstainna"]
    assert taken["space"] == "lab"
    assert set(taken["patches"]) == {"Phantom A", "Phantom B", "Phantom D"}, "the unlabelled too"
    assert set(card["references"]["copy_paste"]["figures"]) <= {"Phantom A", "Phantom B"}
    assert Detector.load(folder / "best").info["references"] == card["references"]
