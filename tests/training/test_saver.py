"""When a run is saved, and that what is on the disk always fits together."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import torch

from midog.config.schema import TrainSettings
from midog.errors import CheckpointError
from midog.training import saver as saving
from midog.training.checkpoint import read_checkpoint
from midog.training.runs import Run, read_state
from midog.training.saver import Saver
from tests.training.line_task import line_learner


def make(folder: Path, minutes: float = 5.0) -> Saver:
    return Saver(line_learner(TrainSettings()), Run(folder, resumes=False), {"steps": 3}, minutes)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when they are added."""
    now = [0.0]
    monkeypatch.setattr(saving.time, "monotonic", lambda: now[0])
    return now


def saved_step(folder: Path) -> int | None:
    path = folder / "last.ckpt"
    return read_checkpoint(path).state["progress"]["step"] if path.exists() else None


def test_a_save_is_due_after_some_minutes_wherever_the_training_is(tmp_path, clock):
    saver = make(tmp_path)
    for minute, step in ((4, None), (5, 5), (9, 5), (10, 10)):
        clock[0] = 60.0 * minute
        saver.learner.progress.step = minute
        saver.save_if_due()
        saver.wait()
        assert saved_step(tmp_path) == step


def test_without_minutes_every_end_of_an_epoch_is_saved(tmp_path, clock):
    saver = make(tmp_path, 0)
    clock[0] = 1e6
    saver.save_if_due()
    assert saved_step(tmp_path) is None
    saver.save_if_due(epoch_ended=True)
    saver.wait()
    assert saved_step(tmp_path) == 0


def test_the_state_is_that_of_the_call_whatever_the_training_does_meanwhile(tmp_path, monkeypatch):
    saver, write, go = make(tmp_path), saving.write_checkpoint, threading.Event()

    def slow(*arguments) -> None:
        assert go.wait(10)
        write(*arguments)

    monkeypatch.setattr(saving, "write_checkpoint", slow)
    before = saver.learner.network.weight.detach().clone()
    saver.save()
    with torch.no_grad():
        saver.learner.network.weight.add_(1)
    saver.learner.progress.losses["error"] = 1.0
    saver.save_if_due()  # the first one is not written: nothing is begun beside it
    go.set()
    saver.wait()
    state = read_checkpoint(tmp_path / "last.ckpt").state
    assert torch.equal(state["model"]["weight"], before)
    assert state["progress"]["losses"] == {}


def test_best_is_swapped_after_the_checkpoint_and_the_old_one_goes_last(tmp_path, monkeypatch):
    order = []
    for name in ("write_checkpoint", "point_link", "write_state"):
        real = getattr(saving, name)
        monkeypatch.setattr(
            saving, name, lambda *args, name=name, real=real: (order.append(name), real(*args))
        )
    monkeypatch.setattr(saving.shutil, "rmtree", lambda path, **_: order.append(path.name))
    for name in ("best-0001", "best-0002"):
        (tmp_path / name).mkdir()
    saver = make(tmp_path)
    saver.learner.progress.best_folder = "best-0002"
    with saver:
        saver.save()
    assert order == ["write_checkpoint", "point_link", "write_state", "best-0001"]
    assert os.readlink(tmp_path / "best") == "best-0002"
    assert read_state(tmp_path)["finished"] is False


def test_a_write_that_fails_is_raised_in_the_training(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise CheckpointError("last.ckpt cannot be written: the disk is full", "make room")

    monkeypatch.setattr(saving, "write_checkpoint", full)
    saver = make(tmp_path)
    saver.save()
    with pytest.raises(CheckpointError, match="disk is full"):
        saver.wait()
    saver.save()
    saver.join()
    with pytest.raises(CheckpointError, match="disk is full"):
        saver.save_if_due()


def test_another_error_is_not_hidden_by_one_of_the_write(tmp_path, monkeypatch, caplog):
    def full(*_: object) -> None:
        raise CheckpointError("the disk is full", "make room")

    monkeypatch.setattr(saving, "write_checkpoint", full)
    saver = make(tmp_path)
    saver.save()
    with pytest.raises(ValueError, match="first"), saver:
        raise ValueError("first")
    assert "the disk is full" in caplog.text
