"""The plan of a benchmark."""

from __future__ import annotations

import pytest

from midog.bench.plan import with_settings
from midog.config.schema import RunConfig
from midog.errors import ConfigError


def test_the_first_config_is_the_one_that_counts(plan):
    assert plan.config is plan.configs["small"]


def test_the_limit_of_convolutions_is_their_rate_over_the_work(plan):
    assert plan.conv_limit("bfloat16", 50.0) == ("convolutions in bfloat16", 4.0)


def test_settings_are_laid_over_a_config_and_checked():
    changed = with_settings(RunConfig(), machine={"workers": 7}, model={"weights": "none"})
    assert (changed.machine.workers, changed.model.weights) == (7, "none")
    assert changed.sampling == RunConfig().sampling
    with pytest.raises(ConfigError):
        with_settings(RunConfig(), machine={"workers": -1})
