"""`midog tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from midog.cli.options import (
    DATA,
    DATA_FOLDERS,
    RUN,
    SCORING,
    AnnotationsFormatOption,
    AnnotationsOption,
    BboxOption,
    ClassesOption,
    DataFoldersOption,
    DeviceOption,
    ModelOption,
    MppOption,
    OrientationsOption,
    RunsOption,
    SplitOption,
    option,
)
from midog.cli.score_tables import print_tuned
from midog.cli.shared import stoppable
from midog.cli.terminal import say
from midog.errors import MidogError


def tune(
    model: ModelOption = None,
    data: DataFoldersOption = None,
    split: SplitOption = None,
    precision: Annotated[
        float | None,
        option(
            "--precision",
            "P",
            "Goal: highest recall at a precision of P or more. [default goal: highest F1]",
            SCORING,
            min=0,
            max=1,
        ),
    ] = None,
    fp_per_mm2: Annotated[
        float | None,
        option(
            "--fp-per-mm2",
            "N",
            "Goal: highest recall at N false positives per mm2 or fewer.",
            SCORING,
            min=0,
        ),
    ] = None,
    detections: Annotated[
        Path | None,
        option(
            "--detections",
            "FOLDER",
            "This model's detections in the val ROIs. [default: detect now]",
            DATA,
        ),
    ] = None,
    other_data: Annotated[
        bool,
        option(
            "--other-data",
            None,
            "State that the model was not trained on any of the val ROIs.",
            DATA,
        ),
    ] = False,
    leave_out: Annotated[
        Literal["scanner"] | None,
        option(
            "--leave-out",
            "COLUMN",
            "scanner: choose on scanners that training did not see, by runs of `midog shift train`"
            " that left them out, each scored on the val ROIs of what it left out.",
            SCORING,
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        option(
            "--run",
            "FOLDER",
            "Run for --leave-out; one for each scanner. [default: RUNS/without_*]",
            RUN,
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        option(
            "--calibrate",
            None,
            "Store the level of scores on val as well, and the threshold for scores that `midog"
            " infer --calibrate` moves to it.",
            SCORING,
        ),
    ] = False,
    orientations: OrientationsOption = 1,
    device: DeviceOption = "auto",
    runs: RunsOption = Path("runs"),
    mpp: MppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Choose a model's threshold on the val ROIs and store it.

    The goal is the highest F1, unless one of --precision and --fp-per-mm2 sets another.
    """
    _check_words(leave_out, run, detections, calibrate)
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation.goals import Goal
    from midog.progress import bar
    from midog.training.runs import newest_model

    goal = Goal(precision, fp_per_mm2)
    rois = read_rois(
        data or DATA_FOLDERS,
        split=split,
        annotations=annotations,
        bbox=bbox,
        classes=classes,
        annotations_format=annotations_format,
    )
    total, done = len(select_rois(rois, "val")) * (1 + calibrate), 0
    where = model or newest_model(runs, task="detection")
    with stoppable("stopped; the model is unchanged"), bar("val ROIs") as move:

        def count(name: str, figures: int | None) -> None:
            nonlocal done
            done += 1
            move(done, total)

        shared: dict[str, Any] = {
            "other_data": other_data,
            "orientations": orientations,
            "mpp": mpp,
            "device": device,
            "on_image": count,
        }
        if calibrate:
            from midog.evaluation.calibrated_tuning import tune_calibrated

            tuned = tune_calibrated(where, rois, goal, **shared)
        elif leave_out is None:
            from midog.evaluation.tuning import tune as choose

            tuned = choose(where, rois, goal, detections=detections, **shared)
        else:
            from midog.shift.left_out import tune_left_out

            left_out_runs = run or sorted(runs.glob("without_*"))
            if not left_out_runs:
                raise MidogError(
                    f"{runs}/ has no run without_* to choose a threshold by",
                    "train some with `midog shift train --design leave-one-out`, or name runs with"
                    " {run}",
                    {"run": None},
                )
            tuned = tune_left_out(where, rois, left_out_runs, goal, data=data, **shared)
    say(f"{where}: threshold {tuned.before:.3f} before, {tuned.threshold:.3f} now ({goal})")
    print_tuned(tuned)


def _check_words(
    leave_out: str | None, run: list[Path] | None, detections: Path | None, calibrate: bool
) -> None:
    """Refuse options that do not go together."""
    if leave_out is None and run:
        raise typer.BadParameter("it goes with --leave-out", param_hint="--run")
    if leave_out is not None and detections is not None:
        raise typer.BadParameter(
            "they are this model's, and --leave-out scores other runs", param_hint="--detections"
        )
    if calibrate and (leave_out is not None or detections is not None):
        raise typer.BadParameter(
            "it goes with neither --leave-out nor --detections", param_hint="--calibrate"
        )
