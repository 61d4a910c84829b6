"""benchmarks/all_cnn.py: its rows, what it measures of a run, and its table."""

from __future__ import annotations

import math

import pytest

from benchmarks.all_cnn import OURS, Outcome, rows, run, settings
from midog.config.load import load_config
from tests.drawn_patches import SETTINGS, write_hdf5


def test_every_row_differs_from_an_end_by_one_published_thing():
    chosen = settings()
    published, ours = chosen.pop("as published"), chosen.pop("ours")
    assert ours == OURS
    assert not any(published[key] == OURS[key] for key in OURS)
    for name, own in chosen.items():
        end = published if name.startswith("published") else ours
        changed = {key for key in OURS if own[key] != end[key]}
        assert len({key.replace("input_", "") for key in changed}) in (1, 3), name
        assert all(own[key] in (published[key], ours[key]) for key in OURS)
    assert len(chosen) == 8


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return write_hdf5(tmp_path_factory.mktemp("patches"))


@pytest.mark.slow
def test_weight_decay_takes_the_weights_and_with_them_every_difference(drawn, tmp_path):
    short = {"data.dir": drawn, "train.epochs": 3, "train.clip_norm": 0.0}
    lost, kept = (
        run(load_config(None, SETTINGS, {**short, **own}), tmp_path, name)
        for name, own in (
            ("lost", {"train.optimizer": "sgd", "train.lr": 0.1, "train.weight_decay": 0.9}),
            ("kept", {}),
        )
    )
    assert lost.weights < 0.5 < kept.weights
    assert lost.spread < 1e-3 < kept.spread
    assert lost.loss == pytest.approx(math.log(2), abs=0.01)
    assert kept.auc > 0.9


def test_the_table_has_means_and_how_far_seeds_reach():
    own = [Outcome(0.5, 1.0, 2.0, 0.7), Outcome(0.7, 1.5, 3.0, 0.8)]
    lines = rows({"ours": own, "one": own[:1]})[2:]
    assert lines == [
        "| ours | 0.600 | 1.250 | 2.500 | 0.750 (0.700 - 0.800) |",
        "| one | 0.500 | 1.000 | 2.000 | 0.700 |",
    ]
