"""HTML pages from templates and values, and how numbers are written in them."""

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
"""Written for a number that is undefined or not known."""


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return a template of midog/report/templates, filled, as text.

    Args:
        template: File name of the template.
        values: By name; `version`, that of midog, is given to every page. What is no Markup is
            escaped.

    Raises:
        jinja2.UndefinedError: If the template uses a name that is not given.
    """
    return _environment().get_template(template).render({"version": __version__, **values})


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> None:
    """Write `render` to a file, whole or not at all.

    Args:
        path: The file.
        template: File name of the template.
        values: By name.

    Raises:
        MidogError: If the file cannot be written.
    """
    replace_text(path, render(template, values))


def number(value: float, places: int = 3, sign: bool = False) -> str:
    """Write a number for people, with a true minus, and a dash for NaN.

    Args:
        value: The number.
        places: Decimals.
        sign: Write a plus too.
    """
    if math.isnan(value):
        return UNDEFINED
    text = f"{value:{'+' if sign else ''}.{places}f}"
    return text.replace("-", "−")


def between(low: float, high: float, places: int = 3) -> str:
    """Write an interval, 0.810–0.890; with "to" where a minus would meet the dash; a dash alone for
    NaN."""
    if math.isnan(low) or math.isnan(high):
        return UNDEFINED
    return f"{number(low, places)}{' to ' if low < 0 or high < 0 else '–'}{number(high, places)}"


def count(amount: int, noun: str) -> str:
    """Write an amount with its noun: 1 ROI, 2 ROIs."""
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
