"""A study run: shared trainings once, done ones skipped, failures named, the table written."""

from __future__ import annotations

import csv
import json
import signal

import pytest

from midog.errors import TrainingError
from midog.locks import being_written, held_file
from midog.studies import trainings
from midog.studies.run import write_table
from midog.studies.store import read_result
from midog.training.interrupts import Interrupted
from midog.training.runs import is_finished
from tests.studies.small import planned, work


def test_a_study_trains_each_training_once_tests_each_detector_and_writes_its_table(
    quick, phantom, tmp_path
):
    said: list[str] = []
    rows = {"base": None, "same": {"about": "as base"}, "hot": {"set": {"train.lr": 0.1}}}
    plan = planned(tmp_path, phantom, rows=rows, seeds=[0, 1])
    done = work(plan, tmp_path, said)
    assert (done.held, done.failed) == ([], {})
    assert [line for line in quick if not line.startswith("test")] == [
        "base-all-s0",
        "base-all-s1",
        "hot-all-s0",
        "hot-all-s1",
    ]
    assert quick[1] == "test base, all, seed 0", "as soon as it is trained"
    assert said[0].startswith("[1/4] base-all-s0-")
    result = write_table(tmp_path / "s", resamples=10)
    assert result.choice.row == "base"
    assert [(row.name, row.trained, row.trainings) for row in result.rows] == [
        ("base", 2, 2),
        ("same", 2, 2),
        ("hot", 2, 2),
    ]
    assert result.rows[0].cost.updates == 10
    files = tmp_path / "s"
    rows = list(csv.DictReader((files / "table.csv").open()))
    assert {row["row"] for row in rows} == {"base", "same", "hot"}
    assert json.loads((files / "table.json").read_text())["choice"]["row"] == "base"
    again: list[str] = []
    before = list(quick)
    work(planned(tmp_path, phantom, rows={"base": None}, seeds=[0, 1]), tmp_path, again)
    assert quick == before, "what is done is skipped"
    assert all(line.endswith("is done") for line in again)


def test_a_training_that_fails_is_named_and_the_others_are_done(
    quick, phantom, tmp_path, monkeypatch
):
    train = trainings.train

    def fail(config, *, name, **rest):
        if name.startswith("base"):
            raise TrainingError("the loss is not finite")
        return train(config, name=name, **rest)

    monkeypatch.setattr(trainings, "train", fail)
    said: list[str] = []
    rows = {"base": None, "hot": {"set": {"train.lr": 0.1}}}
    done = work(planned(tmp_path, phantom, rows=rows), tmp_path, said)
    (name,) = done.failed
    assert name.startswith("base-all-s0")
    assert any("failed: the loss is not finite" in line for line in said)
    result = read_result(tmp_path / "s", resamples=0)
    assert [row.trained for row in result.rows] == [0, 1]
    assert (result.choice.row, result.choice.waiting) == ("", ("base",))


def test_trainings_of_another_process_are_looked_at_twice_and_left(quick, phantom, tmp_path):
    plan, said = planned(tmp_path, phantom), []
    locks = tmp_path / "s" / "runs" / ".splits"
    locks.mkdir(parents=True)
    lock = locks / f".{plan.trainings[0].key}.lock"
    with held_file(lock, being_written(lock)):
        done = work(plan, tmp_path, said)
    assert done.held == [plan.trainings[0].name]
    assert [line for line in quick if not line.startswith("test")] == ["hot-all-s0"]
    assert work(plan, tmp_path, said).held == []
    assert "baseline-all-s0" in quick


def test_a_row_that_is_added_later_trains_only_what_is_new(quick, phantom, tmp_path):
    work(planned(tmp_path, phantom, rows={"a": None}), tmp_path, [])
    rows = {"new": {"set": {"train.lr": 0.1}}, "renamed": None}
    work(planned(tmp_path, phantom, rows=rows), tmp_path, [])
    assert [line for line in quick if not line.startswith("test")] == ["a-all-s0", "new-all-s0"]


def test_a_study_is_interrupted_resumed_and_detects_for_real(phantom, tmp_path, monkeypatch):
    """One small training, with Ctrl-C in it, and real detections."""
    from midog.training import loop

    train_epoch, pressed = loop.train_epoch, []

    def interrupted(learner, task, settings, watch, saver):
        if learner.progress.epoch == 1 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)
        return train_epoch(learner, task, settings, watch, saver)

    monkeypatch.setattr(loop, "train_epoch", interrupted)
    plan = planned(
        tmp_path,
        phantom,
        rows={"r": {"set": {"train.epochs": 2, "train.validate_every": 2}}},
        tests={"c": {"data": "phantom", "where": {"scanner": "Phantom C"}}},
    )
    with pytest.raises(Interrupted):
        work(plan, tmp_path, [])
    (folder,) = (tmp_path / "s" / "runs").glob(f"*-{plan.trainings[0].key}")
    assert not is_finished(folder)
    assert read_result(tmp_path / "s", resamples=0).lines == ()
    said: list[str] = []
    assert work(plan, tmp_path, said).failed == {}
    assert is_finished(folder)
    assert said[-1] == "testing r, all, seed 0 on val, c"
    result = read_result(tmp_path / "s", resamples=10)
    assert {(line.test, line.scanners) for line in result.lines if line.is_summary} == {
        ("val", "seen"),
        ("c", "unseen"),
    }
    assert result.rows[0].cost.seconds > 0
    detections = tmp_path / "s" / "detections" / plan.detectors[0].key / "phantom"
    assert len(list(detections.glob("*.json"))) >= 3
