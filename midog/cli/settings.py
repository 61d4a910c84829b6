"""`midog settings`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from midog.cli.options import OUTPUT, argument, option
from midog.cli.terminal import show, show_text
from midog.cli.words import sentence

if TYPE_CHECKING:
    from midog.config.describe import Setting

_WIDTH = 96


def settings(
    keys: Annotated[
        list[str] | None,
        argument("[KEY]...", "Settings or sections, such as train or model.backbone."),
    ] = None,
    as_yaml: Annotated[
        bool, option("--yaml", None, "Print the defaults as a YAML file for --config.", OUTPUT)
    ] = False,
) -> None:
    """List the settings of a run: default, range and meaning.

    Any of them is set by `--set KEY=VALUE` or in a YAML file for `--config`.
    """
    from midog.config.describe import about, all_settings, default_yaml

    if as_yaml:
        show_text(default_yaml())
        return
    listed = all_settings()
    for key in keys or []:
        if not any(_within(setting.key, key) for setting in listed):
            about(key)  # raises, and names the nearest
    for setting in listed:
        if not keys or any(_within(setting.key, key) for key in keys):
            for line in lines_of(setting):
                show(line)


def lines_of(setting: Setting) -> Iterator[str]:
    """Lines of a setting: `key = default`, its description, and each of its kinds."""
    from midog.config.describe import kinds

    section, _, last = setting.key.rpartition(".")
    registry = kinds().get(section, {}) if last == "kind" else {}
    yield f"{setting.key} = {setting.shown}"
    if not registry:
        words = sentence(setting.words) + (f" [{setting.limits}]" if setting.limits else "")
        yield from textwrap.wrap(words, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    for name, entry in registry.items():
        own = ", ".join(field for field in entry.settings.model_fields if field != "kind")
        words = f"{name}: {entry.about}" + (f" [settings: {own}]" if own else "")
        yield from textwrap.wrap(words, _WIDTH, initial_indent="    ", subsequent_indent="      ")


def _within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")
