"""The best model of a run: the first is kept, then only better ones; `best` is always whole."""

from __future__ import annotations

import math
import subprocess

import pytest

from midog.training.best import git_revision, is_better, replace_best


def test_best_is_a_link_onto_a_finished_folder_and_the_old_one_goes(tmp_path):
    for epoch in (1, 4, 4):
        folder = replace_best(tmp_path, epoch, lambda target: target.mkdir())
        assert (tmp_path / "best").resolve() == folder.resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "best-0004-1"]


def test_a_model_that_cannot_be_written_leaves_the_one_before(tmp_path):
    before = replace_best(tmp_path, 1, lambda target: target.mkdir())

    def fail(target) -> None:
        raise OSError

    with pytest.raises(OSError):
        replace_best(tmp_path, 2, fail)
    assert (tmp_path / "best").resolve() == before.resolve()


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
