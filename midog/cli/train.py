"""`midog train`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from midog.cli.options import (
    RUN,
    SETTINGS,
    ConfigOption,
    DryRunOption,
    EpochsOption,
    FreshOption,
    RunNameOption,
    RunsOption,
    SetOption,
    SplitOption,
    TrainingClassesOption,
    TrainingDataOption,
    TrainingDeviceOption,
    TrainingSeedOption,
    option,
)
from midog.cli.shared import is_first, stoppable, training_settings
from midog.cli.terminal import say, show, show_text

if TYPE_CHECKING:
    from midog.config.schema import RunConfig


def train(
    data: TrainingDataOption = None,
    split: SplitOption = None,
    classes: TrainingClassesOption = None,
    config: ConfigOption = None,
    epochs: EpochsOption = None,
    seed: TrainingSeedOption = None,
    overrides: SetOption = None,
    device: TrainingDeviceOption = None,
    name: RunNameOption = None,
    task: Annotated[
        str | None,
        option(
            "--task",
            "NAME",
            "What is learned: {tasks}. A task with a shipped config of its name takes that where"
            " --config names none. [default: detection]{=task.kind}",
            SETTINGS,
        ),
    ] = None,
    detector: Annotated[
        Path | None,
        option(
            "--detector",
            "FOLDER",
            "Of task verify: run or model of the detector to be verified.{=task.detector}",
            SETTINGS,
        ),
    ] = None,
    candidates: Annotated[
        Path | None,
        option(
            "--candidates",
            "FILE",
            "Of task verify: false alarms in train ROIs, a CSV of `midog alarms` or a folder of"
            " detections.{=task.candidates}",
            SETTINGS,
        ),
    ] = None,
    dry_run: DryRunOption = False,
    fresh: FreshOption = False,
    resume_with: Annotated[
        list[str] | None,
        option(
            "--resume-with",
            "KEY=VALUE",
            "Setting under which a run is resumed that was started with another value: {resumable}."
            " Separate several by commas.",
            RUN,
        ),
    ] = None,
    runs: RunsOption = Path("runs"),
) -> None:
    """Train a model, or resume the newest unfinished training.

    Ctrl-C saves; the same command then resumes. An interrupted run is resumed if its settings and
    data are those of this command; --resume-with changes some of them. The best model on val is
    RUNS/NAME/best.
    """
    from midog.training.tasks.registry import TASKS

    if task in TASKS and config is None:
        config = TASKS[task].config or None
    settings = training_settings(
        config,
        overrides,
        task=task,
        detector=detector,
        candidates=candidates,
        data=data,
        split=split,
        classes=classes,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    train_or_describe(
        settings,
        name=name,
        runs=runs,
        fresh=fresh,
        resume_with=resume_with,
        dry_run=dry_run,
    )


def train_or_describe(
    settings: RunConfig,
    *,
    name: str | None,
    runs: Path,
    fresh: bool,
    resume_with: list[str] | None,
    dry_run: bool,
) -> None:
    """Train, print the best score and the model's folder, and say what comes next; or, in a dry
    run, print settings and data. Arguments as the options of `midog train`."""
    from midog.training import train as training
    from midog.training.tasks.registry import TASKS

    if dry_run:
        machine = training.resolve(settings.machine)
        show_text(settings.model_copy(update={"machine": machine}).to_yaml() + "\n")
        for line in training.describe(settings):
            show(line)
        return
    from midog.data.several_folders import listed_folders
    from midog.training.runs import read_state

    with stoppable("stopped; the same command resumes from what is saved"):
        folder = training.train(
            settings,
            name=name,
            runs=runs,
            fresh=fresh,
            resume_with=parse_changes(resume_with or []),
        )
    if not is_first():
        return
    state = read_state(folder)
    best = state.get("best_score")
    if best is not None:
        say(f"best {state['score_name']} on val {best:.3f} (epoch {state['best_epoch']})")
    show(folder / "best")
    if after := TASKS[settings.task.kind].next:
        folders = shlex.join(map(str, listed_folders(settings.data.dir)))
        say(f"next: {after.format(data=folders, model=folder)}")


def parse_changes(texts: list[str]) -> dict[str, object]:
    """Read what `--resume-with` was given: `key=value`, several separated by commas."""
    from midog.config.load import parse_override

    return dict(parse_override(part) for text in texts for part in text.split(","))
