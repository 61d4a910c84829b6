"""Asks the checkout that is being imported for its functions and the spelling of its settings."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from golden.spellings import FUNCTIONS, SETTINGS


@cache
def find(name: str) -> Any:
    """The function or class that the checkout has by that name, or by one that FUNCTIONS lists.

    Raises LookupError where there is none, or where several modules define one.
    """
    for place in FUNCTIONS.get(name, ()):
        module, _, attribute = place.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError):
            continue
    homes = [module for module, text in _sources().items() if _defines(text, name)]
    if len(homes) != 1:
        raise LookupError(f"{name} is defined in {', '.join(homes) or 'no module'}")
    return getattr(importlib.import_module(homes[0]), name)


def spell(settings: Mapping[str, str]) -> list[str]:
    """The overrides `key=value` of settings that are given by their keys of before.

    Raises LookupError for a setting that it takes in no spelling.
    """
    from midog import MidogError, load_config

    chosen: list[str] = []
    for key, value in settings.items():
        for template in (f"{key}={{}}", *SETTINGS.get(key, ())):
            overrides = template.replace("{}", value).split(";")
            try:
                load_config(None, [*chosen, *overrides])
            except MidogError as refused:
                reason = refused
                continue
            chosen += overrides
            break
        else:
            raise LookupError(f"no spelling of {key} is accepted: {reason}")
    return chosen


def shipped_settings(names: Sequence[str]) -> dict[str, Any]:
    """All settings of shipped configs, nested, by the config's name."""
    from midog import load_config

    return {name: load_config(name).to_dict() for name in names}


@cache
def _sources() -> dict[str, str]:
    """The text of each module of the package."""
    import midog

    root = Path(midog.__path__[0])
    paths = {path.relative_to(root.parent).with_suffix(""): path for path in root.rglob("*.py")}
    return {".".join(name.parts): path.read_text() for name, path in sorted(paths.items())}


def _defines(text: str, name: str) -> bool:
    return re.search(rf"^(def|class) {name}\b", text, re.MULTILINE) is not None
