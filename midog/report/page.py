"""From values to an HTML page: the templates, and how numbers are written in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from midog._version import __version__
from midog.files import replace_text

UNDEFINED = "–"
"""Stands where a number is not defined or not known."""


def render(template: str, values: Mapping[str, Any]) -> str:
    """A template of midog/report/templates with `values` by name, as text.

    Every page knows `version`, the version of midog. What is no Markup is escaped; a name that is
    neither given nor known is an error (jinja2.UndefinedError).
    """
    return _environment().get_template(template).render({"version": __version__, **values})


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> None:
    """Write `render` to a file, whole or not at all. Raises MidogError where that cannot be."""
    replace_text(path, render(template, values))


def number(value: float, places: int = 3, sign: bool = False) -> str:
    """A number for people: that many decimals, a true minus, and a dash for NaN. sign: shows that
    of any number."""
    if math.isnan(value):
        return UNDEFINED
    text = f"{value:{'+' if sign else ''}.{places}f}"
    return text.replace("-", "−")


def between(low: float, high: float, places: int = 3) -> str:
    """An interval, 0.810–0.890; with "to" where a minus would meet the dash; a dash alone where it
    is not known."""
    if math.isnan(low) or math.isnan(high):
        return UNDEFINED
    return f"{number(low, places)}{' to ' if low < 0 or high < 0 else '–'}{number(high, places)}"


def count(amount: int, noun: str) -> str:
    """1 ROI, 2 ROIs."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("midog.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=number, count=count)
    environment.globals["between"] = between
    return environment
