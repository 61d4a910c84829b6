"""What the commands share: options that mean the same everywhere, and how things are said."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar

import typer

from midog.files import to_json

if TYPE_CHECKING:
    from midog.config.schema import RunConfig

DataOption = Annotated[
    Path, typer.Option("--data", help="Data folder: images/, one annotation file, split.csv.")
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split", help="Split CSV, or a shipped one such as midog21. [default: DATA/split.csv]"
    ),
]
BboxOption = Annotated[
    Literal["auto", "xyxy", "xywh"],
    typer.Option("--bbox", help="How the annotation file writes boxes."),
]
AnnotationsOption = Annotated[
    Path | None,
    typer.Option("--annotations", help="Annotation file. [default: the only one in DATA]"),
]
MppOption = Annotated[
    float | None,
    typer.Option("--mpp", min=0.01, max=100, help="um/px of the images; overrules all else."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
RunsOption = Annotated[Path, typer.Option("--runs", help="Folder of runs.")]


def load_settings(
    config: str | None, overrides: list[str] | None, options: Mapping[str, object]
) -> RunConfig:
    """The config of a file or shipped name, overlaid by --set and by the options that were given,
    by key path."""
    from midog.config.load import load_config

    given = [
        f"{key}={json.dumps(str(value))}" for key, value in options.items() if value is not None
    ]
    return load_config(config, [*(overrides or []), *given])


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """Columns on stdout, numbers to the right; the same in a terminal, a pipe and a file."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        cells = [
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


class Result(Protocol):
    """What a command found."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""


Found = TypeVar("Found", bound=Result)


def print_result(result: Found, as_json: bool, print_as_table: Callable[[Found], None]) -> None:
    """The result on stdout, as JSON or as a table."""
    if as_json:
        typer.echo(to_json(result.to_dict()), nl=False)
    else:
        print_as_table(result)


def number(value: float, sign: str = "") -> str:
    """Three decimals, "-" for NaN; sign "+" shows that of a positive number."""
    return "-" if math.isnan(value) else f"{value:{sign}.3f}"


def number_or_auto(text: str | None, option: str) -> int | Literal["auto"] | None:
    """What an option says; a wrong command line where it is neither a number nor auto."""
    if text is None or text.isdigit():
        return None if text is None else int(text)
    if text == "auto":
        return "auto"
    raise typer.BadParameter(f"{text!r} is neither a number nor auto", param_hint=option)


@contextmanager
def stoppable(hint: str) -> Iterator[None]:
    """On Ctrl-C (or a SIGTERM that a run noted) say how to go on, and exit as shells expect: 130
    (143)."""
    try:
        yield
    except KeyboardInterrupt as stop:
        say(hint)
        raise typer.Exit(128 + getattr(stop, "signum", signal.SIGINT)) from None


def say(line: str) -> None:
    typer.echo(line, err=True)


def fail(line: str, debug: bool) -> None:
    if debug:
        raise
    if is_first():
        say(f"error: {line}")
    sys.exit(1)


def is_first() -> bool:
    """Whether this is the process that speaks, where a training runs as many."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
