"""The folder of a run: which one a training goes on with, its lock, its state, and where the newest
model is."""

from __future__ import annotations

import fcntl
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.errors import CheckpointError, ConfigError, MidogError, WeightsError
from midog.files import point_link, replace_text, to_json

logger = logging.getLogger(__name__)

# Settings that change where or how fast a run is computed, not what it learns: it is resumed under
# other ones.
_FREE = {
    "data.dir",
    "data.annotations",
    "data.split",
    "data.bbox",
    "data.cache",
    "train.pictures",
    "machine.device",
    "machine.workers",
    "machine.residency",
    "inference.batch_size",
}


@dataclass(frozen=True)
class Run:
    """A run's folder. `resumes`: it holds a checkpoint to go on from."""

    folder: Path
    resumes: bool

    @property
    def checkpoint(self) -> Path:
        """last.ckpt, which may not be there yet."""
        return self.folder / "last.ckpt"

    @property
    def best(self) -> Path:
        """The link to the best model, which may not be there yet."""
        return self.folder / "best"


def choose_run(
    runs: Path, config: RunConfig, fingerprint: str, *, name: str | None = None, fresh: bool = False
) -> Run | None:
    """The run to go on with: the one of that name, or the newest unfinished one of equal config and
    data.

    None where a new one is to be made, as always with `fresh`. Touches nothing.
    Raises CheckpointError where the named run has another config or other data, or is finished.
    """
    if name is not None and (not name or "/" in name or name.startswith(".") or name == "latest"):
        raise ConfigError(
            f"run name {name!r} cannot be a folder's name", "use letters, digits, - and _"
        )
    if fresh:
        return None
    if name is not None:
        return _named(runs / name, config, fingerprint) if (runs / name).exists() else None
    unfinished = [
        folder for folder in list_runs(runs) if not is_finished(folder) and not _is_locked(folder)
    ]
    for folder in unfinished:
        if _is_equal(folder, config, fingerprint):
            return Run(folder, resumes=(folder / "last.ckpt").is_file())
    if unfinished:
        _tell_of(unfinished[0], config, fingerprint)
    return None


def make_run(
    runs: Path, config: RunConfig, fingerprint: str, *, name: str | None, stack: ExitStack
) -> Run:
    """A new run of that name (None: date and time), locked until `stack` closes; runs/latest points
    to it.

    A run of that name that is there is set aside. Raises CheckpointError where another process
    trains it.
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
    replace_text(folder / "data.json", to_json({"fingerprint": fingerprint}, indent=None))
    replace_text(folder / "config.yaml", config.to_yaml())  # last: a folder with this file is a run
    point_link(runs / "latest", folder)
    return Run(folder, resumes=False)


def list_runs(runs: Path) -> list[Path]:
    """Folders of runs, newest first; links such as runs/latest are resolved and not listed
    twice."""
    found = {path.parent.resolve() for path in runs.glob("*/config.yaml")}
    return sorted(
        found,
        key=lambda folder: ((folder / "config.yaml").stat().st_mtime_ns, folder.name),
        reverse=True,
    )


def newest_model(runs: Path) -> Path:
    """The best model of the newest run that has one; WeightsError where there is none."""
    for folder in list_runs(runs):
        if (folder / "best" / "model.json").is_file():
            return (folder / "best").resolve()
    raise WeightsError(
        f"no trained model below {runs}/", "train one with `midog train`, or give --model PATH"
    )


def find_run(runs: Path, name: str) -> Path | None:
    """The folder of the run of that name, None where there is none."""
    folder = runs / name
    return folder if (folder / "config.yaml").is_file() else None


def require_equal(folder: Path, config: RunConfig, fingerprint: str, fix: str) -> None:
    """Raise CheckpointError, with that remedy, where a run learns with other settings or from other
    data."""
    changed = _differences(folder, config, fingerprint)
    if changed:
        raise CheckpointError(
            f"run {folder.name} was started with other settings: {'; '.join(changed)}", fix
        )


def read_state(folder: Path) -> dict[str, Any]:
    """What `write_state` wrote; empty where nothing whole is there."""
    try:
        state = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """state.json: what lists of runs need to know without opening the checkpoint (epoch, finished,
    best F1)."""
    replace_text(folder / "state.json", to_json(state))


def is_finished(folder: Path) -> bool:
    """Whether the run trained all its epochs or stopped early by its own rule."""
    return read_state(folder).get("finished") is True


@contextmanager
def locked(folder: Path, file_name: str = ".lock") -> Iterator[None]:
    """Hold the run (or what else `file_name` in `folder` stands for) for this process, however it
    ends.

    Raises CheckpointError where another process holds it.
    """
    with (folder / file_name).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckpointError(
                f"run {folder.name} is being trained by another process", "wait, or use --name"
            ) from None
        yield


def _named(folder: Path, config: RunConfig, fingerprint: str) -> Run:
    if not (folder / "config.yaml").is_file():
        raise CheckpointError(
            f"{folder} is there and is no run (no config.yaml)", "choose another --name"
        )
    require_equal(
        folder,
        config,
        fingerprint,
        "choose another --name, the same settings, or --fresh to set it aside",
    )
    if is_finished(folder):
        raise CheckpointError(
            f"run {folder.name} is finished", "choose another --name, or --fresh to set it aside"
        )
    return Run(folder, resumes=(folder / "last.ckpt").is_file())


def _tell_of(folder: Path, config: RunConfig, fingerprint: str) -> None:
    """Say what keeps the newest unfinished run of these data from being gone on with."""
    try:
        changed = _differences(folder, config, fingerprint)
    except MidogError:
        return
    if not any(each.startswith("data: ") for each in changed):
        logger.info(
            "run %s is unfinished, of other settings (%s); --name %s with those goes on with it",
            folder.name,
            ", ".join(changed),
            folder.name,
        )


def _set_aside(folder: Path) -> None:
    number = 1
    while (aside := folder.with_name(f"{folder.name}~{number}")).exists():
        number += 1
    folder.rename(aside)
    logger.warning("run %s was there: it is %s now", folder.name, aside.name)


def _is_equal(folder: Path, config: RunConfig, fingerprint: str) -> bool:
    try:
        return not _differences(folder, config, fingerprint)
    except (ConfigError, CheckpointError):
        return False


def _differences(folder: Path, config: RunConfig, fingerprint: str) -> list[str]:
    """What differs between the run's settings and data and these, `key: its value, yours` each."""
    try:
        old = parse_config(
            yaml.safe_load((folder / "config.yaml").read_text()), str(folder / "config.yaml")
        )
        data = json.loads((folder / "data.json").read_text())["fingerprint"]
    except (OSError, ValueError, KeyError, yaml.YAMLError) as error:
        raise CheckpointError(
            f"{folder}: its config.yaml or data.json cannot be read ({error})"
        ) from None
    theirs, ours = old.by_key(), config.by_key()
    if config.machine.precision == "auto":  # then it is the run that settled it
        ours["machine.precision"] = theirs["machine.precision"]
    changed = [
        f"{key}: {theirs.get(key)}, now {ours.get(key)}"
        for key in {**ours, **theirs}
        if key not in _FREE and theirs.get(key) != ours.get(key)
    ]
    return changed + ([] if data == fingerprint else [f"data: {data}, now {fingerprint}"])


def _is_locked(folder: Path) -> bool:
    """Whether a process trains the run; looks without making the file."""
    try:
        with (folder / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
