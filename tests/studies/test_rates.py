"""Seconds per update, measured once."""

from __future__ import annotations

import math

import pytest

from midog.config.load import load_config
from midog.data.folder import read_rois
from midog.errors import CheckpointError
from midog.studies import rates as module
from midog.studies.rates import Rates
from midog.training.identity import Identity
from tests.spoiled import TINY


@pytest.fixture
def trials(monkeypatch):
    """What was trained to measure: its config and ROIs."""
    asked = []

    def train(config, *, rois, runs, name):
        asked.append((config, rois))
        folder = runs_folder(runs) / name
        folder.mkdir()
        text = "epoch,step,train/patches_per_second\n1,20,1\n2,40,8\n"
        (folder / "metrics.csv").write_text(text)
        return folder

    monkeypatch.setattr(module, "train", train)
    return asked


def runs_folder(runs):
    from pathlib import Path

    return Path(runs)


def test_a_rate_is_measured_once_for_settings_that_take_the_same_time(trials, phantom, tmp_path):
    rois, said = read_rois(phantom), []
    rates = Rates(tmp_path, measure=True, say=said.append)
    config = load_config(None, TINY)
    assert rates.of(Identity(config, ""), rois) == 4 / 8, (
        "patches of an update, by the second epoch"
    )
    longer = config.with_values(train={"seed": 5, "epochs": 70})
    assert Rates(tmp_path, measure=False, say=said.append).of(Identity(longer, "x"), rois) == 0.5
    assert (len(trials), len(said)) == (1, 1)
    (trial, chosen), *_ = trials
    assert trial.train.epochs == 2
    assert sum(roi.split == "val" for roi in chosen) == 1
    rates.of(Identity(config.with_values(train={"batch_size": 2}), ""), rois)
    assert len(trials) == 2


def test_a_plan_alone_measures_nothing(trials, phantom, tmp_path):
    rates = Rates(tmp_path, measure=False, say=print)
    assert math.isnan(rates.of(Identity(load_config(None, TINY), ""), read_rois(phantom)))
    assert trials == []
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates" / "rates.json").write_text("[1]")
    with pytest.raises(CheckpointError, match=r"rates\.json.*delete it"):
        Rates(tmp_path, measure=False, say=print).of(Identity(load_config(), ""), [])
