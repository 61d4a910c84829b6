"""metrics.csv and what is dropped when epochs are trained again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from midog.training.checkpoint import TrainingProgress
from midog.training.log import RunLog, read_metrics
from midog.training.tasks.task import PrecisionRecall, Validation


def open_log(folder, epoch=0, step=0):
    return RunLog(folder, epochs=5, epoch=epoch, step=step, console=Console(file=io.StringIO()))


def test_rows_of_epochs_that_are_trained_again_are_dropped(tmp_path):
    log = open_log(tmp_path)
    for epoch in (1, 2, 3):
        log.epoch({"epoch": epoch, "step": 10 * epoch, "train/loss": 1 / epoch}, None)
    log.close()
    log = open_log(tmp_path, epoch=2)
    line = "a line  [/x] \x1b[2J :smile:"  # as a scanner may be named
    log.epoch({"epoch": 3, "step": 30, "train/loss": 0.1, "val/f1": float("nan")}, line)
    log.close()
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [(row["epoch"], row["train/loss"]) for row in rows] == [
        ("1", "1"),
        ("2", "0.5"),
        ("3", "0.1"),
    ]
    assert rows[2]["val/f1"] == "", "an F1 of nothing is empty, not 0 or 1"
    assert "a line  [/x] \\x1b[2J :smile:\n" in log.console.file.getvalue()


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


def test_an_epoch_is_reported_with_its_mean_losses_and_its_validation(tmp_path):
    log = open_log(tmp_path)
    counts, ratios = np.array([2, 1, 0]), np.array([1.0, 0.5, 0.0])
    validation = Validation(
        score=0.5,
        score_name="closeness",
        scalars={"val/closeness": 0.5},
        line="closeness 0.5",
        curve=PrecisionRecall(counts, counts, counts, ratios, ratios),
        pictures=[np.zeros((4, 4, 3), np.uint8)],
    )
    progress = TrainingProgress(epoch=1, batch=4, step=8, losses={"a": 2.0, "b": 1.0}, best_epoch=1)
    log.report(progress, 0.1, {"train/patches_per_second": 12.0}, validation)
    log.close()
    row = read_metrics(tmp_path / "metrics.csv")[0]
    assert (row["epoch"], row["train/loss"], row["train/loss_a"]) == ("2", "0.75", "0.5")
    line = "epoch 2/5  loss 0.750  closeness 0.5  12 patches/s  best"
    assert line in log.console.file.getvalue()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    assert [event.step for event in events.Tensors("val/pr_curve")] == [8]
    assert events.Tags()["images"] == ["val/patch_0"]


def test_an_epoch_without_validation_has_its_row_and_no_line(tmp_path):
    log = open_log(tmp_path)
    progress = TrainingProgress(batch=2, step=2, losses={"a": 1.0})
    log.report(progress, 0.1, {"train/patches_per_second": 12.0}, None)
    log.close()
    assert read_metrics(tmp_path / "metrics.csv")[0]["train/loss"] == "0.5"
    assert "loss" not in log.console.file.getvalue()


def test_an_epoch_of_which_no_loss_is_finite_has_none(tmp_path):
    log = open_log(tmp_path)
    progress = TrainingProgress(batch=2, step=2, losses={"a": 0.0}, lost=2)
    log.report(progress, 0.1, {"train/patches_per_second": 12.0}, None)
    log.close()
    assert read_metrics(tmp_path / "metrics.csv")[0]["train/loss"] == ""


@pytest.mark.parametrize(
    "spoil", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n")]
)
def test_a_file_that_a_spreadsheet_saved_is_read(tmp_path, spoil):
    log = open_log(tmp_path)
    for epoch in (1, 2):
        log.epoch({"epoch": epoch, "step": 10 * epoch}, None)
    log.close()
    path = tmp_path / "metrics.csv"
    path.write_bytes(spoil(path.read_text()).encode())
    log = open_log(tmp_path, epoch=1)
    log.epoch({"epoch": 2, "step": 20}, None)
    log.close()
    assert path.read_text() == "epoch,step\n1,10\n2,20\n"


@pytest.mark.parametrize(
    "content",
    ["epoch;step\n1;10\n", "a,b\n1,2\n", "epoch\nx\n", "epoch\n1,2\n", "epoch\n-1\n", '"', "\0"],
)
def test_a_file_that_is_no_table_is_set_aside(tmp_path, content, caplog):
    (tmp_path / "metrics.csv").write_text(content)
    log = open_log(tmp_path, epoch=1)
    log.epoch({"epoch": 2, "step": 20}, None)
    log.close()
    assert (tmp_path / "metrics.csv").read_text() == "epoch,step\n2,20\n"
    assert "it is renamed to metrics~1.csv" in caplog.text
    assert (tmp_path / "metrics~1.csv").read_text() == content
