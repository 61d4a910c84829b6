"""Which run a training resumes: the one of equal settings and data, or else a new one."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from midog.errors import CheckpointError, ConfigError, MidogError
from midog.files import make_folder, point_link, replace_text, sweep_parts
from midog.training.changes import Changes
from midog.training.identity import Identity, differences
from midog.training.runs import (
    Run,
    has_settings,
    holds_nothing,
    is_finished,
    is_locked,
    list_runs,
    locked,
    lost_checkpoint,
)

logger = logging.getLogger(__name__)

_NONE = Changes({})


def choose_run(
    runs: Path,
    identity: Identity,
    *,
    name: str | None = None,
    fresh: bool = False,
    changes: Changes = _NONE,
) -> Run | None:
    """Choose the run to resume; nothing is touched.

    Args:
        runs: Folder of runs.
        identity: Of the training.
        name: Of the run; None takes the newest unfinished one that is identical.
        fresh: Resume none.
        changes: Settings under which a run is to be resumed that was started with others.

    Returns:
        None where a new run is to be made.

    Raises:
        CheckpointError: The named run has other settings or data, is finished, or has lost its
            checkpoint; or there is none to resume with changes.
        ConfigError: The name cannot be a folder's.
    """
    if name is not None and (not name or "/" in name or name.startswith(".") or name == "latest"):
        raise ConfigError(
            f"run name {name!r} cannot be a folder's name", "use letters, digits, - and _"
        )
    run = None
    if name is not None and not fresh and (runs / name).exists():
        run = _named(runs / name, identity, changes)
    elif name is None and not fresh:
        run = _newest(runs, identity, changes)
    if run is None and changes:
        raise CheckpointError(
            f"{runs}/ has no run of these settings and data to resume with {changes}",
            "name one with {name}" if name is None else "train it without them",
            {"name": None} if name is None else {},
        )
    return run


def make_run(runs: Path, identity: Identity, *, name: str | None, stack: ExitStack) -> Run:
    """Make a new run, to which runs/latest points from then on.

    It is made beside its place and renamed: a folder of that name holds its settings, or is none.

    Args:
        runs: Folder of runs, made where it does not exist.
        identity: Of the training.
        name: Of the run; None: date and time. An existing run of that name is set aside.
        stack: The run is locked until it closes.

    Raises:
        CheckpointError: Another process trains the run of that name, or the disk is full.
    """
    try:
        make_folder(runs)
    except OSError as error:
        raise CheckpointError(f"{runs} cannot be made: {error.strerror}") from None
    sweep_parts(runs)
    if name is not None and (runs / name).exists():
        with locked(runs / name):
            _clear_place(runs / name)
    stem = name or time.strftime("%Y%m%d-%H%M%S")
    part = runs / f".{stem[:30]}.{uuid.uuid4().hex}.part"
    try:
        part.mkdir()
        stack.enter_context(locked(part))
        write_identity(part, identity)
        folder = _place(part, runs / stem)
        point_link(runs / "latest", folder)
    except OSError as error:
        raise CheckpointError(f"{runs / stem} cannot be made: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Run(folder, resumes=False)


def write_identity(folder: Path, identity: Identity) -> None:
    """Write data.json and config.yaml of a run."""
    replace_text(folder / "data.json", identity.data_json(), CheckpointError)
    replace_text(folder / "config.yaml", identity.config.to_yaml(), CheckpointError)


def unmake_run(run: Run) -> None:
    """Delete a run that ended before it was saved, so that a setting that never runs leaves none.

    runs/latest points to the newest of the others again.
    """
    if not holds_nothing(run.folder):
        return
    shutil.rmtree(run.folder, ignore_errors=True)
    latest, others = run.folder.parent / "latest", list_runs(run.folder.parent)
    if latest.is_symlink() and not latest.exists():
        point_link(latest, others[0]) if others else latest.unlink()


def require_identical(
    folder: Path,
    identity: Identity,
    fix: str,
    named: Mapping[str, object],
    changes: Changes = _NONE,
) -> None:
    """Require a run to have these settings and data.

    Args:
        folder: Of the run.
        identity: The settings and data.
        fix: Of the error, with places for those that it names.
        named: Arguments that the fix names; see MidogError.
        changes: Settings that may differ.

    Raises:
        CheckpointError: The run has others.
    """
    changed = differences(folder, identity, but_asked=bool(changes))
    if changed:
        raise CheckpointError(
            f"run {folder.name} was started with other settings: {'; '.join(changed)}",
            fix,
            named,
        )


def _named(folder: Path, identity: Identity, changes: Changes) -> Run | None:
    """The run of that name; None where what has its place may be made anew."""
    if not has_settings(folder):
        if holds_nothing(folder):
            return None
        raise CheckpointError(
            f"{folder} exists and is no run (it has no config.yaml)",
            "choose another {name}",
            {"name": None},
        )
    aside = "{fresh} to set it aside"
    named = {"name": None, "fresh": True}
    fix = f"choose another {{name}}, the same settings, or {aside}"
    try:
        require_identical(folder, identity, fix, named, changes)
    except ConfigError:
        if holds_nothing(folder):  # a power cut took the settings, and there is nothing else
            return None
        raise
    if is_finished(folder) and not changes:
        fix = f"choose another {{name}}, {aside}, or train it longer with {{resume_with}}"
        more = {"resume_with": f"train.epochs={2 * identity.config.train.epochs}"}
        raise CheckpointError(f"run {folder.name} is finished", fix, {**named, **more})
    if lost_checkpoint(folder):
        raise CheckpointError(
            f"{folder / 'last.ckpt'} is missing, and the run has been saved before",
            f"put it back, or move {folder} away",
        )
    return Run(folder, resumes=(folder / "last.ckpt").is_file())


def _newest(runs: Path, identity: Identity, changes: Changes) -> Run | None:
    """The newest unfinished run of equal settings and data."""
    unfinished = [
        folder for folder in list_runs(runs) if not is_finished(folder) and not is_locked(folder)
    ]
    for folder in unfinished:
        if not _is_identical(folder, identity, changes):
            continue
        if lost_checkpoint(folder):
            logger.warning("run %s is not resumed: its last.ckpt is missing", folder.name)
            continue
        return Run(folder, resumes=(folder / "last.ckpt").is_file())
    if unfinished:
        _report_unfinished(unfinished[0], identity)
    return None


def _report_unfinished(folder: Path, identity: Identity) -> None:
    """Log why the newest unfinished run of the same data is not resumed."""
    try:
        changed = differences(folder, identity)
    except MidogError:
        return
    if changed and not any(line.startswith("data: ") for line in changed):
        logger.info(
            "run %s is unfinished but has other settings (%s); use its settings to resume it",
            folder.name,
            ", ".join(changed),
        )


def _clear_place(folder: Path) -> None:
    """Set a run aside, or delete the folder of one that was never saved."""
    if holds_nothing(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    number = 1
    while (aside := folder.with_name(f"{folder.name}~{number}")).exists():
        number += 1
    folder.rename(aside)
    logger.warning("the existing run %s is renamed to %s", folder.name, aside.name)


def _place(part: Path, wanted: Path) -> Path:
    """Rename a finished folder to the first name from `wanted` on that is free."""
    folder, number = wanted, 1
    while True:
        try:
            if not folder.exists():
                part.rename(folder)
                return folder
        except FileExistsError:
            pass
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")


def _is_identical(folder: Path, identity: Identity, changes: Changes) -> bool:
    try:
        return not differences(folder, identity, but_asked=bool(changes))
    except (ConfigError, CheckpointError):
        return False
