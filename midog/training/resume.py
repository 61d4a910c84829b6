"""Which run a training resumes: the one of equal settings and data, or else a new one."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.errors import CheckpointError, ConfigError, MidogError
from midog.files import point_link, replace_text
from midog.json_text import to_json
from midog.training.runs import Run, is_finished, is_locked, list_runs, locked

logger = logging.getLogger(__name__)

# Settings that change where or how fast a run is computed, or what it reports, not what it learns:
# a run is resumed under other ones.
_FREE = {
    *("data.dir", "data.annotations", "data.split", "data.bbox", "data.classes", "data.cache"),
    *("machine.device", "machine.workers", "machine.residency", "train.pictures"),
    "inference.batch_size",
}


@dataclass(frozen=True)
class Identity:
    """What makes a run the same run: its settings, and the fingerprint of its data."""

    config: RunConfig
    fingerprint: str


def choose_run(
    runs: Path, identity: Identity, *, name: str | None = None, fresh: bool = False
) -> Run | None:
    """Choose the run to resume; nothing is touched.

    Args:
        runs: Folder of runs.
        identity: Of the training.
        name: Of the run; None takes the newest unfinished one that is identical.
        fresh: Resume none.

    Returns:
        None where a new run is to be made.

    Raises:
        CheckpointError: The named run has other settings or data, or is finished.
        ConfigError: The name cannot be a folder's.
    """
    if name is not None and (not name or "/" in name or name.startswith(".") or name == "latest"):
        raise ConfigError(
            f"run name {name!r} cannot be a folder's name", "use letters, digits, - and _"
        )
    if fresh:
        return None
    if name is not None:
        return _named(runs / name, identity) if (runs / name).exists() else None
    unfinished = [
        folder for folder in list_runs(runs) if not is_finished(folder) and not is_locked(folder)
    ]
    for folder in unfinished:
        if _is_identical(folder, identity):
            return Run(folder, resumes=(folder / "last.ckpt").is_file())
    if unfinished:
        _report_unfinished(unfinished[0], identity)
    return None


def make_run(runs: Path, identity: Identity, *, name: str | None, stack: ExitStack) -> Run:
    """Make a new run, to which runs/latest points from then on.

    Args:
        runs: Folder of runs, made where it does not exist.
        identity: Of the training.
        name: Of the run; None: date and time. An existing run of that name is set aside.
        stack: The run is locked until it closes.

    Raises:
        CheckpointError: Another process trains the run of that name.
    """
    runs.mkdir(parents=True, exist_ok=True)
    if name is not None and (runs / name).exists():
        with locked(runs / name):
            _set_aside(runs / name)
    stem, number = name or time.strftime("%Y%m%d-%H%M%S"), 1
    while True:
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
            break
        except FileExistsError:
            number += 1
    stack.enter_context(locked(folder))
    replace_text(folder / "data.json", to_json({"fingerprint": identity.fingerprint}, indent=None))
    # last: a folder with this file is a run
    replace_text(folder / "config.yaml", identity.config.to_yaml())
    point_link(runs / "latest", folder)
    return Run(folder, resumes=False)


def require_identical(
    folder: Path, identity: Identity, fix: str, named: Mapping[str, object]
) -> None:
    """Require a run to have these settings and data.

    Args:
        folder: Of the run.
        identity: The settings and data.
        fix: Of the error, with places for those that it names.
        named: Arguments that the fix names; see MidogError.

    Raises:
        CheckpointError: The run has others.
    """
    changed = _differences(folder, identity)
    if changed:
        raise CheckpointError(
            f"run {folder.name} was started with other settings: {'; '.join(changed)}",
            fix,
            named,
        )


def _named(folder: Path, identity: Identity) -> Run:
    if not (folder / "config.yaml").is_file():
        raise CheckpointError(
            f"{folder} exists and is no run (it has no config.yaml)",
            "choose another {name}",
            {"name": None},
        )
    aside = "{fresh} to set it aside"
    named = {"name": None, "fresh": True}
    require_identical(
        folder, identity, f"choose another {{name}}, the same settings, or {aside}", named
    )
    if is_finished(folder):
        fix = f"choose another {{name}}, or {aside}"
        raise CheckpointError(f"run {folder.name} is finished", fix, named)
    return Run(folder, resumes=(folder / "last.ckpt").is_file())


def _report_unfinished(folder: Path, identity: Identity) -> None:
    """Log why the newest unfinished run of the same data is not resumed."""
    try:
        changed = _differences(folder, identity)
    except MidogError:
        return
    if not any(line.startswith("data: ") for line in changed):
        logger.info(
            "run %s is unfinished but has other settings (%s); use its settings to resume it",
            folder.name,
            ", ".join(changed),
        )


def _set_aside(folder: Path) -> None:
    number = 1
    while (aside := folder.with_name(f"{folder.name}~{number}")).exists():
        number += 1
    folder.rename(aside)
    logger.warning("the existing run %s is renamed to %s", folder.name, aside.name)


def _is_identical(folder: Path, identity: Identity) -> bool:
    try:
        return not _differences(folder, identity)
    except (ConfigError, CheckpointError):
        return False


def _differences(folder: Path, identity: Identity) -> list[str]:
    """What differs in the run's settings and data, as lines `key: the run's value, now yours`."""
    path = folder / "config.yaml"
    try:
        config = parse_config(yaml.safe_load(path.read_text()), str(path))
        fingerprint = json.loads((folder / "data.json").read_text())["fingerprint"]
    except (OSError, ValueError, KeyError, yaml.YAMLError) as error:
        raise CheckpointError(
            f"{folder}: its config.yaml or data.json cannot be read ({error})"
        ) from None
    theirs, ours = config.by_key(), identity.config.by_key()
    if ours["machine.precision"] == "auto":  # then the run has resolved it
        ours["machine.precision"] = theirs["machine.precision"]
    changed = [
        f"{key}: {theirs.get(key)}, now {ours.get(key)}"
        for key in dict.fromkeys([*ours, *theirs])
        if key not in _FREE and theirs.get(key) != ours.get(key)
    ]
    if fingerprint != identity.fingerprint:
        changed.append(f"data: {fingerprint}, now {identity.fingerprint}")
    return changed
