"""metrics.csv and what is dropped when epochs are trained again."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from midog.metrics.points import RoiPoints
from midog.metrics.sweep import sweep
from midog.training.log import RunLog, read_metrics


def open_log(folder, epoch=0, step=0):
    return RunLog(folder, epochs=5, epoch=epoch, step=step, console=Console(file=io.StringIO()))


def test_rows_of_epochs_that_are_trained_again_are_dropped(tmp_path):
    log = open_log(tmp_path)
    for epoch in (1, 2, 3):
        log.epoch({"epoch": epoch, "step": 10 * epoch, "train/loss": 1 / epoch}, None)
    log.close()
    log = open_log(tmp_path, epoch=2)
    log.epoch({"epoch": 3, "step": 30, "train/loss": 0.1, "val/f1": float("nan")}, "a line")
    log.close()
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [(row["epoch"], row["train/loss"]) for row in rows] == [
        ("1", "1"),
        ("2", "0.5"),
        ("3", "0.1"),
    ]
    assert rows[2]["val/f1"] == "", "an F1 of nothing is empty, not 0 or 1"
    assert "a line" in log.console.file.getvalue()


def test_events_beyond_the_step_of_a_resume_are_purged_and_nan_is_left_out(tmp_path):
    log = open_log(tmp_path)
    for step in (1, 2, 3):
        log.scalars({"loss": step, "f1": float("nan")}, step)
    log.close()
    log = open_log(tmp_path, epoch=2, step=2)
    log.scalars({"loss": 30}, 3)
    log.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (1, 1),
        (2, 2),
        (3, 30),
    ]
    assert "f1" not in events.Tags()["scalars"]


def test_the_curve_of_nothing_and_of_something(tmp_path):
    log = open_log(tmp_path)
    nothing = np.zeros((0, 2))
    log.curve(sweep([RoiPoints(nothing, nothing, np.zeros(0))]), 1)
    points = np.array([[0.1, 0.1], [0.2, 0.2]])
    log.curve(sweep([RoiPoints(points, points, np.array([0.9, 0.4]))]), 2)
    log.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    assert [event.step for event in events.Tensors("val/pr_curve")] == [2]
