"""Files that ship with midog: configs and splits, of the checkout or of the wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from midog.errors import ConfigError


def find_config(name: Path | str) -> Path:
    """The file of that path, or the shipped config of that name (`reference`, `small.yaml`)."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = {each.stem: each for each in sorted(shipped_dir("configs").glob("*.yaml"))}
    if path.parent == Path() and path.stem in shipped:
        return shipped[path.stem]
    raise ConfigError(f"no config file {path}", f"give a YAML file or one of {', '.join(shipped)}")


def shipped_dir(name: Literal["configs", "data_splits"]) -> Path:
    """Folder of shipped files: the checkout's own where there is one, else the wheel's copy."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / name
    if checkout.is_dir() and (package.parent / "pyproject.toml").is_file():
        return checkout
    return package / "_shipped" / name
