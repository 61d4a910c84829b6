"""Trainings that several processes share: done ones are skipped, interrupted ones resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midog.config.schema import MachineSettings, RunConfig
from midog.data.folder import data_fingerprint
from midog.data.roi import Roi
from midog.data.split_file import Split, write_split
from midog.errors import CheckpointError, ConfigError
from midog.files import make_folder
from midog.locks import being_written, held_file
from midog.names import real_path
from midog.studies.costs import timed
from midog.training.identity import Identity
from midog.training.resume import require_identical
from midog.training.runs import find_run, is_finished
from midog.training.train import train

SPLITS = ".splits"
"""Folder of the splits of the trainings, in the folder of runs."""

OnTraining = Callable[[str], None]
"""Called with a line on what becomes of a training."""


@dataclass(frozen=True, eq=False)
class Training:
    """A planned training.

    Attributes:
        name: Of its run.
        config: Its settings; `data.split` names the file in `split_file`.
        split: Its ROIs by role, written when it begins.
        rois: These ROIs.
        about: What it is trained on, for a line.
        verifies: The training of the detector at whose detections it is a second look; None: it
            trains a detector.
        sources: Trainings whose models find the false alarms that a second look is trained on, in
            ROIs that they were not trained on.
        key: What makes it the same training, whichever process or study plans it: the end of its
            run's name, behind a hyphen; "": the name.
    """

    name: str
    config: RunConfig
    split: Split
    rois: Sequence[Roi]
    about: str
    key: str = ""
    verifies: Training | None = None
    sources: tuple[Training, ...] = ()

    @property
    def identity(self) -> Identity:
        """What makes it the same training: its settings and data."""
        return Identity(self.config, data_fingerprint(self.rois))


def split_file(runs: Path, name: str) -> Path:
    """Where the split of a training is written."""
    return real_path(runs) / SPLITS / f"{name}.csv"


def require_one_device(machine: MachineSettings) -> None:
    """Refuse settings of several devices.

    Raises:
        ConfigError: They name several.
    """
    if machine.devices * machine.num_nodes > 1:
        raise ConfigError(
            "the trainings of a study run on one device each",
            "use {machine.devices}, and start the same command once for each GPU: they share the"
            " trainings out",
            {"machine.devices": 1},
        )


def require_same(runs: Path, training: Training) -> None:
    """Require what exists under a training's name to be that training.

    Raises:
        CheckpointError: It has other settings or data.
    """
    if (folder := run_of(runs, training)) is not None:
        fix = "choose another {runs}, or the same settings"
        require_identical(folder, training.identity, fix, {"runs": None})


def run_of(runs: Path, training: Training) -> Path | None:
    """The folder of a training's run, under whatever name it was begun; None where none is."""
    if not training.key:
        return find_run(runs, training.name)
    folders = sorted(runs.glob(f"*-{training.key}")) if runs.is_dir() else []
    return next((one for one in folders if find_run(runs, one.name)), None)


def finished_run(runs: Path, training: Training) -> Path | None:
    """The folder of a training that is done; None where it is not."""
    folder = run_of(runs, training)
    return folder if folder is not None and is_finished(folder) else None


def train_one(
    training: Training,
    runs: Path,
    report: OnTraining,
    prepare: Callable[[], Mapping[str, Any]] = dict,
) -> Path | None:
    """Train one run where that is left to do.

    A training that another process holds is left to it; one whose process was killed is resumed,
    as its lock ended with it.

    Args:
        training: The training.
        runs: Folder of runs, made if it does not exist.
        report: Called with what becomes of it.
        prepare: Called before it is trained: settings of `task` that are known only then.

    Returns:
        Its folder; None where another process trains it now.

    Raises:
        MidogError: As of `train`.
        Interrupted: After Ctrl-C or SIGTERM; everything is saved.
    """
    locks = real_path(runs) / SPLITS
    make_folder(locks)
    with ExitStack() as stack:
        try:
            lock = locks / f".{training.key or training.name}.lock"
            stack.enter_context(held_file(lock, being_written(lock, CheckpointError)))
        except CheckpointError:
            report(f"{training.name} is being trained by another process")
            return None
        write_split(training.split, Path(str(training.config.data.split)))
        folder = run_of(runs, training)
        name = training.name if folder is None else folder.name
        if folder is not None and is_finished(folder):
            report(f"{name} is done")
            return folder
        report(f"{name}: training on {training.about}")
        known = prepare()
        config = training.config.with_values(task=known) if known else training.config
        with timed(runs / name):
            return train(config, name=name, runs=runs, rois=list(training.rois))
