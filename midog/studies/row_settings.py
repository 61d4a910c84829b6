"""The settings of a study's rows: overlays laid over configs, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.config.settings import Settings
from midog.config.shipped import find_config
from midog.config.yaml_text import read_yaml
from midog.errors import ConfigError
from midog.studies.study_file import Row
from midog.studies.study_settings import Overlay


def row_config(row: Row, overlay: Overlay) -> RunConfig:
    """The settings of a row: its config, its layers, and those of this machine.

    Raises:
        ConfigError: One line with every wrong key.
    """
    return layered(row.name, row.config, (*row.layers, overlay))


def layered(row: str, config: str, layers: Sequence[Overlay]) -> RunConfig:
    """The settings of a config with layers over it, the lowest first; errors name the row."""
    tree = read_yaml(find_config(config)) or {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{config} holds no sections", "write sections with keys below")
    for layer in layers:
        tree = laid_over(tree, _nested(layer), RunConfig())
    return parse_config(tree, f"row {row}")


def laid_over(
    below: Mapping[str, Any], above: Mapping[str, Any], defaults: Settings | None
) -> dict[str, Any]:
    """Lay sections over others, key by key; a section of another kind replaces the one below, whose
    keys would mean nothing to it.

    Args:
        below: Sections with keys.
        above: Likewise.
        defaults: What `below` is where it states nothing; None where it is not known.
    """
    laid = dict(below)
    for key, value in above.items():
        inner = laid.get(key)
        if isinstance(inner, str):  # `backbone: resnet18` is short for its kind
            inner = {"kind": inner}
        if not isinstance(value, Mapping):
            laid[key] = value
            continue
        default = getattr(defaults, key, None)
        inner = inner if isinstance(inner, Mapping) else {}
        kind = inner.get("kind", getattr(default, "kind", None))
        if value.get("kind", kind) != kind:
            inner, default = {}, None
        laid[key] = laid_over(inner, value, default if isinstance(default, Settings) else None)
    return laid


def _nested(overlay: Overlay) -> dict[str, Any]:
    """An overlay as sections, its key paths taken apart."""
    tree: dict[str, Any] = {}
    for key, value in overlay.items():
        first, _, rest = key.partition(".")
        inner: Any = {rest: value} if rest else value
        if isinstance(inner, Mapping):
            inner = _nested(dict(inner))
            before = tree.get(first, {})
            before = {"kind": before} if isinstance(before, str) else before
            inner = laid_over(before, inner, None) if isinstance(before, Mapping) else inner
        tree[first] = inner
    return tree
