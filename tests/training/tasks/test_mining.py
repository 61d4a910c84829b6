"""False alarms in training ROIs: which they are, who looks for them, and that a run resumes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes, Detections, squares_around
from midog.config.load import load_config
from midog.config.schema import Imposters, SamplingSettings
from midog.data.split_file import read_split
from midog.loading.locations import ALARM, SampledRoi
from midog.loading.mined_alarms import MinedAlarms, no_alarms
from midog.training.checkpoint import read_checkpoint
from midog.training.interrupts import Interrupted
from midog.training.log import read_metrics
from midog.training.tasks import detection, mining
from midog.training.tasks.mining import (
    is_false_alarm,
    line_of,
    mine,
    mined_of_state,
    mined_state,
)
from midog.training.train import train
from tests.spoiled import TINY

SAMPLING = SamplingSettings(patch_size=64, mine_every=1, p_mined=0.25)
FABRIC = Fabric(accelerator="cpu", devices=1)


def roi_of(*figures: tuple[float, float, int], scanner: str = "A", ignored=()) -> SampledRoi:
    """300 px of 0.25 um; figures are x, y and class, boxes of 50 px."""
    points = np.array([row[:2] for row in figures]).reshape(-1, 2)
    boxes = Boxes(squares_around(points), [row[2] for row in figures])
    ignored = np.array(ignored, np.float32).reshape(-1, 4)
    return SampledRoi(300, 300, boxes, scanner, ignored)


def detections(*rows: tuple[float, ...]) -> Detections:
    """x, y, score and, where it is not a figure, class."""
    points = np.array([row[:2] for row in rows]).reshape(-1, 2)
    labels = [int(row[3]) if len(row) > 3 else MITOTIC_FIGURE for row in rows]
    return Detections(squares_around(points, 20), [row[2] for row in rows], labels)


def alarms_at(roi: SampledRoi, imposters: str, *rows: tuple[float, ...]) -> list[bool]:
    return is_false_alarm(detections(*rows), roi, 0.25, imposters).tolist()


def test_no_detection_at_a_figure_is_a_false_alarm():
    roi = roi_of((100, 100, MITOTIC_FIGURE))
    near = [(100, 100, 0.9), (129.9, 100, 0.9), (124, 124, 0.9), (100, 100, 0.2)]
    assert alarms_at(roi, "hard_negative", *near) == [False] * 4
    # 30 px are 7.5 um; 25 px along both axes is 35 px away, and still in the figure's box
    corner, beyond, above = (125, 125, 0.9), (130.5, 100, 0.9), (100, 130.5, 0.1)
    assert alarms_at(roi, "hard_negative", corner, beyond, above) == [False, True, True]


def test_an_imposter_is_one_where_it_is_background():
    roi = roi_of((100, 100, IMPOSTER))
    for policy in get_args(Imposters):
        is_background = policy not in ("ignore", "second_class")
        rows = [(100, 100, 0.9), (125, 125, 0.9), (200, 200, 0.9)]
        assert alarms_at(roi, policy, *rows) == [is_background, is_background, True]
    assert alarms_at(roi, "second_class", (200, 200, 0.9, IMPOSTER)) == [False]


def test_what_is_ignored_is_none():
    roi = roi_of(ignored=[(50, 50, 150, 90)])
    assert alarms_at(roi, "hard_negative", (60, 60, 0.9), (100, 91, 0.9), (200, 200, 0.9)) == [
        False,
        False,
        True,
    ]


WORLD = [
    roi_of((50, 50, MITOTIC_FIGURE), scanner="A"),
    roi_of(scanner="A"),
    roi_of((50, 50, IMPOSTER), scanner="B"),
]
SEEN = [
    detections((50, 50, 0.9), (200, 200, 0.8)),
    detections((10, 10, 0.3), (150, 20, 0.6)),
    detections(),
]


def mine_on(fabric, meet: Callable[[dict], list[dict]], monkeypatch):
    """The ROIs that a process looks at, and what it mines."""
    looked_at: list[int] = []

    def detect(number: int) -> Detections:
        looked_at.append(number)
        return SEEN[number]

    monkeypatch.setattr(mining, "gather", lambda fabric, own: meet(own))
    return looked_at, mine(detect, WORLD, [0.25] * 3, SAMPLING, 0, fabric, lambda: None)


def mine_alone(monkeypatch) -> MinedAlarms:
    return mine_on(FABRIC, lambda own: [own], monkeypatch)[1]


@dataclass
class Rank:
    global_rank: int
    world_size: int = 2


def test_processes_share_the_rois_and_come_to_one_list(monkeypatch):
    alone = mine_alone(monkeypatch)
    assert alone.alarms.rois.tolist() == [1, 1, 0]  # without figures first, the highest first
    assert alone.alarms.scores.tolist() == pytest.approx([0.6, 0.3, 0.8])
    shares: list[dict] = [{number: no_alarms() for number in (0, 2)}]  # until the first is known

    def second(own: dict) -> list[dict]:
        shares.append(own)
        return shares

    assert mine_on(Rank(1), second, monkeypatch)[0] == [1]
    looked_at, together = mine_on(Rank(0), lambda own: [own, shares[1]], monkeypatch)
    assert looked_at == [0, 2]
    for name in ("rois", "boxes", "scores"):
        assert np.array_equal(getattr(alone.alarms, name), getattr(together.alarms, name))


def test_the_line_names_scanners_and_kinds_of_rois(monkeypatch):
    mined = mine_alone(monkeypatch)
    assert line_of(mined, WORLD, 2.04) == (
        "false alarms mined in 3 training ROIs in 2.0 s: A 3 (2 in ROIs without figures, 1 in"
        " others)"
    )


def test_the_state_comes_back(monkeypatch):
    mined = mine_alone(monkeypatch)
    again = mined_of_state(mined_state(mined), WORLD, SAMPLING, 0)
    assert again is not None
    assert again.groups == mined.groups
    assert np.array_equal(again.alarms.boxes, mined.alarms.boxes)
    assert mined_of_state({}, WORLD, SAMPLING, 0) is None
    assert mined_state(None) == {}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("rois", torch.tensor([0, 1, 3]), "of other ROIs than these 3"),
        ("rois", torch.tensor([0, 1, -1]), "of other ROIs than these 3"),
        ("rois", torch.tensor([0, 1]), "several lengths"),
        ("rois", torch.tensor([0.0, 1, 1]), "mined rois are no tensor of torch.int64"),
        ("boxes", torch.full((3, 4), 7.0), "outside their ROIs"),
        ("boxes", torch.tensor([[1.0, 1, 301, 2]] * 3), "outside their ROIs"),
        ("boxes", torch.full((3, 4), torch.nan), "mined boxes are no tensor"),
        ("scores", None, "mined scores are no tensor"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(monkeypatch, name, value, says):
    state = mined_state(mine_alone(monkeypatch))
    with pytest.raises(ValueError, match=says):
        mined_of_state({**state, name: value}, WORLD, SAMPLING, 0)


# --- whole runs


def settings(data: Path, *overrides: str):
    few = ["train.epochs=3", "train.validate_every=3", "sampling.patches_per_roi=4"]
    mining = ["sampling.mine_every=1", "sampling.p_mined=0.5", "inference.floor=0.001"]
    small = [
        "sampling.p_mitotic=0.25",
        "model.max_detections=10",
        "train.pictures=0",
        "model.pyramid_channels=32",
    ]
    small += ["model.head_convs=1"]
    return load_config(None, [f"data.dir={str(data)!r}", *TINY, *few, *mining, *small, *overrides])


@pytest.fixture(scope="module")
def watched() -> list[tuple[int, list[str], set[int]]]:
    """Of `unbroken`, by epoch: the files that were detected in, and what is requested next."""
    return []


@pytest.fixture(scope="module")
def unbroken(phantom, watched, tmp_path_factory) -> Path:
    files: list[str] = []
    detect, between = detection.detect_in, detection.DetectionTask.between_epochs

    def detect_in(detector, decoded, number):
        files.append(f"{decoded.rois[number].split}/{decoded.rois[number].file_name}")
        return detect(detector, decoded, number)

    def between_epochs(self, epoch, network, fabric, check):
        files.clear()
        numbers = between(self, epoch, network, fabric, check)
        steps = range(self.steps_per_epoch(1))
        places = [p for step in steps for p in self.patches.locations(epoch + 1, step)]
        watched.append((epoch, sorted(files), {place.requested for place in places}))
        return numbers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "detect_in", detect_in)
        patch.setattr(detection.DetectionTask, "between_epochs", between_epochs)
        return train(settings(phantom), runs=tmp_path_factory.mktemp("mined"), name="a")


def state_of(run: Path) -> dict:
    return read_checkpoint(run / "last.ckpt").state


def test_it_mines_between_epochs_and_logs_it(unbroken):
    rows = read_metrics(unbroken / "metrics.csv")
    mined = [bool(row["mined/alarms"]) for row in rows]
    assert mined == [True, True, False], "not after the last epoch"
    assert 0 < float(rows[0]["mined/alarms/Phantom A"]) <= float(rows[0]["mined/alarms"])
    assert float(rows[0]["mined/seconds"]) > 0


def test_only_training_rois_are_looked_at_and_false_alarms_requested(phantom, watched, unbroken):
    rows = read_split(phantom / "split.csv").rows
    training = sorted(f"train/{row.file_name}" for row in rows if row.split == "train")
    assert [(epoch, files) for epoch, files, _ in watched] == [(0, training), (1, training)]
    assert all(ALARM in requested for _, _, requested in watched)


@pytest.mark.parametrize("where", ["in an epoch", "while mining"])
def test_a_run_resumes_to_the_same_weights_and_false_alarms(
    phantom, tmp_path, monkeypatch, unbroken, where
):
    task, calls = detection.DetectionTask, []
    name = "losses" if where == "in an epoch" else "_detector"
    at = 4 if where == "in an epoch" else 2
    whole = getattr(task, name)

    def interrupted(self, *arguments):
        calls.append(1)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return whole(self, *arguments)

    monkeypatch.setattr(task, name, interrupted)
    config = settings(phantom, "machine.workers=0")
    with pytest.raises(Interrupted):
        train(config, runs=tmp_path, name="a")
    monkeypatch.setattr(task, name, whole)
    ours = state_of(train(settings(phantom, "machine.workers=2"), runs=tmp_path, name="a"))
    theirs = state_of(unbroken)
    for part in ("model", "ema", "task"):
        assert ours[part].keys() == theirs[part].keys()
        assert all(torch.equal(ours[part][key], theirs[part][key]) for key in theirs[part])
    assert len(theirs["task"]["rois"]) > 0
