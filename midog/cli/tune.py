"""`midog tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from midog.cli.options import (
    DATA,
    DATA_FOLDERS,
    SCORING,
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
    orientations: OrientationsOption = 1,
    device: DeviceOption = "auto",
    runs: RunsOption = Path("runs"),
    mpp: MppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
) -> None:
    """Choose a model's threshold on the val ROIs and store it.

    The goal is the highest F1, unless one of --precision and --fp-per-mm2 sets another.
    """
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation.tuning import Goal
    from midog.evaluation.tuning import tune as run
    from midog.progress import bar
    from midog.training.runs import newest_model

    goal = Goal(precision, fp_per_mm2)
    rois = read_rois(
        data or DATA_FOLDERS, split=split, annotations=annotations, bbox=bbox, classes=classes
    )
    total, done = len(select_rois(rois, "val")), 0
    where = model or newest_model(runs, task="detection")
    with stoppable("stopped; the model is unchanged"), bar("val ROIs") as move:

        def count(name: str, figures: int | None) -> None:
            nonlocal done
            done += 1
            move(done, total)

        tuned = run(
            where,
            rois,
            goal,
            other_data=other_data,
            detections=detections,
            orientations=orientations,
            mpp=mpp,
            device=device,
            on_image=count,
        )
    say(f"{where}: threshold {tuned.before:.3f} before, {tuned.threshold:.3f} now ({goal})")
    print_tuned(tuned)
