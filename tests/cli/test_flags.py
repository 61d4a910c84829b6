"""An error names a setting by the flag of the command that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer

from midog.cli.command import Command
from midog.cli.flags import flag_names, setting_of
from midog.errors import DataError, MidogError

BatchOption = Annotated[int, typer.Option("--batch-size", help="{inference.batch_size}")]
SetOption = Annotated[list[str] | None, typer.Option("--set")]
ClearOption = Annotated[bool, typer.Option("--overwrite")]
RunsOption = Annotated[Path, typer.Option("-r", "--runs", help="Folder of {runs}")]


def command(function):
    app = typer.Typer(add_completion=False)
    app.command(cls=Command)(function)
    return typer.main.get_command(app)


@command
def with_set(
    batch_size: BatchOption = 1,
    overrides: SetOption = None,
    overwrite: ClearOption = False,
    runs: RunsOption = Path("runs"),
) -> None:
    raise DataError("full", "", {"inference.batch_size": 4, "machine.compile": False})


@command
def without(batch_size: BatchOption = 1) -> None:
    raise DataError("full", "or {overwrite}", {"train.lr": 0.1, "overwrite": True})


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("inference.batch_size", 4, "--batch-size 4"),
        ("batch_size", None, "--batch-size"),
        ("overwrite", True, "--overwrite"),
        ("runs", "other", "--runs other"),
        ("machine.compile", True, "--set machine.compile=true"),
        ("train.lr", None, "--set train.lr=VALUE"),
        ("mpp", 0.25, "mpp=0.25"),
    ],
)
def test_a_setting_is_its_flag_or_set_or_as_in_python(key, value, text):
    assert flag_names(with_set)(key, value) == text


def test_a_command_without_set_names_other_settings_by_key_path():
    assert flag_names(without)("train.lr", 0.1) == "train.lr=0.1"


def test_an_error_of_a_command_keeps_its_kind_and_names_flags():
    with pytest.raises(DataError) as raised:
        with_set(args=[], standalone_mode=False)
    assert str(raised.value) == "full; use --batch-size 4 --set machine.compile=false"
    assert isinstance(raised.value.__cause__, MidogError)
    with pytest.raises(DataError, match=r"^full; or overwrite=True, or use train.lr=0\.1$"):
        without(args=[], standalone_mode=False)


def test_the_setting_of_an_option_stands_in_its_help():
    options = {option.name: setting_of(option) for option in with_set.params}
    assert options["batch_size"] == "inference.batch_size"
    assert options["runs"] is None
    assert options["overrides"] is None
