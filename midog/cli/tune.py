"""`midog tune`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from midog.cli.shared import number, print_table, stoppable
from midog.cli.terminal import say
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.data.roi import Roi


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
    verifier: Annotated[
        Path | None,
        option(
            "--verifier",
            "RUN",
            "Fit on val how this classifier's score joins the model's, and write both as a verifier"
            " into --out: a run of `midog patches train` whose second class is the figure, or a"
            " verifier of another model.",
            SCORING,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        option("--out", "FOLDER", "The verifier that --verifier writes.", SCORING),
    ] = None,
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

    The goal is the highest F1, unless one of --precision and --fp-per-mm2 sets another. With
    --verifier the model stays as it is, and a verifier is written.
    """
    _check_words(leave_out, run, detections, calibrate)
    others = (leave_out, run, detections, precision, fp_per_mm2, calibrate or None)
    _check_verifier(verifier, out, any(one is not None for one in others) or orientations > 1)
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
    in_val = len(select_rois(rois, "val"))
    where = model or newest_model(runs, task="detection")
    if verifier is not None and out is not None:
        with stoppable("stopped; nothing is written"):
            _fit(where, verifier, rois, out, other_data=other_data, mpp=mpp, device=device)
        return
    total, done = in_val * (1 + calibrate), 0
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


def _check_verifier(verifier: Path | None, out: Path | None, others: bool) -> None:
    """Refuse options that --verifier does not go with, or lacks."""
    if verifier is None and out is not None:
        raise typer.BadParameter("it goes with --verifier", param_hint="--out")
    if verifier is not None and out is None:
        raise typer.BadParameter("name a folder for the verifier", param_hint="--out")
    if verifier is not None and others:
        raise typer.BadParameter(
            "its rule and threshold are fitted to the best F1, to detections made now in one"
            " orientation: leave other goals and --detections, --calibrate, --orientations out",
            param_hint="--verifier",
        )


def _fit(model: Path, verifier: Path, rois: Sequence[Roi], out: Path, **words: Any) -> None:
    """Fit the rule of a classifier that exists, and say what it is worth on val."""
    from midog.training.tasks.rule_fit import fit_rule

    fitted = fit_rule(model, verifier, rois, out, **words)
    rule, both, alone = fitted.rule, fitted.counts, fitted.alone
    say(
        f"{out}: {fitted.figure} of {verifier} counts as mitotic figure; AUC"
        f" {number(fitted.auc)} over the detections of {model} in {fitted.rois} val ROIs"
    )
    say(
        f"rule: bias {rule.bias:.3f}, detector {rule.detector:.3f}, verifier {rule.verifier:.3f};"
        f" threshold {fitted.threshold:.3f} (best joint F1 on val)"
    )
    print_table(
        ["on val", "TP", "FP", "FN", "precision", "recall", "F1"],
        [
            [
                name,
                *(str(count) for count in (own.tp, own.fp, own.fn)),
                *(number(ratio) for ratio in (own.precision, own.recall, own.f1)),
            ]
            for name, own in (("detector alone", alone), ("with the second look", both))
        ],
    )


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
