"""Runs and models of earlier versions keep their meaning; what is written now has that of now."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from midog.config import earlier
from midog.config.load import load_config, parse_config
from midog.config.schema import RunConfig


def before(imposters: str = "ignore") -> dict[str, Any]:
    """All settings of a run, as they were written when `ignore` left imposters out."""
    tree = RunConfig().to_dict()
    for key in ("best", "best_smoothing", "average_last"):
        del tree["train"][key]
    tree["sampling"]["imposters"] = imposters
    return tree


@pytest.fixture
def log(caplog, monkeypatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(earlier, "_say", earlier._say.__wrapped__)
    caplog.set_level(logging.INFO)
    return caplog


def write(path: Path, tree: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(tree))
    return path


def test_a_run_of_before_left_them_out_and_a_line_says_so(tmp_path, log):
    path = write(tmp_path / "config.yaml", before())
    assert load_config(path).sampling.imposters == "leave_out"
    assert len(log.messages) == 1
    assert str(path) in log.messages[0]
    assert "leave_out" in log.messages[0]
    assert parse_config(before(), "model.json").sampling.imposters == "leave_out"
    assert "model.json" in log.messages[1]


def test_what_is_written_now_is_read_as_it_is(tmp_path, log):
    now = RunConfig().with_values(sampling={"imposters": "ignore"})
    assert load_config(write(tmp_path / "config.yaml", now.to_dict())) == now
    own = write(tmp_path / "my.yaml", {"sampling": {"imposters": "ignore"}})
    assert load_config(own).sampling.imposters == "ignore"
    assert load_config(None, ["sampling.imposters=ignore"]).sampling.imposters == "ignore"
    assert log.messages == []


@pytest.mark.parametrize("imposters", ["ignore", "hard_negative"])
def test_an_override_of_a_run_of_before_has_its_meaning_of_now(tmp_path, imposters):
    path = write(tmp_path / "config.yaml", before(imposters))
    assert load_config(path, ["sampling.imposters=ignore"]).sampling.imposters == "ignore"
    assert load_config(path).train.best == "score"


@pytest.mark.parametrize("tree", [None, 3, {"data": 1, "model": 2, "machine": 3, "inference": 4}])
def test_what_is_no_config_is_left_to_whoever_reads_it(tree):
    assert earlier.as_now_written(tree, "x") == tree
