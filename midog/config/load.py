"""From YAML files and dotted overrides to a RunConfig; errors name the key path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from midog.config.schema import RunConfig
from midog.config.shipped import find_config
from midog.errors import ConfigError

_EARLIER = {"train": {"augment_on": "device"}, "inference": {"precision": "32-true"}}
"""What version 0.1 did before these were settings."""


def load_config(path: Path | str | None = None, overrides: Iterable[str] = ()) -> RunConfig:
    """Defaults, overlaid by a YAML file (a path, or the name of a shipped one), overlaid by
    `key.path=value`.

    Raises ConfigError, one line with every wrong key: unknown ones with the nearest known one.
    """
    tree = _read_yaml(find_config(path)) if path is not None else {}
    for override in overrides:
        _set_dotted(tree, override)
    return parse_config(tree, source=str(path or "settings"))


def parse_config(tree: Mapping[str, Any], source: str = "settings") -> RunConfig:
    """A RunConfig of nested plain values; `source` is named in the ConfigError."""
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(
            f"{source}: " + "; ".join(_explain(each) for each in error.errors())
        ) from None


def parse_saved(tree: Any, source: str) -> RunConfig:
    """`parse_config` of what an earlier version may have written: settings that it did not know are
    as it worked."""
    if not isinstance(tree, Mapping):
        return parse_config(tree, source)
    earlier = {
        name: {**values, **tree[name]}
        for name, values in _EARLIER.items()
        if isinstance(tree.get(name), Mapping)
    }
    return parse_config({**tree, **earlier}, source)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path} holds a {type(tree).__name__}",
            "write sections such as `train:` with keys below",
        )
    return tree


def _set_dotted(tree: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise ConfigError(
            f"override {override!r} is not key=value", "write for example train.lr=0.0003"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"override {override!r}: {text!r} is not a YAML value") from None
    node = tree
    for part in parts[:-1]:
        below = node.get(part)
        node[part] = dict(below) if isinstance(below, dict) else {}
        node = node[part]
    node[parts[-1]] = value


def _known_keys(model: type[BaseModel] = RunConfig, prefix: str = "") -> list[str]:
    keys = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        keys.append(prefix + name)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += _known_keys(kind, f"{prefix}{name}.")
    return keys


def _explain(error: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}{_suggest(key)}"
    message = error["msg"].removeprefix("Value error, ")
    value = "" if isinstance(error["input"], dict | BaseModel) else f" is {error['input']!r}"
    return f"{key}{value}: {message}" if key else message


def _suggest(key: str) -> str:
    known = _known_keys()
    last = {name.rsplit(".", 1)[-1]: name for name in known}
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    near = near or [
        last[m] for m in difflib.get_close_matches(key.rsplit(".", 1)[-1], last, n=1, cutoff=0.6)
    ]
    return f" (did you mean {near[0]}?)" if near else ""
