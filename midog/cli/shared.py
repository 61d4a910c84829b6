"""What the commands share: settings from options, tables, results and stops."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import typer

from midog.cli.terminal import say, show, show_text
from midog.errors import escaped, shortened
from midog.signals import exit_code

if TYPE_CHECKING:
    from midog.config.schema import RunConfig
    from midog.metrics.hotspot import HotspotSettings

_DIGITS = 18  # more are no number of anything


def load_settings(
    config: str | None, overrides: list[str] | None, values: Mapping[str, object]
) -> RunConfig:
    """Read the settings of a run.

    Args:
        config: A YAML file, or the name of a shipped one; None: the defaults.
        overrides: What `--set` was given: `key.path=value`, overlays the file.
        values: What other options were given, by key path; overlays both. None: not given.
    """
    from midog.config.load import load_config

    given = {key: value for key, value in values.items() if value is not None}
    return load_config(config, overrides or [], given)


def training_settings(
    config: str | None,
    overrides: list[str] | None,
    *,
    data: Sequence[Path] | None,
    split: str | None,
    classes: str | None,
    epochs: int | None,
    seed: int | None,
    device: str | None,
    task: str | None = None,
    detector: Path | None = None,
    candidates: Path | None = None,
) -> RunConfig:
    """Read the settings of a command that trains; arguments as its options, see `load_settings`."""
    values = {
        "data.dir": data or None,
        "data.split": split,
        "data.classes": classes,
        "train.epochs": epochs,
        "train.seed": seed,
        "machine.device": device,
        "task.kind": task,
        "task.detector": detector,
        "task.candidates": candidates,
    }
    return load_settings(config, overrides, values)


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """Print columns on stdout, numbers to the right; the same in a terminal, a pipe and a file."""
    table = [[shortened(escaped(cell), 600) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        cells = [
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        show("  ".join(cells).rstrip())


class Result(Protocol):
    """What a command computed."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""


ResultT = TypeVar("ResultT", bound=Result)


def print_result(result: ResultT, as_json: bool, print_as_table: Callable[[ResultT], None]) -> None:
    """Print a result on stdout, as JSON or as a table."""
    if as_json:
        from midog.json_text import to_json

        show_text(to_json(result.to_dict()))
    else:
        print_as_table(result)


def number(value: float, sign: str = "") -> str:
    """Three decimals, "-" for NaN; sign "+" shows that of a positive number."""
    return "-" if math.isnan(value) else f"{value:{sign}.3f}"


def number_or_auto(text: str | None, option: str) -> int | Literal["auto"] | None:
    """Read an option's value, a number or "auto".

    Raises:
        typer.BadParameter: If it is neither: a wrong command line.
    """
    if text is None or (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return None if text is None else int(text)
    if text == "auto":
        return "auto"
    raise typer.BadParameter(f"{text!r} is neither a number nor auto", param_hint=option)


@contextmanager
def stoppable(hint: str) -> Iterator[None]:
    """On Ctrl-C or SIGTERM print how to continue, and exit as shells expect."""
    try:
        yield
    except KeyboardInterrupt as stop:
        say(hint)
        raise typer.Exit(exit_code(getattr(stop, "signum", None))) from None


def is_first() -> bool:
    """Whether this process speaks for all: it does, unless it is another than the first of a
    training's processes. What the environment says of ranks says nothing: any Slurm shell has
    it."""
    torch: Any = sys.modules.get("torch")
    distributed = None if torch is None else torch.distributed
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return True
    return bool(distributed.get_rank() == 0)


def hotspot_wanted(area_mm2: float | None, shape: str) -> HotspotSettings | None:
    """Return the hotspot that is asked for; None where no area is given.

    Raises:
        DetectionsError: For an area or a shape that is none.
    """
    from midog.metrics.hotspot import HotspotSettings

    return None if area_mm2 is None else HotspotSettings(area_mm2, shape)
