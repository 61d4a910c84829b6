"""The sections `train` and `machine`: they are the schema's, and every number is bounded."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from midog.config import schema
from midog.config.training import MachineSettings, TrainSettings


def test_the_schema_offers_them():
    assert schema.TrainSettings is TrainSettings
    assert schema.MachineSettings is MachineSettings


def test_nothing_is_waited_for_where_nothing_is_chosen():
    assert TrainSettings(best="smoothed", patience=3).patience == 3
    with pytest.raises(ValidationError, match="best=last never looks for"):
        TrainSettings(best="last", patience=3)


@pytest.mark.parametrize("values", [{"lr": 0}, {"epochs": 1_000_001}, {"clip_norm": -1}])
def test_numbers_out_of_range_are_refused(values):
    with pytest.raises(ValidationError):
        TrainSettings(**values)
