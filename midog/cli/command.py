"""How a command behaves: its help in panels, its errors with its own flags, loaded when used."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from midog.cli.flags import flag_names
from midog.cli.words import lists_in, words_of
from midog.errors import MidogError


class Command(TyperCommand):
    """A command whose help has panels and whose errors name its own flags."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MidogError as error:
            named = type(error)(error.line(flag_names(self)))
            named.of_all_ranks = error.of_all_ranks
            raise named from error

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(self.get_params(ctx), formatter)
        texts = [getattr(parameter, "help", None) or "" for parameter in self.params]
        for name, entries in lists_in(texts).items():
            _write_panels({name.capitalize(): list(entries.items())}, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [one for one in self.params if one.param_type_name == "argument"]
        return ["[OPTIONS]", *map(_names, arguments)]

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        for option in self.params:
            if option.help:  # type: ignore[attr-defined]  # every parameter of typer has one
                option.help = words_of(option.help)  # type: ignore[attr-defined]
        return super().shell_complete(ctx, incomplete)


class Group(TyperGroup):
    """A group of commands, listed before its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        self.format_commands(ctx, formatter)
        write_options(self.get_params(ctx), formatter)


@dataclass(frozen=True)
class Entry:
    """A command of `midog`.

    Args:
        panel: The panel of `midog --help` that lists it.
        about: Its sentence there, the first one of its own help.
        where: "module:name" of the function or typer app, imported when the command is used.
    """

    panel: str
    about: str
    where: str


class LazyGroup(Group):
    """The commands of a registry, in its order and panels; importing it imports none of them."""

    entries: Mapping[str, Entry] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        if cmd_name not in self.commands:
            module, name = entry.where.split(":")
            self.commands[cmd_name] = _built(
                cmd_name, getattr(importlib.import_module(module), name)
            )
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.entries and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.entries)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(len(name) for name in self.entries)
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, entry in self.entries.items():
            panels.setdefault(entry.panel, []).append((name.ljust(width), entry.about))
        _write_panels(panels, formatter)


def write_options(parameters: Iterable[Any], formatter: Any) -> None:
    """Write arguments, then options panel by panel in the order of their declaration; those
    without a panel come last."""
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": []}
    last: list[tuple[str, str]] = []
    for parameter in parameters:
        if getattr(parameter, "hidden", False):
            continue
        panel = getattr(parameter, "rich_help_panel", None)
        row = (_names(parameter), _text(parameter))
        if parameter.param_type_name == "argument":
            panels["Arguments"].append(row)
        elif panel:
            panels.setdefault(panel, []).append(row)
        else:
            last.append(row)
    _write_panels({**panels, "Options" if len(panels) == 1 else "Other": last}, formatter)


def _write_panels(panels: Mapping[str, list[tuple[str, str]]], formatter: Any) -> None:
    """Sections whose second columns start at the same place in all of them."""
    widest = max(len(name) for rows in panels.values() for name, _ in rows)
    for panel, rows in panels.items():
        if rows:
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(min(widest, 24)), text) for name, text in rows], 24)


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper())
    names = ", ".join(sorted(parameter.opts, key=len))
    return names if parameter.is_flag or parameter.count else f"{names} {parameter.metavar}"


def _text(parameter: Any) -> str:
    text = words_of(getattr(parameter, "help", None) or "")
    default = parameter.default
    shown = getattr(parameter, "show_default", True) and "[default:" not in text
    if not shown or default is None or default is False or callable(default):
        return text
    return f"{text} [default: {default}]"


def _built(name: str, command: Any) -> Any:
    """The click command of a function or of a typer app."""
    if not isinstance(command, typer.Typer):
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, cls=Command)(command)
        command = app
    built = typer.main.get_command(command)
    built.name = name
    return built
