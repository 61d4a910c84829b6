"""Settings of an op with a share: off at 0, and a number is short for the share."""

from __future__ import annotations

import pytest

from midog.config.load import load_config
from midog.errors import ConfigError


@pytest.mark.parametrize("written", ["0.5", "'0.5'", "{share: 0.5}"])
def test_a_number_is_short_for_the_share(written):
    augment = load_config(None, [f"augment.fda={written}"]).augment
    assert (augment.fda.share, augment.fda.beta) == (0.5, 0.01)
    assert augment.fda
    assert not load_config(None, ["augment.fda=0"]).augment.fda


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("2", "augment.fda.share"),
        ("true", "augment.fda"),
        ("some", "augment.fda.share"),
        ("{bet: 1}", "augment.fda.bet"),
    ],
)
def test_what_is_no_share_is_named(written, named):
    with pytest.raises(ConfigError, match=named):
        load_config(None, [f"augment.fda={written}"])
