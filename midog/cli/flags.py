"""The flag of a setting: errors name settings by key path, and the running command's options know
theirs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from midog.errors import assignment, setting_text

SETTING = re.compile(r"\{(=?)([a-z_0-9]+(?:\.[a-z_0-9]+)+)\}")
"""A setting in an option's help: `{train.epochs}` stands for its words, `{=train.epochs}` only
states that the option sets it."""


def setting_of(option: Any) -> str | None:
    """The key path of the setting that an option sets, which its help names in braces."""
    matched = SETTING.search(getattr(option, "help", None) or "")
    return matched[2] if matched else None


def flag_names(command: Any) -> Callable[[str, object], str]:
    """Writes a setting as `command` takes it, for `MidogError.line`.

    A setting or argument that has an option is named by it (`--batch-size 4`), another setting by
    `--set key=value`; what the command does not take is named as in Python.
    """
    options = {
        name: max(option.opts, key=len)
        for option in command.params
        if option.param_type_name == "option"
        for name in (option.name, setting_of(option))
        if name
    }

    def name(key: str, value: object) -> str:
        if key in options:
            wordless = value is None or value is True
            return options[key] if wordless else f"{options[key]} {setting_text(value)}"
        if "." in key and "overrides" in options:
            return f"{options['overrides']} {assignment(key, 'VALUE' if value is None else value)}"
        return assignment(key, value)

    return name
