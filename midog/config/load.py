"""From YAML files, dotted overrides and values to a RunConfig; errors name the key path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from midog.config.earlier import as_now_written
from midog.config.schema import RunConfig
from midog.config.settings import Chosen, OnResume, Settings, UnknownKind
from midog.config.shipped import find_config
from midog.config.yaml_text import parse_yaml, read_yaml
from midog.errors import ConfigError, shortened

_MOST_DOTS = 20
_MOST_NAMED = 10
"""Wrong keys that an error names."""
_LONGEST = 200
"""Characters of a wrong value that an error shows."""

Section = TypeVar("Section", bound=Settings)


def load_config(
    path: Path | str | None = None,
    overrides: Iterable[str] = (),
    values: Mapping[str, Any] | None = None,
) -> RunConfig:
    """Read settings: the defaults, overlaid by a file, by overrides, and by values.

    Args:
        path: A YAML file, or the name of a shipped one.
        overrides: `key.path=value` each, the value in YAML.
        values: Python values by key path, such as {"train.seed": 1}; these win.

    Raises:
        ConfigError: One line with every wrong key; unknown ones with the nearest key that exists.
    """
    tree = {}
    if path is not None:
        tree = as_now_written(_read_file(find_config(path)), str(path))
    for override in overrides:
        _set_dotted(tree, *parse_override(override))
    for key, value in (values or {}).items():
        _set_dotted(tree, key, value)
    return parse_config(tree, source=str(path or "settings"))


def parse_config(tree: Any, source: str = "settings") -> RunConfig:
    """Make a RunConfig of nested plain values.

    Args:
        tree: Sections by name, each of plain values by key; what is missing has its default.
        source: Where they come from, named in errors.

    Raises:
        ConfigError: One line with every wrong key.
    """
    errors: list[str] = []
    config = parse_section(RunConfig, as_now_written(tree, source), "", errors)
    if config is None:
        named = [line for line in errors if line][:_MOST_NAMED]
        more = len(errors) - len(named)
        rest = [f"and {more} more"] if more else []
        raise ConfigError(f"{source}: {'; '.join([*named, *rest])}")
    return config


def parse_section(kind: type[Section], tree: Any, path: str, errors: list[str]) -> Section | None:
    """Make a section of plain values, inner sections first, each by the class chosen for it.

    Args:
        kind: Class of the section.
        tree: Its values by key.
        path: Its key path, "" for the whole config.
        errors: Receives a line for each wrong key; None is returned where there is one.
    """
    before = len(errors)
    if isinstance(tree, Mapping):
        tree = dict(tree)
        for name in [name for name in kind.model_fields if name in tree]:
            inner = _parse_inner(kind.model_fields[name], tree[name], _join(path, name), errors)
            if inner is not None:
                tree[name] = inner
            elif len(errors) > before:
                del tree[name]
    try:
        section = kind.model_validate(tree)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        errors += [_explain(dict(line), path) for line in lines[:_MOST_NAMED]]
        errors += [""] * (len(lines) - _MOST_NAMED)  # counted, not named
    return section if len(errors) == before else None


def parse_override(override: str) -> tuple[str, Any]:
    """Read `key.path=value`, the value in YAML.

    Raises:
        ConfigError: It is written in another way.
    """
    key, sign, text = (part.strip() for part in override.partition("="))
    if not sign or not all(key.split(".")):
        raise ConfigError(
            f"override {override!r} is not key=value", "write for example train.lr=0.0003"
        )
    if key.count(".") > _MOST_DOTS:
        raise ConfigError(f"unknown key {key}", "`midog settings` lists all")
    return key, parse_yaml(text, f"override {override!r}")


def known_keys(kind: type[Settings] = RunConfig, prefix: str = "") -> list[str]:
    """Key paths of all settings, of every kind that can be chosen."""
    keys: dict[str, None] = {}
    for name, field in kind.model_fields.items():
        keys[prefix + name] = None
        for inner in inner_classes(field):
            keys |= dict.fromkeys(known_keys(inner, f"{prefix}{name}."))
    return list(keys)


def resumable_keys(mark: OnResume, kind: type[Settings] = RunConfig, prefix: str = "") -> list[str]:
    """Key paths of the settings that carry this mark, in the order of the schema."""
    keys: dict[str, None] = {}
    for name, field in kind.model_fields.items():
        if mark in field.metadata:
            keys[prefix + name] = None
        for inner in inner_classes(field):
            keys |= dict.fromkeys(resumable_keys(mark, inner, f"{prefix}{name}."))
    return list(keys)


def inner_classes(field: FieldInfo) -> list[type[Settings]]:
    """Classes of the section that a field holds, several where one is chosen; none for a value."""
    if chosen := chosen_of(field):
        return list(chosen.classes())
    inner = field.annotation
    return [inner] if isinstance(inner, type) and issubclass(inner, Settings) else []


def chosen_of(field: FieldInfo) -> Chosen | None:
    """How the class of a field's section is chosen; None where it is always the same."""
    return next((mark for mark in field.metadata if isinstance(mark, Chosen)), None)


def _parse_inner(field: FieldInfo, value: Any, path: str, errors: list[str]) -> Settings | None:
    """The section that a field holds; None where it holds a plain value or something is wrong."""
    if isinstance(value, Settings):
        return value
    if chosen := chosen_of(field):
        try:
            inner, value = chosen.choose(value)
        except UnknownKind as error:
            errors.append(f"{path}.kind {error}")
            return None
        return parse_section(inner, _of_this_kind(chosen, inner, value, path, errors), path, errors)
    classes = inner_classes(field)
    return parse_section(classes[0], value, path, errors) if classes else None


def _of_this_kind(
    chosen: Chosen, inner: type[Settings], value: Any, path: str, errors: list[str]
) -> Any:
    """What is written in a section without the keys that only sections of other kinds have, which
    are told in one line."""
    if not isinstance(value, Mapping):
        return value
    others = {name for section in chosen.classes() for name in section.model_fields}
    alien = [name for name in value if name in others - set(inner.model_fields)]
    if alien:
        kind = value["kind"]
        errors.append(
            f"{path}: {', '.join(alien)} {'are' if len(alien) > 1 else 'is'} of another kind than"
            f" {kind}; `--set '{path}={{kind: {kind}}}'` starts the section anew"
        )
    return {name: own for name, own in value.items() if name not in alien}


def _read_file(path: Path) -> dict[str, Any]:
    tree = read_yaml(path)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path} holds a {type(tree).__name__}",
            "write sections such as `train:` with keys below",
        )
    return tree


def _set_dotted(tree: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for name in sections:
        below = tree.get(name)
        if isinstance(below, str):  # `backbone: resnet18` is short for its kind
            below = {"kind": below}
        tree[name] = dict(below) if isinstance(below, dict) else {}
        tree = tree[name]
    tree[last] = value


def _explain(error: Mapping[str, Any], path: str) -> str:
    key = _join(path, *(str(part) for part in error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}{_suggest(key)}"
    message = error["msg"].removeprefix("Value error, ")
    value = (
        ""
        if isinstance(error["input"], dict | Settings)
        else f" is {shortened(repr(error['input']), _LONGEST)}"
    )
    return f"{key}{value}: {message}" if key else message


def _suggest(key: str) -> str:
    """A hint at the nearest key path, else at the one whose last part is nearest."""
    if len(key) > _LONGEST:
        return ""
    keys = known_keys()
    last = {name.rsplit(".", 1)[-1]: name for name in keys}
    matches = difflib.get_close_matches(key, keys, n=1, cutoff=0.75)
    ends = difflib.get_close_matches(key.rsplit(".", 1)[-1], last, n=1, cutoff=0.6)
    nearest = [*matches, *(last[end] for end in ends)]
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _join(*parts: str) -> str:
    return ".".join(part for part in parts if part)
