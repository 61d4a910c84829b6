"""The commands about scores: evaluate detections, compare two models, tune a model's threshold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midog.cli.shared import (
    AnnotationsOption,
    BboxOption,
    DataOption,
    DeviceOption,
    MppOption,
    RunsOption,
    SplitOption,
    number,
    print_result,
    print_table,
    say,
    stoppable,
)
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.evaluation.comparison import Comparison
    from midog.evaluation.result import Evaluation
    from midog.evaluation.tuning import Tuned

SubsetOption = Annotated[
    str, typer.Option("--subset", help="Role that is scored: train, val, test or all.")
]
ByOption = Annotated[
    str,
    typer.Option("--by", help="scanner, tumour, … any column of the split; tumour,scanner nests."),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0,
        max=1,
        help="Count all points of this probability or more, whatever their name.",
    ),
]
ScoredMppOption = Annotated[
    float | None,
    typer.Option(
        "--mpp", min=0.01, max=100, help="um/px of the ROIs; overrules the split and the images."
    ),
]
MissingOption = Annotated[
    bool,
    typer.Option("--allow-missing", help="ROIs without a file count as ROIs without detections."),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print all of it as JSON on stdout.")]
ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="Model or run folder. [default: the newest best model]"),
]
PrecisionOption = Annotated[
    float | None,
    typer.Option("--precision", min=0, max=1, help="Highest recall at this precision or more."),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--fp-per-mm2", min=0, help="Highest recall at this many false positives or fewer."
    ),
]
FoundOption = Annotated[
    Path | None,
    typer.Option("--detections", help="What this model found in val. [default: detect now]"),
]
OtherDataOption = Annotated[
    bool,
    typer.Option(
        "--other-data", help="The val ROIs are known to be none that the model learned from."
    ),
]


def evaluate(
    detections: Annotated[
        Path, typer.Argument(help="Folder of challenge JSON files.", show_default=False)
    ],
    data: DataOption = Path("data"),
    split: SplitOption = None,
    subset: SubsetOption = "test",
    by: ByOption = "scanner",
    threshold: ThresholdOption = None,
    mpp: ScoredMppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    allow_missing: MissingOption = False,
    resamples: Annotated[
        int,
        typer.Option("--resamples", min=0, help="Of the bootstrap over patients; 0: no intervals."),
    ] = 2000,
    seed: SeedOption = 0,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", help="Write one HTML page: tables, curves, pictures of the errors."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write a CSV with a line per ROI.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score detections as the challenge does: F1, precision, recall, AP and FROC, with intervals,
    by scanner."""
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation.scoring import evaluate as score
    from midog.files import replace_text

    for option, path in (("--report", report), ("--csv", csv)):
        if (
            path is not None and not path.absolute().parent.is_dir()
        ):  # said before the work, not after
            raise MidogError(
                f"there is no folder {path.parent} for {path.name}",
                f"make it, or choose another {option}",
            )
    rois = select_rois(read_rois(data, split=split, annotations=annotations, bbox=bbox), subset)
    result = score(
        detections,
        rois,
        by=by,
        threshold=threshold,
        mpp=mpp,
        allow_missing=allow_missing,
        resamples=resamples,
        seed=seed,
    )
    # files first, as a pipe that closes early must not cost them; the scores even where one
    # cannot be written
    try:
        if csv is not None:
            replace_text(csv, result.to_csv())
            say(f"scores of each ROI are in {csv}")
        if report is not None:
            from midog.report.evaluation_page import write_evaluation_page

            write_evaluation_page(report, result, rois, title=f"Scores of {detections}")
            say(f"the report is {report}")
    finally:
        print_result(result, as_json, print_scores)


def compare(
    detections_a: Annotated[
        Path, typer.Argument(metavar="A", help="Detections of model A.", show_default=False)
    ],
    detections_b: Annotated[
        Path, typer.Argument(metavar="B", help="Detections of model B.", show_default=False)
    ],
    data: DataOption = Path("data"),
    split: SplitOption = None,
    subset: SubsetOption = "test",
    by: ByOption = "scanner",
    threshold: ThresholdOption = None,
    mpp: ScoredMppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    allow_missing: MissingOption = False,
    resamples: Annotated[
        int,
        typer.Option(
            "--resamples",
            min=1,
            help="Draws of patients for the intervals; most swaps of them for p.",
        ),
    ] = 2000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Does model A beat model B? A - B with a bootstrap interval and the p of a permutation test,
    over patients."""
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation.comparison import compare as run

    rois = select_rois(read_rois(data, split=split, annotations=annotations, bbox=bbox), subset)
    result = run(
        detections_a,
        detections_b,
        rois,
        by=by,
        threshold=threshold,
        mpp=mpp,
        allow_missing=allow_missing,
        resamples=resamples,
        seed=seed,
    )
    print_result(result, as_json, print_comparison)


def tune(
    model: ModelOption = None,
    data: DataOption = Path("data"),
    split: SplitOption = None,
    precision: PrecisionOption = None,
    fp_per_mm2: RateOption = None,
    detections: FoundOption = None,
    other_data: OtherDataOption = False,
    mpp: MppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    device: DeviceOption = "auto",
    runs: RunsOption = Path("runs"),
) -> None:
    """Choose a model's threshold on val (best F1, or a goal of yours), and store it with the
    model."""
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation.tuning import Goal
    from midog.evaluation.tuning import tune as run
    from midog.progress import bar
    from midog.training.runs import newest_model

    goal = Goal(precision, fp_per_mm2)
    rois = read_rois(data, split=split, annotations=annotations, bbox=bbox)
    total, done = len(select_rois(rois, "val")), 0
    where = model or newest_model(runs, task="detection")
    with stoppable("stopped; the model is as it was"), bar("val ROIs") as move:

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
            mpp=mpp,
            device=device,
            on_image=count,
        )
    say(
        f"{where}: threshold {tuned.before:.3f} until now, {tuned.threshold:.3f} from now on"
        f" ({goal})"
    )
    print_tuned(tuned)


def print_tuned(tuned: Tuned) -> None:
    """What the new threshold gives on val."""
    alarms = number(tuned.counts.fp / tuned.area_mm2) if tuned.area_mm2 > 0 else "-"
    header = ["threshold", "ROIs", "TP", "FP", "FN", "precision", "recall", "F1", "FP/mm2"]
    counts = [str(each) for each in (tuned.rois, tuned.counts.tp, tuned.counts.fp, tuned.counts.fn)]
    ratios = [
        number(each) for each in (tuned.counts.precision, tuned.counts.recall, tuned.counts.f1)
    ]
    print_table(header, [[number(tuned.threshold), *counts, *ratios, alarms]])


def print_scores(result: Evaluation) -> None:
    """A line for each group, with the measures that have a column; the interval of the main one."""
    from midog.evaluation.measures import MAIN, MEASURES

    measures = [measure for measure in MEASURES.values() if measure.table]
    header = ["group", "ROIs", "figures", "TP", "FP", "FN"]
    for measure in measures:
        header.append(measure.table)
        if result.resamples and measure.key == MAIN:
            header.append(f"{result.level:.0%} interval")
    rows = []
    for name, group in result.groups.items():
        counts = [group.rois, group.figures, group.counts.tp, group.counts.fp, group.counts.fn]
        row = [name, *map(str, counts)]
        for measure in measures:
            row.append(number(group.values[measure.key]))
            if result.resamples and measure.key == MAIN:
                limits = group.intervals[MAIN]
                row.append(f"{number(limits.low)} - {number(limits.high)}")
        rows.append(row)
    print_table(header, rows)


def print_comparison(result: Comparison) -> None:
    """A line for each group and score, and below them, on stderr, how p is to be read."""
    header = ["group", "score", "A", "B", "A - B", f"{result.level:.0%} interval", "p"]
    rows = []
    for name, theirs in result.differences.items():
        for key, gain in theirs.items():
            values = [number(groups[name].values[key]) for groups in (result.a, result.b)]
            limits = f"{number(gain.low, '+')} to {number(gain.high, '+')}"
            rows.append([name, key, *values, number(gain.value, "+"), limits, number(gain.p)])
    print_table(header, rows)
    say(_about_p(result))


def _about_p(result: Comparison) -> str:
    patients = {name: group.patients for name, group in result.a.items()}
    line = (
        f"p: A and B swapped for each of {patients['all']} patients; of one row alone, not"
        " corrected for many rows"
    )
    few = [
        f"{name} {number(2 / 2**count)}"
        for name, count in patients.items()
        if 2 <= count < 6 and 2**count <= result.resamples
    ]
    if few:
        line += f"; with so few patients p cannot fall below 2/2^patients: {', '.join(few)}"
    return line
