"""The loop drives any task: it needs nothing of detection, and saves, keeps and stops alike."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from midog.config.load import load_config
from midog.config.schema import TrainSettings
from midog.training.log import read_metrics
from midog.training.loop import add_gradients, fit, is_due, train_epoch
from midog.training.runs import Run, read_state
from midog.training.saver import Saver
from tests.test_house import imports_of, modules
from tests.training.line_task import LineTask, line_learner, watch_of


def settings(*overrides: str) -> TrainSettings:
    small = ["train.epochs=3", "train.validate_every=1"]
    return load_config(None, [*small, *overrides]).train


def saver_of(learner, folder: Path) -> Saver:
    return Saver(learner, Run(folder, resumes=False), {"steps": 3}, 5.0)


def fit_line(folder: Path, task: LineTask, train: TrainSettings) -> dict:
    learner = line_learner(train)
    watch = watch_of(learner, folder, train.accumulate)
    fit(learner, task, train, watch, saver_of(learner, folder), "d1")
    return read_state(folder)


def test_the_loop_knows_no_detector_no_score_and_no_roi():
    reached, waiting = set(), ["midog.training.loop"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        others = {other for other in imports_of(modules()[name]) if "midog.config." not in other}
        waiting += others - reached  # the settings name every registry
    rooms = {name.split(".")[1] for name in reached}
    assert not rooms & {"inference", "metrics", "models", "loading", "data", "augment", "boxes"}
    text = modules()["midog.training.loop"].read_text().lower()
    assert not [word for word in ("f1", "roi", "detect", "threshold", "box") if word in text]


def test_the_best_score_is_kept_under_its_name(tmp_path):
    state = fit_line(tmp_path, LineTask(scores=(0.1, 0.7, 0.2)), settings())
    assert state == {
        "epoch": 3,
        "step": 9,
        "skipped": 0,
        "finished": True,
        "best_score": 0.7,
        "score_name": "closeness",
        "best_epoch": 2,
    }
    written = (tmp_path / "best" / "model.txt").read_text()
    assert written == "0.7 ['data', 'epoch', 'git', 'val']"
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row["val/closeness"] for row in rows] == ["0.1", "0.7", "0.2"]
    assert all(float(row["train/loss"]) == float(row["train/loss_error"]) for row in rows)


def test_patience_counts_validations_without_a_better_score(tmp_path):
    state = fit_line(
        tmp_path, LineTask(scores=(0.3, 0.3)), settings("train.epochs=9", "train.patience=2")
    )
    assert (state["epoch"], state["best_epoch"]) == (3, 1)


def test_a_score_of_nothing_is_kept_as_0(tmp_path):
    state = fit_line(tmp_path, LineTask(scores=(math.nan,)), settings("train.epochs=1"))
    assert state["best_score"] == 0


def test_an_update_takes_the_mean_gradient_of_its_batches():
    train, task = settings(), LineTask()
    learner = line_learner(train)
    batches = list(task.batches(1, start=0, rank=0, world=1))[:2]
    for number, batch in enumerate(batches):
        add_gradients(learner, task, batch, 2, is_update=number == 1)
    summed = learner.network.weight.grad.clone()
    learner.optimizer.zero_grad()
    losses = [task.losses(learner.network, batch)["error"] for batch in batches]
    torch.stack(losses).mean().backward()
    assert torch.allclose(summed, learner.network.weight.grad)


def test_the_last_update_of_an_epoch_takes_the_batches_that_are_left(tmp_path):
    train = settings("train.accumulate=2")
    learner = line_learner(train)
    watch, saver = watch_of(learner, tmp_path, 2), saver_of(learner, tmp_path)
    train_epoch(learner, LineTask(steps=3), train, watch, saver)
    assert (learner.progress.step, learner.progress.batch) == (2, 3)


@pytest.mark.parametrize(("every", "due"), [(1, [0, 1, 2, 3, 4]), (2, [1, 3, 4]), (9, [4])])
def test_validations_are_due_every_few_epochs_and_at_the_end(every, due):
    train = settings("train.epochs=5", f"train.validate_every={every}")
    assert [epoch for epoch in range(5) if is_due(epoch, train)] == due


def test_a_finished_run_is_only_saved(tmp_path):
    train = settings()
    learner = line_learner(train)
    learner.progress.finished = True
    fit(learner, LineTask(), train, watch_of(learner, tmp_path), saver_of(learner, tmp_path), "d1")
    assert json.loads((tmp_path / "state.json").read_text())["finished"] is True
    assert not (tmp_path / "metrics.csv").exists()
