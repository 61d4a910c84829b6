"""The folders of runs: their list, their state, their lock, and the newest model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from midog.errors import WeightsError
from midog.files import point_link
from midog.training.runs import (
    find_run,
    is_finished,
    is_locked,
    list_runs,
    locked,
    newest_model,
    read_state,
)
from tests.training.test_resume import start


def test_a_lock_is_seen_while_it_is_held(tmp_path):
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_lists_resolve_links_and_drop_doubles(tmp_path):
    folder = start(tmp_path, name="a")
    assert list_runs(tmp_path) == [folder.resolve()]
    assert find_run(tmp_path, "a") is not None
    assert find_run(tmp_path, "b") is None


def save_model(folder: Path, task: str) -> Path:
    best = folder / "best-0001"
    best.mkdir()
    (best / "model.json").write_text(json.dumps({"task": task}))
    point_link(folder / "best", best)
    return best.resolve()


def test_the_newest_model_is_that_of_the_newest_run_that_has_one(tmp_path):
    with pytest.raises(WeightsError, match="midog train"):
        newest_model(tmp_path, task="detection")
    best = save_model(start(tmp_path, name="old"), "detection")
    time.sleep(0.01)
    start(tmp_path, "train.lr=0.5", name="new")
    assert newest_model(tmp_path, task="detection") == best


def test_a_model_of_another_task_is_passed_over_and_named_where_there_is_no_other(tmp_path):
    other = save_model(start(tmp_path, "train.lr=0.5", name="other"), "colours")
    with pytest.raises(WeightsError, match="no trained model of task detection, only of colours"):
        newest_model(tmp_path, task="detection")
    assert newest_model(tmp_path, task="colours") == other
    time.sleep(0.01)
    (start(tmp_path, "train.lr=0.4", name="damaged") / "best").mkdir()
    best = save_model(start(tmp_path, "train.lr=0.3", name="ours"), "detection")
    save_model(start(tmp_path, "train.lr=0.2", name="newest"), "colours")
    assert newest_model(tmp_path, task="detection") == best


def test_a_link_is_swapped_onto_another_folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        point_link(tmp_path / "link", tmp_path / name)
        assert (tmp_path / "link").resolve() == (tmp_path / name).resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "one", "two"]


def test_a_damaged_state_is_no_state(tmp_path):
    (tmp_path / "state.json").write_text("{")
    assert read_state(tmp_path) == {}
    assert not is_finished(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"finished": "yes"}',
        '{"epoch": "three"}',
        '{"best_score": "high"}',
        "[" * 10_000 + "]" * 10_000,
        '{"epoch": ' + "9" * 5000 + "}",
        "\0\0",
    ],
)
def test_a_damaged_state_says_nothing(tmp_path, content):
    (tmp_path / "state.json").write_text(content)
    assert read_state(tmp_path) == {}
    assert not is_finished(tmp_path)
