"""What every setting means, from the schema: for the help, for listings, and as default.yaml."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from midog.config.load import chosen_of, inner_classes, known_keys
from midog.config.schema import RunConfig
from midog.config.settings import HasSettings, Settings, near
from midog.errors import ConfigError

_COLUMN = 32
_WIDTH = 100
_HEADER = """\
# The defaults, every key with what it means. Copy what you change into a file of your own:
# `midog train --config my.yaml` overlays it on these, and `--set train.lr=0.0003` overlays that.
# Made from the schema by scripts/make_default_yaml.py.
"""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Args:
        key: Its key path, such as "train.lr".
        default: Its value where none is written, of plain types.
        description: What it means, with its unit.
        choices: What it may be, where that is a list; empty else.
        limits: The range of a number, such as "0 to 1"; empty if there is none.
    """

    key: str
    default: Any
    description: str
    choices: tuple[str, ...] = ()
    limits: str = ""

    @property
    def words(self) -> str:
        """The description, with the choices that it does not mention."""
        return _with_choices(self.description, self.choices)

    @property
    def shown(self) -> str:
        """The default in YAML, on one line."""
        return _flow(self.default)


def about(key: str) -> Setting:
    """Describe one setting by its key path.

    Raises:
        ConfigError: For a key path that does not exist.
    """
    for setting in all_settings():
        if setting.key == key:
            return setting
    raise ConfigError(
        f"unknown setting {key}{near(key, known_keys())}", "`midog settings` lists all"
    )


def all_settings() -> list[Setting]:
    """Every setting of a run with the default kinds, then those of the other kinds, each once."""
    settings: dict[str, Setting] = {}
    for setting in [*_of_default(RunConfig(), ""), *_of_every_kind(RunConfig, "")]:
        settings.setdefault(setting.key, setting)
    return list(settings.values())


def kinds() -> dict[str, Mapping[str, HasSettings]]:
    """The registries of settings that are chosen by kind, by key path: "model", "task", …"""
    registries: dict[str, Mapping[str, HasSettings]] = {}
    _find_kinds(RunConfig, "", registries)
    return registries


def default_yaml() -> str:
    """The text of configs/default.yaml: every setting with its default and its description."""
    return _HEADER + "".join(
        "\n" + _section_yaml(name, field, getattr(RunConfig(), name))
        for name, field in RunConfig.model_fields.items()
    )


def _of_default(
    section: Settings, path: str, registry: Mapping[str, HasSettings] | None = None
) -> Iterator[Setting]:
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), f"{path}{name}"
        if isinstance(value, Settings):
            yield from _of_default(value, f"{key}.", _registry_of(field))
        else:
            yield _describe(key, field, value, registry)


def _of_every_kind(
    kind: type[Settings], path: str, registry: Mapping[str, HasSettings] | None = None
) -> Iterator[Setting]:
    for name, field in kind.model_fields.items():
        inner, key = inner_classes(field), f"{path}{name}"
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Settings):  # a kind inside another kind than the default
            yield from _of_default(default, f"{key}.", _registry_of(field))
        for choice in inner:
            yield from _of_every_kind(choice, f"{key}.", _registry_of(field))
        if not inner:
            yield _describe(key, field, default, registry)


def _registry_of(field: FieldInfo) -> Mapping[str, HasSettings] | None:
    """The registry by which the class of a field's section is chosen; None if it is not."""
    chosen = chosen_of(field)
    return None if chosen is None or chosen.kinds is None else chosen.kinds()


def _describe(
    key: str, field: FieldInfo, value: Any, registry: Mapping[str, HasSettings] | None
) -> Setting:
    """Describe a field; `registry` is that of its section."""
    if key.endswith(".kind") and registry is not None:
        return Setting(key, value, "kind", tuple(registry))
    if value is PydanticUndefined:
        value = None
    plain = TypeAdapter(Any).dump_python(value, mode="json")
    choices = _choices(field.annotation)
    return Setting(key, plain, field.description or "", choices, _limits(field))


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(str(choice) for choice in get_args(annotation))
    return ()


def _limits(field: FieldInfo) -> str:
    """The range of a field's number in words."""
    bounds = {
        name: getattr(mark, name)
        for mark in field.metadata
        for name in ("ge", "gt", "le", "lt", "multiple_of")
        if getattr(mark, name, None) is not None
    }
    if "ge" in bounds and "le" in bounds:
        words = [f"{bounds['ge']} to {bounds['le']}"]
    else:
        names = {"ge": "at least", "gt": "over", "le": "at most", "lt": "under"}
        words = [f"{text} {bounds[name]}" for name, text in names.items() if name in bounds]
    words += [f"a multiple of {bounds['multiple_of']}"] if "multiple_of" in bounds else []
    return ", ".join(words)


def _with_choices(description: str, choices: tuple[str, ...]) -> str:
    missing = [choice for choice in choices if choice not in description]
    return f"{description} ({', '.join(choices)})" if missing else description


def _find_kinds(
    kind: type[Settings], path: str, registries: dict[str, Mapping[str, HasSettings]]
) -> None:
    for name, field in kind.model_fields.items():
        if (registry := _registry_of(field)) is not None:
            registries.setdefault(f"{path}{name}", registry)
        for inner in inner_classes(field):
            _find_kinds(inner, f"{path}{name}.", registries)


def _section_yaml(name: str, field: FieldInfo, section: Settings, indent: str = "") -> str:
    registry = _registry_of(field)
    lines = [f"{indent}{name}:"]
    if indent and registry is None and field.description:
        lines = [*_comment(field.description, indent), *lines]
    for key, inner in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, Settings):
            lines.append(_section_yaml(key, inner, value, indent + "  ").rstrip("\n"))
            continue
        comment = _with_choices(inner.description or "", _choices(inner.annotation))
        if key == "kind" and registry is not None:
            comment = "; ".join(f"{kind}: {entry.about}" for kind, entry in registry.items())
        lines += _value_yaml(key, value, comment, indent + "  ")
    return "\n".join(lines) + "\n"


def _value_yaml(key: str, value: Any, comment: str, indent: str) -> list[str]:
    """Lines of one setting: its comment behind it where it fits, else above it."""
    plain = TypeAdapter(Any).dump_python(value, mode="json")
    rows = [f"{indent}{key}: {_flow(plain)}"]
    if plain and isinstance(plain, list) and isinstance(plain[0], list):
        rows = [f"{indent}{key}:", *(f"{indent}  - {_flow(row)}" for row in plain)]
    line = f"{rows[0]:<{_COLUMN}} # {comment}"
    if len(rows) == 1 and len(line) <= _WIDTH:
        return [line]
    return [*_comment(comment, indent), *rows]


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}# {part}" for part in textwrap.wrap(text, _WIDTH - len(indent) - 2)]


def _flow(value: Any) -> str:
    """A plain value in YAML, on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")
