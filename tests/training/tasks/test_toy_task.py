"""A new task is one file and one entry: its settings, training, model and words, through `midog`.

The toy task predicts the mean brightness of a patch.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from midog.config.schema import RunConfig
from midog.data.folder import data_fingerprint, read_rois
from midog.data.roi import Roi
from midog.files import replacing_folder
from midog.json_text import to_json
from midog.training.log import read_metrics
from midog.training.runs import newest_model, read_state
from midog.training.tasks.registry import TASKS, TaskEntry, TaskSettings
from midog.training.tasks.task import Validation
from tests.spoiled import one_line, settings

# --- the task: what a contributor writes into midog/training/tasks/toy.py


class ToySettings(TaskSettings):
    """Settings of the toy task."""

    kind: str = "toy"
    width: int = Field(4, ge=1, le=64, description="channels of the toy network")


@dataclass(frozen=True)
class ToyData:
    """The ROIs of a toy training."""

    config: RunConfig
    rois: list[Roi]

    @property
    def fingerprint(self) -> str:
        return data_fingerprint(self.rois)

    def describe(self) -> list[str]:
        width = self.config.task.model_dump()["width"]
        return [f"toy: {len(self.rois)} ROIs, a network of {width} channels"]

    def open(self, device: torch.device) -> ToyTask:
        images = {
            role: [tifffile.imread(roi.path) for roi in self.rois if roi.split == role]
            for role in ("train", "val")
        }
        return ToyTask(self.config, images, device)


class ToyTask:
    """Learns the mean brightness of patches, in [0, 1]."""

    def __init__(
        self, config: RunConfig, images: Mapping[str, list[np.ndarray]], device: torch.device
    ) -> None:
        self.config, self.images, self.device = config, images, device

    def build(self, *, pretrained: bool) -> nn.Module:
        width = self.config.task.model_dump()["width"]
        pooled = nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(pooled, nn.Linear(width, 1))

    def compile(self, network: nn.Module) -> None:
        network.compile()

    def steps_per_epoch(self, world: int) -> int:
        return 3

    def batches(self, epoch: int, *, start: int, rank: int, world: int) -> Iterator[Tensor]:
        for step in range(start, self.steps_per_epoch(world)):
            places = self.locations(epoch, step, rank=rank, world=world)
            yield self._patches("train", places)

    def losses(self, network: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        images = batch.to(self.device).permute(0, 3, 1, 2) / 255
        errors = network(images)[:, 0] - images.mean(dim=(1, 2, 3))
        return {"brightness": errors.square().mean()}

    @torch.no_grad()
    def validate(self, network: nn.Module, fabric: Any, check: Callable[[], None]) -> Validation:
        network.eval()
        loss = float(
            self.losses(network, self._patches("val", self._draw([7], "val")))["brightness"]
        )
        check()
        score = 1 / (1 + loss)
        return Validation(score, "closeness", {"val/closeness": score}, f"closeness {score:.3f}")

    def package(
        self, network: nn.Module, validation: Validation, folder: Path, info: Mapping[str, Any]
    ) -> None:
        card = {"task": "toy", "config": self.config.to_dict(), **info}
        with replacing_folder(folder) as part:
            state = {name: value.contiguous() for name, value in network.state_dict().items()}
            save_file(state, part / "model.safetensors")
            (part / "model.json").write_text(to_json(card))

    def example(self, size: int) -> Tensor:
        side = self.config.sampling.patch_size
        return torch.zeros(size, side, side, 3)

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        return self._draw([self.config.train.seed, epoch, step * world + rank], "train")

    def _draw(self, seed: list[int], role: str) -> list[dict[str, Any]]:
        rng, side = np.random.default_rng(seed), self.config.sampling.patch_size
        images = self.images[role]
        numbers = rng.integers(len(images), size=self.config.train.batch_size).tolist()
        return [
            {"roi": roi, "x": int(rng.integers(images[roi].shape[1] - side))} for roi in numbers
        ]

    def _patches(self, role: str, places: list[dict[str, Any]]) -> Tensor:
        side, images = self.config.sampling.patch_size, self.images[role]
        patches = [images[place["roi"]][:side, place["x"] :][:, :side] for place in places]
        return torch.from_numpy(np.stack(patches)).float()


def read_toy_data(config: RunConfig, rois: Iterable[Roi] | None) -> ToyData:
    return ToyData(config, list(read_rois(config.data.dir) if rois is None else rois))


# --- the entry


@pytest.fixture(autouse=True)
def toy(monkeypatch) -> None:
    entry = TaskEntry("mean brightness of a patch", ToySettings, read_toy_data, "look at {data}")
    monkeypatch.setitem(TASKS, "toy", entry)


@pytest.fixture
def words(tiny) -> list[str]:
    """Options of a toy training of two epochs."""
    return settings([*tiny, "task.kind=toy", "train.epochs=2", "train.validate_every=1"])


def test_it_trains_and_keeps_a_model_of_its_own(midog, tmp_path, phantom, words):
    ran = midog("train", "--runs", tmp_path, "--name", "a", *words, "--set", "task.width=3")
    assert ran.code == 0, ran.err
    state = read_state(tmp_path / "a")
    assert (state["epoch"], state["finished"], state["score_name"]) == (2, True, "closeness")
    assert 0 < state["best_score"] <= 1
    rows = read_metrics(tmp_path / "a" / "metrics.csv")
    assert {"train/loss_brightness", "val/closeness"} <= rows[-1].keys()
    card = json.loads((tmp_path / "a" / "best" / "model.json").read_text())
    assert card["task"] == "toy"
    assert card["config"]["task"] == {"kind": "toy", "width": 3}
    assert len(load_file(tmp_path / "a" / "best" / "model.safetensors")["0.0.bias"]) == 3
    assert "epoch 2/2" in ran.err
    assert "best closeness on val" in ran.err
    assert f"next: look at {phantom}" in ran.err


def test_it_resumes_to_the_same_weights(midog, tmp_path, words, monkeypatch):
    assert midog("train", "--runs", tmp_path, "--name", "whole", *words).code == 0
    losses, calls = ToyTask.losses, []

    def interrupted(self, network, batch):
        calls.append(len(batch))
        if len(calls) == 5:  # in the second epoch: after three batches and a validation
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(self, network, batch)

    monkeypatch.setattr(ToyTask, "losses", interrupted)
    train = ["train", "--runs", tmp_path, "--name", "broken", *words]
    assert midog(*train).code == 128 + signal.SIGTERM
    assert not read_state(tmp_path / "broken")["finished"]
    monkeypatch.setattr(ToyTask, "losses", losses)
    ran = midog(*train)
    assert ran.code == 0, ran.err
    assert "at epoch 2 of 2, batch 2" in ran.err
    whole, broken = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["model"]
        for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_a_dry_run_describes_it(midog, words):
    ran = midog("train", "--dry-run", *words, "--set", "task.width=5")
    assert ran.code == 0, ran.err
    assert "task: {kind: toy, width: 5}" in ran.out
    assert "a network of 5 channels" in ran.out


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("task.width=0", "task.width is 0"),
        ("task.wdith=3", "unknown key task.wdith (did you mean task.width?)"),
        (
            "task.kind=toys",
            "task.kind is 'toys': choose detection, adversarial, verify, patches or"
            " toy (did you mean toy?)",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(midog, tmp_path, words, override, says):
    ran = midog("train", "--runs", tmp_path / "runs", *words, "--set", override)
    assert says in one_line(ran)
    assert not (tmp_path / "runs").exists()


def test_its_words_are_shown_where_tasks_and_settings_are(midog):
    listing = midog("settings", "task").out
    assert "toy: mean brightness of a patch [settings: width]" in listing
    assert "task.width = 4" in listing
    assert "Channels of the toy network" in listing
    assert "toy: mean brightness of a patch" in midog("settings", "--yaml").out


def test_a_loss_that_is_not_finite_names_its_locations(midog, tmp_path, words):
    broken = settings(
        ["train.lr=1e30", "train.clip_norm=0", "train.optimizer=sgd", "train.max_skipped=0"]
    )
    ran = midog("train", "--runs", tmp_path, "--name", "a", *words, *broken)
    assert "nonfinite.json" in one_line(ran)
    record = json.loads((tmp_path / "a" / "nonfinite.json").read_text())
    assert [place.keys() for place in record["patches"]] == [{"roi", "x"}] * 4


def test_detection_does_not_take_its_model(midog, tmp_path, phantom, words):
    runs = tmp_path / "runs"
    assert midog("train", "--runs", runs, "--name", "a", *words).code == 0
    image, out = phantom / "images" / "001.tiff", tmp_path / "out"
    newest = midog("infer", image, "--runs", runs, "--out", out)
    assert "has no trained model of task detection, only of toy" in one_line(newest)
    given = midog("infer", image, "--model", runs / "a", "--out", out)
    assert "is of a model of task toy; give a model of task detection" in one_line(given)
    assert newest_model(runs, task="toy") == (runs / "a" / "best").resolve()
