"""A run resumed with other settings: which may change, and where its schedule goes on."""

from __future__ import annotations

import json

import pytest

from midog.config.load import load_config, resumable_keys
from midog.config.schema import TrainSettings
from midog.config.settings import OnResume
from midog.errors import ConfigError
from midog.training.changes import Changes, adapt, differing, record_changes
from midog.training.checkpoint import TrainingProgress
from midog.training.identity import Identity


def identity(*overrides: str) -> Identity:
    return Identity(load_config(None, overrides), "d1")


def test_what_may_change_is_marked_in_the_schema():
    assert resumable_keys(OnResume.ASKED) == [
        "train.epochs",
        "train.batch_size",
        "train.accumulate",
        "train.lr",
        "train.patience",
        "machine.precision",
    ]
    with pytest.raises(ConfigError, match=r"train\.seed cannot be changed for a run that exists"):
        Changes({"train.seed": 1})


def test_the_run_keeps_what_may_change_and_is_not_named():
    own = identity("train.lr=0.5", "train.patience=3", "machine.workers=0")
    settled = Changes({"train.patience": 4}).applied(identity("machine.workers=1"), own).config
    assert (settled.train.lr, settled.train.patience, settled.machine.workers) == (0.5, 4, 1)
    assert differing(own, Identity(settled, "d1")) == {"train.patience": (3, 4)}


def test_a_value_out_of_range_is_named():
    with pytest.raises(ConfigError, match=r"train\.lr is -1"):
        Changes({"train.lr": -1}).applied(identity(), identity())


@pytest.mark.parametrize(
    ("before", "now", "batch", "steps", "expected"),
    [
        ({}, {"lr": 0.5}, 3, (10, 10), (3, 0)),  # batch, and the schedule's lead on the 23 updates
        ({}, {"epochs": 9}, 3, (10, 10), (3, 0)),
        ({"batch_size": 4}, {"batch_size": 2}, 3, (10, 20), (0, 17)),
        ({"batch_size": 4}, {"batch_size": 2}, 10, (10, 20), (20, 37)),
        ({}, {"accumulate": 2}, 3, (10, 10), (2, -12)),
    ],
)
def test_the_schedule_goes_on_at_this_epoch(before, now, batch, steps, expected):
    progress = TrainingProgress(epoch=2, batch=batch, step=23, losses={"a": 1.0})
    adapt(progress, TrainSettings(**before), TrainSettings(**now), *steps)
    assert (progress.batch, progress.schedule_offset) == expected
    assert progress.losses == ({} if not progress.batch else {"a": steps[1] / steps[0]})


def test_changes_are_recorded_one_after_the_other(tmp_path, caplog):
    for epoch in (3, 5):
        record_changes(tmp_path, TrainingProgress(epoch=epoch), {"train.lr": (0.1, 0.01)})
    entries = json.loads((tmp_path / "changes.json").read_text())
    assert [entry["epoch"] for entry in entries] == [4, 6]
    (tmp_path / "changes.json").write_text("[1]")
    record_changes(tmp_path, TrainingProgress(), {"train.lr": (0.1, 0.01)})
    assert "it is written anew" in caplog.text
