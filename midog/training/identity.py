"""What makes a run the same run: its settings and data, asked for or as its files state them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midog.config.load import load_config, parse_config, resumable_keys
from midog.config.schema import RunConfig
from midog.config.settings import OnResume
from midog.errors import CheckpointError, ConfigError, MidogError
from midog.files import read_bytes
from midog.json_text import checked, read_json, to_json
from midog.training.checkpoint import read_checkpoint

_KINDS = ("task.kind", "model.kind", "model.backbone.kind")


@dataclass(frozen=True)
class _Data:
    """data.json."""

    fingerprint: str


@dataclass(frozen=True)
class Identity:
    """What makes a run the same run: its settings, and the fingerprint of its data."""

    config: RunConfig
    fingerprint: str

    def data_json(self) -> str:
        """The text of data.json."""
        return to_json({"fingerprint": self.fingerprint}, indent=None)

    def digest(self) -> str:
        """12 hex digits that differ where settings or data do, but for settings that change only
        where or how fast a run is computed.

        Settings that have their default are left out, so that a setting of a later version does not
        make it another run.
        """
        tree = self.config.model_dump(mode="json", exclude_defaults=True)
        free = set(resumable_keys(OnResume.FREELY))
        stated = {key: value for key, value in _by_key(tree).items() if key not in free}
        chosen = {key: self.config.by_key().get(key) for key in _KINDS}
        text = json.dumps([self.fingerprint, stated, chosen], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def facts(self) -> dict[str, Any]:
        """Plain values for the checkpoint, from which the run's own files can be made again."""
        return {"config": self.config.to_dict(), "fingerprint": self.fingerprint}


def differences(folder: Path, identity: Identity, *, but_asked: bool = False) -> list[str]:
    """What differs in a run's settings and data, as lines `key: the run's value, now yours`.

    Args:
        folder: Of the run.
        identity: Yours.
        but_asked: Leave out settings under other values of which a run can be resumed.

    Raises:
        ConfigError: The run's settings cannot be read.
    """
    stored = stored_identity(folder)
    theirs, ours = stored.config.by_key(), identity.config.by_key()
    if ours["machine.precision"] == "auto":  # then the run has resolved it
        ours["machine.precision"] = theirs["machine.precision"]
    free = set(resumable_keys(OnResume.FREELY))
    free |= set(resumable_keys(OnResume.ASKED)) if but_asked else set()
    changed = [
        f"{key}: {theirs.get(key)}, now {ours.get(key)}"
        for key in dict.fromkeys([*ours, *theirs])
        if key not in free and theirs.get(key) != ours.get(key)
    ]
    if stored.fingerprint != identity.fingerprint:
        changed.append(f"data: {stored.fingerprint}, now {identity.fingerprint}")
    return changed


def stored_identity(folder: Path) -> Identity:
    """Read a run's settings and fingerprint; where its files are damaged, from its checkpoint.

    Raises:
        ConfigError: Neither can be read.
    """
    try:
        return read_identity(folder)
    except MidogError as damage:
        if not (folder / "last.ckpt").is_file():
            raise
        try:
            facts = read_checkpoint(folder / "last.ckpt").state.get("facts")
            if not isinstance(facts, dict) or type(facts.get("fingerprint")) is not str:
                raise damage
            config = parse_config(facts.get("config"), f"config in {folder / 'last.ckpt'}")
        except CheckpointError:
            raise damage from None
        return Identity(config, facts["fingerprint"])


def read_identity(folder: Path) -> Identity:
    """Read config.yaml and data.json of a run.

    Raises:
        ConfigError: One is missing, empty or damaged.
    """
    path = folder / "config.yaml"
    if not read_bytes(path, ConfigError).strip(b"\0 \r\n\t"):
        raise ConfigError(f"{path} is empty")
    data = folder / "data.json"
    stated = checked(read_json(data, ConfigError), _Data, str(data), ConfigError)
    return Identity(load_config(path), stated.fingerprint)


def _by_key(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Plain settings by key path."""
    values: dict[str, Any] = {}
    for name, value in tree.items():
        inner = _by_key(value, f"{path}{name}.") if isinstance(value, Mapping) else None
        values |= {f"{path}{name}": value} if inner is None else inner
    return values
