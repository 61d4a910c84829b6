"""The best model of a run: the first is kept, then only better ones; it fits the checkpoint."""

from __future__ import annotations

import math
import subprocess

import pytest

from midog.config.schema import TrainSettings
from midog.training.best import (
    git_revision,
    is_better,
    keep_if_best,
    new_folder,
    restore_best,
    smoothed,
)
from midog.training.checkpoint import TrainingProgress
from midog.training.tasks.task import Validation
from tests.training.line_task import LineTask, line_learner


def validation(score: float) -> Validation:
    return Validation(score, "closeness", {}, "")


def test_a_better_model_has_a_folder_of_its_own_and_the_progress_names_it(tmp_path):
    learner = line_learner(TrainSettings())
    for score, name in ((0.4, "best-0001"), (0.3, "best-0001"), (0.5, "best-0001-1")):
        keep_if_best(learner, LineTask(), validation(score), TrainSettings(), tmp_path, "d1")
        assert learner.progress.best_folder == name
    assert not (tmp_path / "best").exists(), "it is pointed to once it is in a checkpoint"


def test_a_model_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    learner = line_learner(TrainSettings())
    keep_if_best(learner, LineTask(), validation(0.4), TrainSettings(), tmp_path, "d1")

    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(LineTask, "package", fail)
    with pytest.raises(OSError):
        keep_if_best(learner, LineTask(), validation(0.5), TrainSettings(), tmp_path, "d1")
    assert learner.progress.best_folder == "best-0001"


def test_a_folder_of_the_same_epoch_is_not_written_over(tmp_path):
    assert new_folder(tmp_path, 4).name == "best-0004"
    (tmp_path / "best-0004").mkdir()
    assert new_folder(tmp_path, 4).name == "best-0004-1"


def test_a_resumed_run_has_the_best_model_of_its_checkpoint(tmp_path):
    for name in ("best-0004", "best-0008"):
        (tmp_path / name).mkdir()
    (tmp_path / "best").symlink_to("best-0008")
    progress = TrainingProgress(best_score=0.5, best_epoch=3, best_folder="best-0004")
    restore_best(tmp_path, progress)
    assert (tmp_path / "best").resolve().name == "best-0004"


def test_a_best_model_that_is_gone_is_forgotten_with_its_score(tmp_path, caplog):
    progress = TrainingProgress(best_score=0.5, best_epoch=3, best_folder="best-0004")
    restore_best(tmp_path, progress)
    assert math.isnan(progress.best_score)
    assert "best-0004 is missing" in caplog.text


def test_the_first_model_is_kept_and_only_better_ones_after_it():
    nan = math.nan
    assert is_better(0.0, nan)
    assert is_better(nan, nan)
    assert is_better(0.5, 0.4)
    assert not is_better(0.4, 0.4)
    assert not is_better(nan, 0.0)


def test_the_revision_is_none_where_git_does_not_answer(monkeypatch):
    def fail(*_, **__):
        raise subprocess.TimeoutExpired("git", 10)

    monkeypatch.setattr(subprocess, "run", fail)
    assert git_revision() is None


def test_the_running_mean_begins_with_the_first_score_and_counts_nothing_as_0():
    assert smoothed(math.nan, 0.4, 0.75) == 0.4
    assert smoothed(0.4, 0.8, 0.75) == pytest.approx(0.5)
    assert smoothed(0.4, math.nan, 0.75) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("best", "kept", "stale"), [("score", 0.9, 2), ("smoothed", 0.7, 0), ("last", 0.7, 0)]
)
def test_a_lucky_validation_is_the_best_only_by_its_raw_score(tmp_path, best, kept, stale):
    """Running means with half of each kept: 0.2, 0.55, 0.575, 0.6375."""
    settings, learner = TrainSettings(best=best, best_smoothing=0.5), line_learner(TrainSettings())
    for score in (0.2, 0.9, 0.6, 0.7):
        said = keep_if_best(learner, LineTask(), validation(score), settings, tmp_path, "d1")
    assert learner.progress.best_score == kept
    assert learner.progress.stale == stale
    assert learner.progress.smoothed_score == pytest.approx(0.6375)
    smooth = {"val/smoothed_score": pytest.approx(0.6375)} if best == "smoothed" else {}
    assert said.scalars == smooth


def test_a_falling_running_mean_is_not_the_best_though_its_score_is(tmp_path):
    settings, learner = (
        TrainSettings(best="smoothed", best_smoothing=0.8),
        line_learner(TrainSettings()),
    )
    for score in (0.6, 0.7, 0.1, 0.71):
        keep_if_best(learner, LineTask(), validation(score), settings, tmp_path, "d1")
    assert learner.progress.best_score == 0.7
