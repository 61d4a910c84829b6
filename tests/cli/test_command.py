"""How commands behave: panels of their help, and that they are imported when they are used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from midog.cli.command import Command, Entry, LazyGroup
from midog.cli.options import argument, option

MODULE = '''"""A command in a file of its own."""

from typing import Annotated

from midog.cli.options import option
from midog.errors import DataError


def greet(name: Annotated[str, option("--name", "WHO", "Who.", "People")] = "you") -> None:
    """Greet somebody."""
    if name == "nobody":
        raise DataError("nobody is there", "", {"name": "somebody"})
    print(f"hello {name}")
'''


@pytest.fixture
def lazy(tmp_path, monkeypatch):
    """A command line whose only command is in a module that nobody has imported yet."""
    (tmp_path / "greeting_command.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)

    listed = {"greet": Entry("People", "Greet somebody.", "greeting_command:greet")}
    Commands = type("Commands", (LazyGroup,), {"entries": listed})
    app = typer.Typer(cls=Commands, rich_markup_mode=None, add_completion=False)

    @app.callback()
    def root() -> None:
        """Commands."""

    yield typer.main.get_command(app)
    sys.modules.pop("greeting_command", None)


def run(command, *words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        command(args=list(words), prog_name="tool")
    return int(stop.value.code or 0)


def test_a_command_is_imported_when_it_is_used_and_not_for_the_list(lazy, capsys):
    assert run(lazy, "--help") == 0
    assert "People:\n  greet  Greet somebody.\n" in capsys.readouterr().out
    assert "greeting_command" not in sys.modules
    assert run(lazy, "greet", "--name", "me") == 0
    assert capsys.readouterr().out == "hello me\n"


def test_an_error_names_the_flags_of_the_command(lazy):
    from midog.errors import DataError

    with pytest.raises(DataError, match="nobody is there; use --name somebody"):
        lazy(args=["greet", "--name", "nobody"], prog_name="tool")


@pytest.mark.parametrize(
    ("word", "hint"), [("gret", "'gret'. Did you mean greet?"), ("zzz", "No such command 'zzz'.")]
)
def test_a_wrong_name_is_answered_with_the_nearest(lazy, capsys, word, hint):
    assert run(lazy, word) == 2
    assert hint in capsys.readouterr().err


def many(
    files: Annotated[list[Path], argument("FILES...", "Files.")],
    width: Annotated[int, option("--width", "PX", "Width.", "Size", min=1)] = 7,
    name: Annotated[str | None, option("--name", "NAME", "Name.", "Words")] = None,
    height: Annotated[int | None, option("--height", "PX", "Height. [default: w]", "Size")] = None,
    quick: Annotated[bool, option("--quick", None, "Quick.", "Rarely needed")] = False,
) -> None:
    """Do many things."""


def test_options_stand_in_panels_in_the_order_of_declaration(capsys):
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(cls=Command)(many)
    assert run(typer.main.get_command(app), "--help") == 0
    assert (
        capsys.readouterr().out
        == """\
Usage: tool [OPTIONS] FILES...

  Do many things.

Arguments:
  FILES...     Files.

Size:
  --width PX   Width. [default: 7]
  --height PX  Height. [default: w]

Words:
  --name NAME  Name.

Rarely needed:
  --quick      Quick.

Other:
  --help       Show this message and exit.
"""
    )


def test_completion_shows_words_and_no_key_paths():
    app = typer.Typer(rich_markup_mode=None, add_completion=False)

    @app.command(cls=Command)
    def fit(epochs: Annotated[int, option("--epochs", "N", "{train.epochs}", "A")] = 1) -> None:
        """Fit."""

    command = typer.main.get_command(app)
    context = command.make_context("fit", [])
    (item,) = command.shell_complete(context, "--epo")
    assert item.value == "--epochs"
    assert "{" not in str(item.help)
