"""The section `sampling`: its shares are at most one draw, its policies are the registry's."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from midog.config import schema
from midog.config.sampling import SamplingSettings


def test_the_schema_offers_it():
    assert schema.SamplingSettings is SamplingSettings


def test_shares_of_draws_are_at_most_all_draws():
    assert SamplingSettings(p_mitotic=0.75, p_imposter=0.25).p_mitotic == 0.75
    with pytest.raises(ValidationError, match=r"p_mitotic \+ p_imposter = 1.1 is over 1"):
        SamplingSettings(p_mitotic=0.75, p_imposter=0.35)


def test_the_share_of_false_alarms_counts_where_they_are_mined():
    shares = {"p_mitotic": 0.5, "p_imposter": 0.3, "p_mined": 0.3}
    SamplingSettings(**shares)
    with pytest.raises(ValidationError, match=r"p_mitotic \+ p_imposter \+ p_mined = 1.1 is over"):
        SamplingSettings(**shares, mine_every=5)
    SamplingSettings(p_mitotic=0.1, p_imposter=0.2, p_mined=0.7, mine_every=5)
