"""The adversarial task: batches, whole runs that resume, and two processes as one."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from midog.boxes import Boxes
from midog.config.load import load_config
from midog.inference.detector import Detector
from midog.loading.rois import DecodedRois
from midog.models.adversary import strength_at
from midog.training.checkpoint import read_checkpoint
from midog.training.interrupts import Interrupted
from midog.training.log import read_metrics
from midog.training.tasks.adversarial import AdversarialTask, beside
from midog.training.tasks.detection import DetectionTask
from midog.training.tasks.registry import AdversarialSettings
from midog.training.train import train
from tests.loading.small import rois_of
from tests.processes import start
from tests.spoiled import TINY
from tests.spoiled import settings as words

CPU = torch.device("cpu")
SMALL = [
    "task.kind=adversarial",
    "train.epochs=2",
    "train.validate_every=2",
    "train.pictures=0",
    "sampling.patches_per_roi=4",
    "model.pyramid_channels=32",
    "model.head_convs=1",
]


def named(rois: DecodedRois, *scanners: str) -> DecodedRois:
    for number, scanner in enumerate(scanners):
        object.__setattr__(rois.sampled[number], "scanner", scanner)
    return rois


def task_of(*overrides: str, unlabelled: bool = True) -> AdversarialTask:
    config = load_config(
        None,
        [
            "sampling.patch_size=64",
            "sampling.patches_per_roi=5",
            "train.batch_size=6",
            "machine.workers=1",
            "task.kind=adversarial",
            *overrides,
        ],
    )
    train = named(rois_of((200, 100), (150, 150)), "B", "A")
    others = named(rois_of((100, 100), (90, 120), (80, 80)), "C", "C", "B")
    for roi in others.sampled:  # as `AdversarialData` leaves them
        object.__setattr__(roi, "boxes", Boxes())
    assert isinstance(config.task, AdversarialSettings)
    detection = DetectionTask(config, train, named(rois_of((90, 90)), "unseen"), CPU)
    return AdversarialTask(config.task, detection, others if unlabelled else None)


def test_batches_hold_labelled_and_unlabelled_patches_with_their_scanners():
    task = task_of()
    assert task.scanners == ["A", "B", "C"]
    labelled = list(task.detection.batches(1, start=0, rank=0, world=1))
    for step, batch in enumerate(task.batches(1, start=0, rank=0, world=1)):
        assert (len(batch.labelled), len(batch.unlabelled), len(batch)) == (6, 2, 8)
        assert batch.labelled.indices == labelled[step].indices
        places = task.locations(1, step, rank=0, world=1)
        rois = [task.detection.train, task.unlabelled]
        scanner_of = [
            {roi.file_name: own.scanner for roi, own in zip(r.rois, r.sampled, strict=True)}
            for r in rois
        ]
        names = [scanner_of[number >= 6][place["file_name"]] for number, place in enumerate(places)]
        assert [task.scanners[number] for number in batch.domains] == names
        assert not batch.unlabelled.targets["labels"].any()
        assert batch.strength == strength_at((2 + step) / (200 * 2), 1.0, 10.0)
    assert step + 1 == task.steps_per_epoch(1) == 2


def test_unlabelled_patches_are_augmented_with_the_references_of_the_training():
    chosen = ("augment.fda.share=1", "augment.copy_paste=1", "augment.mpp=0.1")
    one, other = (
        [
            batch.unlabelled.images.numpy().copy()
            for batch in task_of(*chosen).batches(1, start=0, rank=0, world=1)
        ]
        for _ in range(2)
    )
    assert len(one) == 2
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_without_unlabelled_rois_the_labelled_ones_are_all_there_is():
    task = task_of(unlabelled=False)
    (batch, _) = task.batches(0, start=0, rank=0, world=1)
    assert (batch.unlabelled, len(batch), task.scanners) == (None, 6, ["A", "B"])
    assert len(task.example(4)) == 4


def test_batches_are_the_same_from_any_step_on_and_shared_out_over_processes():
    task = task_of("task.unlabelled_share=0.5")

    def pixels(start: int, rank: int, world: int, size: int) -> list[np.ndarray]:
        own = task_of("task.unlabelled_share=0.5", f"train.batch_size={size}")
        return [
            batch.unlabelled.images.numpy().copy()
            for batch in own.batches(3, start=start, rank=rank, world=world)
        ]

    whole = pixels(0, 0, 1, 4)
    assert len(whole) == 3
    assert np.array_equal(whole[2], pixels(2, 0, 1, 4)[0])
    halves = [pixels(0, rank, 2, 2) for rank in (0, 1)]
    for step, batch in enumerate(whole):
        shared = np.stack([halves[0][step], halves[1][step]], axis=1).reshape(batch.shape)
        assert np.array_equal(batch, shared)
    assert task.example(4).domains.shape == (6,)


@pytest.mark.parametrize("taken", [1, 2])
def test_opencv_has_its_threads_back_after_a_pass_whole_or_not(taken):
    cv2.setNumThreads(3)
    try:
        batches = task_of().batches(0, start=0, rank=0, world=1)
        for _ in range(taken):
            next(batches)
            assert cv2.getNumThreads() == 1
        assert next(batches, None) is None or taken == 1
        batches.close()
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(-1)


def test_there_is_always_an_unlabelled_patch():
    assert [beside(16, 0.33), beside(2, 0.1), beside(4, 1.5)] == [5, 1, 6]


# --- whole runs


def settings(data: Path, *overrides: str):
    return load_config(None, [f"data.dir={str(data)!r}", *TINY, *SMALL, *overrides])


@pytest.fixture(scope="module")
def unbroken(phantom, tmp_path_factory) -> Path:
    return train(settings(phantom), runs=tmp_path_factory.mktemp("adversarial"), name="a")


def state_of(run: Path) -> dict:
    return read_checkpoint(run / "last.ckpt").state


def test_it_logs_the_domain_loss_and_accuracy(unbroken):
    row = read_metrics(unbroken / "metrics.csv")[-1]
    assert float(row["train/loss_domain"]) > 0
    shares = [
        float(row[f"val/domain_accuracy/{name}"])
        for name in ("Phantom A", "Phantom B", "Phantom D")
    ]
    assert float(row["val/domain_accuracy"]) == pytest.approx(sum(shares) / 3, rel=1e-4)
    assert all(0 <= share <= 1 for share in shares)


def test_the_model_is_a_detector_without_the_classifier(unbroken, phantom):
    card = json.loads((unbroken / "best" / "model.json").read_text())
    assert card["task"] == "detection"
    names = load_file(unbroken / "best" / "model.safetensors")
    assert not [name for name in names if "classifier" in name or name.startswith("detector.")]
    assert any(name.startswith("classifier.") for name in state_of(unbroken)["model"])
    assert Detector.load(unbroken, device="cpu")(phantom / "images" / "001.tiff") is not None


def test_a_run_resumes_to_the_same_weights(phantom, tmp_path, monkeypatch, unbroken):
    losses, calls = AdversarialTask.losses, []

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(self, *arguments)

    monkeypatch.setattr(AdversarialTask, "losses", interrupted)
    with pytest.raises(Interrupted):
        train(settings(phantom, "machine.workers=0"), runs=tmp_path, name="a")
    monkeypatch.setattr(AdversarialTask, "losses", losses)
    ours = state_of(train(settings(phantom), runs=tmp_path, name="a"))
    theirs = state_of(unbroken)
    assert len(calls) == 3
    for part in ("model", "ema"):
        differing = [k for k in theirs[part] if not torch.equal(ours[part][k], theirs[part][k])]
        assert differing == []


@pytest.mark.slow
def test_two_processes_train_and_mine_as_one(phantom, tmp_path):
    exact = ["model.backbone.unfrozen_layers=0", "inference.floor=0.001", "sampling.mine_every=1"]
    exact += ["model.max_detections=10", "task.unlabelled_share=0.5"]
    halves = [*exact, "machine.devices=2", "train.batch_size=2"]
    overrides = words([*TINY, *SMALL, *halves])
    process = start("train", *overrides, "--data", phantom, "--name", "two", cwd=tmp_path)
    alone = train(settings(phantom, *exact), runs=tmp_path / "alone", name="one")
    _, err = process.communicate()
    assert process.returncode == 0, err
    one, two = state_of(alone), state_of(tmp_path / "runs" / "two")
    flat = [
        torch.cat([v.double().flatten() for v in state["model"].values()]) for state in (one, two)
    ]
    assert (flat[0] - flat[1]).norm() / flat[0].norm() <= 1e-6
    assert torch.equal(one["task"]["rois"], two["task"]["rois"])
    assert len(one["task"]["rois"]) > 0


def test_the_domain_gradient_reaches_the_detector_of_a_run(phantom, tmp_path, unbroken):
    silent = train(settings(phantom, "task.weight=0"), runs=tmp_path, name="silent")
    misled, plain = state_of(unbroken)["model"], state_of(silent)["model"]
    names = [name for name in plain if name.startswith("detector.") and name.endswith("weight")]
    assert any(not torch.equal(misled[name], plain[name]) for name in names)
