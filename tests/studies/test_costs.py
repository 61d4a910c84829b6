"""What a training cost, from its run's files."""

from __future__ import annotations

import math

import pytest

from midog.config.load import load_config
from midog.studies.costs import Cost, cost_of, mean_cost, summed_cost, timed


def test_updates_patches_and_seconds_are_those_of_metrics_csv(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,step,train/patches_per_second\n1,10,40\n2,30,20\n")
    cost = cost_of(tmp_path, load_config(None, ["train.batch_size=4", "train.accumulate=2"]).train)
    assert (cost.updates, cost.patches) == (30, 240)
    assert cost.update_seconds == pytest.approx(80 / 40 + 160 / 20)
    assert math.isnan(cost.seconds), "nobody noted them"


def test_the_time_of_interrupted_parts_adds_up(tmp_path):
    with pytest.raises(KeyboardInterrupt), timed(tmp_path):
        raise KeyboardInterrupt
    first = cost_of(tmp_path, load_config().train).seconds
    with timed(tmp_path):
        pass
    assert cost_of(tmp_path, load_config().train).seconds >= first >= 0


def test_a_run_that_was_never_made_notes_nothing(tmp_path):
    with timed(tmp_path / "none"):
        pass
    assert not (tmp_path / "none").exists()


def test_the_mean_of_none_is_undefined():
    both = [Cost(1, 2, 3, 4), Cost(3, 4, 5, 6)]
    assert (mean_cost(both), summed_cost(both)) == (Cost(2, 3, 4, 5), Cost(4, 6, 8, 10))
    assert math.isnan(mean_cost([]).updates)
