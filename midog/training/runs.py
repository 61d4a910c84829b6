"""The folders of runs: their list, their state and lock, and the newest model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from midog.errors import CheckpointError, MidogError, WeightsError
from midog.files import replace_text
from midog.json_text import checked, read_json, to_json
from midog.locks import held_file, is_held

_FIRST_FILES = {"config.yaml", "data.json"}
_LOCK_FILE = ".lock"


@dataclass(frozen=True)
class Run:
    """A run's folder. resumes: it holds a checkpoint."""

    folder: Path
    resumes: bool

    @property
    def checkpoint(self) -> Path:
        """last.ckpt, which may not exist yet."""
        return self.folder / "last.ckpt"

    @property
    def best(self) -> Path:
        """The link to the best model, which may not exist yet."""
        return self.folder / "best"


@dataclass(frozen=True)
class _State:
    """What state.json says, see `TrainingProgress.summary`."""

    epoch: int = 0
    step: int = 0
    skipped: int = 0
    finished: bool = False
    best_score: float | None = None
    score_name: str | None = None
    best_epoch: int = 0


def list_runs(runs: Path) -> list[Path]:
    """Return the folders of runs, newest first, links resolved, none twice."""
    started = {
        path.parent.resolve(): path.stat().st_mtime_ns
        for name in ("last.ckpt", "config.yaml")  # the date of the second one counts
        for path in runs.glob(f"*/{name}")
        if not path.parent.name.startswith(".")
    }
    return sorted(started, key=lambda folder: (started[folder], folder.name), reverse=True)


def find_run(runs: Path, name: str) -> Path | None:
    """Return the folder of the run of that name, None where there is none."""
    folder = runs / name
    return folder if has_settings(folder) else None


def has_settings(folder: Path) -> bool:
    """Return whether a folder says what it was started with: it holds a run."""
    config = folder / "config.yaml"
    try:
        written = bool(config.read_bytes().strip(b"\0 \r\n\t"))
    except OSError:
        written = False
    return written or (folder / "last.ckpt").is_file()


def holds_nothing(folder: Path) -> bool:
    """Return whether a folder is what a run leaves that ended before it was saved for the first
    time: nothing in it is lost if it is made anew."""
    return folder.is_dir() and all(
        path.name in _FIRST_FILES or path.name.startswith((".", "events.out."))
        for path in folder.iterdir()
    )


def lost_checkpoint(folder: Path) -> bool:
    """Return whether last.ckpt is missing in a run that was saved before."""
    traces = (folder / "state.json").exists() or (folder / "best").is_symlink()
    return traces and not (folder / "last.ckpt").is_file()


def newest_model(runs: Path, *, task: str) -> Path:
    """Return the best model, of that task, of the newest run that has one.

    Raises:
        WeightsError: No run has one.
    """
    others = set()
    for folder in list_runs(runs):
        model_task = _task_of(folder / "best" / "model.json")
        if model_task == task:
            return (folder / "best").resolve()
        others |= {model_task} - {None}
    only = f", only of {', '.join(sorted(map(str, others)))}" if others else ""
    raise WeightsError(
        f"{runs}/ has no trained model of task {task}{only}",
        "train one with `midog train`, or name one with {model}",
        {"model": None},
    )


def read_state(folder: Path) -> dict[str, Any]:
    """Return what `write_state` wrote; empty where the file is missing or damaged."""
    path = folder / "state.json"
    try:
        return asdict(checked(read_json(path), _State, str(path)))
    except MidogError:
        return {}


def write_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write state.json: what lists of runs show without opening the checkpoint."""
    replace_text(folder / "state.json", to_json(state))


def is_finished(folder: Path) -> bool:
    """Return whether the run trained all its epochs, or stopped early by its own rule."""
    return read_state(folder).get("finished") is True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run for this process, however the process ends.

    Args:
        folder: Of the run.

    Raises:
        CheckpointError: Another process holds it.
    """
    refusal = CheckpointError(
        f"run {folder.name} is being trained by another process",
        "wait, or choose another {name}",
        {"name": None},
    )
    with held_file(folder / _LOCK_FILE, refusal):
        yield


def is_locked(folder: Path) -> bool:
    """Return whether a process trains the run; the lock's file is not made."""
    return is_held(folder / _LOCK_FILE)


def _task_of(card: Path) -> str | None:
    """The task that a model.json names; None where there is no such file or name."""
    try:
        tree = read_json(card)
    except MidogError:
        return None
    task = tree.get("task") if isinstance(tree, dict) else None
    return task if isinstance(task, str) else None
