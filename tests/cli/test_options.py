"""Options that several commands share: each setting that they name exists."""

from __future__ import annotations

from typing import get_args

import pytest

from midog.cli import options
from midog.cli.flags import SETTING
from midog.config.describe import about

SHARED = {
    name: get_args(value)[1] for name, value in vars(options).items() if name.endswith("Option")
}


@pytest.mark.parametrize("name", SHARED)
def test_every_option_has_words_a_panel_and_settings_that_exist(name):
    option = SHARED[name]
    assert option.help
    assert option.rich_help_panel
    for _, key in SETTING.findall(option.help):
        assert about(key).key == key


def test_limits_are_those_that_were_given():
    option = options.option("--size", "PX", "Size.", "Data", min=1, max=9)
    assert (option.min, option.max, option.metavar) == (1, 9, "PX")
    assert options.argument("NAME", "Name.").metavar == "NAME"
