"""`midog ensemble`: one model of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from midog.cli.command import Command, Group
from midog.cli.options import (
    DATA,
    MODEL,
    OUTPUT,
    AnnotationsFormatOption,
    AnnotationsOption,
    BboxOption,
    ClassesOption,
    DeviceOption,
    MppOption,
    OrientationsOption,
    SplitOption,
    option,
)
from midog.cli.score_tables import print_tuned
from midog.cli.shared import stoppable
from midog.cli.terminal import say, show

ensemble_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Make one model of several.",
    no_args_is_help=True,
)


@ensemble_app.callback()
def _group() -> None:
    """Make one model of several."""


@ensemble_app.command("make", cls=Command)
def make(
    model: Annotated[
        list[Path],
        option("--model", "FOLDER", "Model or run; give two or more, of any kind and mpp.", MODEL),
    ],
    out: Annotated[Path, option("--out", "FOLDER", "Folder for the ensemble.", OUTPUT)],
    data: Annotated[
        list[Path] | None,
        option(
            "--data",
            "FOLDER",
            "Data folder to choose the threshold on, on its val ROIs; repeatable: used as one."
            " [default: none is chosen]",
            DATA,
        ),
    ] = None,
    split: SplitOption = None,
    other_data: Annotated[
        bool,
        option(
            "--other-data",
            None,
            "State that no model was trained on any of the val ROIs.",
            DATA,
        ),
    ] = False,
    orientations: OrientationsOption = 1,
    device: DeviceOption = "auto",
    mpp: MppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Make a folder of several models that is used as one model.

    It holds copies of the models. Its detections are the models' own, fused: where n models look
    and some of them see a figure, it scores the sum of their scores over n.
    """
    from midog.data.folder import read_rois
    from midog.inference.loaded_models import make_ensemble

    if data is None and orientations > 1:
        raise typer.BadParameter(
            "it is for choosing a threshold, which needs --data", param_hint="--orientations"
        )
    rois = []
    if data is not None:  # what is wrong with it comes before the work
        rois = read_rois(
            data,
            split=split,
            annotations=annotations,
            bbox=bbox,
            classes=classes,
            annotations_format=annotations_format,
        )
    threshold = make_ensemble(model, out)
    show(out)
    if data is None:
        say(
            f"threshold {threshold:.3f}, the mean of the models' own: scores of an ensemble have"
            f" another scale, `midog tune --model {out}` chooses one"
        )
        return
    from midog.evaluation.goals import Goal
    from midog.evaluation.tuning import tune

    with stoppable(f"stopped; {out} is made, and its threshold is not chosen"):
        tuned = tune(
            out,
            rois,
            Goal(),
            other_data=other_data,
            orientations=orientations,
            mpp=mpp,
            device=device,
        )
    say(f"{out}: threshold {tuned.before:.3f} before, {tuned.threshold:.3f} now")
    print_tuned(tuned)
