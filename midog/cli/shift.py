"""`midog shift`: one model per scanner, and how far apart scanners are."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from midog.cli.command import Command, Group
from midog.cli.options import (
    DATA,
    MOST_SEED,
    OUTPUT,
    RUN,
    SCORING,
    ConfigOption,
    DeviceOption,
    EpochsOption,
    JsonOption,
    ResamplesOption,
    RunsOption,
    SetOption,
    SplitOption,
    TrainingClassesOption,
    TrainingDataOption,
    TrainingDeviceOption,
    TrainingSeedOption,
    argument,
    option,
)
from midog.cli.outputs import PAGE, check_output
from midog.cli.shared import (
    is_first,
    number,
    print_result,
    print_table,
    stoppable,
    training_settings,
)
from midog.cli.terminal import say, show

if TYPE_CHECKING:
    from midog.metrics.bootstrap import Interval
    from midog.shift.result import ShiftResult

shift_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Measure how far apart scanners are, and the F1 that it costs.",
    no_args_is_help=True,
)


@shift_app.command("train", cls=Command)
def train(
    data: TrainingDataOption = None,
    split: SplitOption = None,
    classes: TrainingClassesOption = None,
    design: Annotated[
        Literal["both", "single", "leave-one-out"],
        option(
            "--design",
            "NAME",
            "single: a model per scanner; leave-one-out: one without each scanner; both.",
            RUN,
        ),
    ] = "both",
    config: ConfigOption = None,
    epochs: EpochsOption = None,
    seed: TrainingSeedOption = None,
    overrides: SetOption = None,
    device: TrainingDeviceOption = None,
    runs: RunsOption = Path("runs"),
) -> None:
    """Train a model on each scanner alone, and one without each.

    Finished runs are skipped and an interrupted one is resumed. Several processes that are started
    in one folder share the trainings.
    """
    settings = training_settings(
        config,
        overrides,
        data=data,
        split=split,
        classes=classes,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    from midog.studies.scanners import train_study

    planned = 0

    def announce(done: int, total: int, line: str) -> None:
        nonlocal planned
        planned = total
        if is_first():
            say(f"[{done + 1}/{total}] {line}")

    with stoppable("stopped; the same command resumes from what is saved"):
        folders = train_study(settings, runs=runs, design=design, on_training=announce)
    if is_first():
        for folder in folders:
            show(folder)
        if held := planned - len(folders):
            say(
                f"{held} of {planned} are still being trained by other processes: ask again when"
                " they are done"
            )
        else:
            say(f"next: midog shift report {shlex.join(map(str, folders))}")


@shift_app.command("report", cls=Command)
def report(
    runs: Annotated[list[Path], argument("RUNS...", "Folders of runs, e.g. runs/*.")],
    data: Annotated[
        list[Path] | None,
        option(
            "--data",
            "FOLDER",
            "Data folder; repeatable. [default: those of each run's training]",
            DATA,
        ),
    ] = None,
    per_roi: Annotated[
        int,
        option(
            "--patches-per-roi", "N", "Patches per ROI for the distances.", SCORING, min=1, max=1000
        ),
    ] = 16,
    patch_px: Annotated[
        int, option("--patch-px", "PX", "Side of these patches.", SCORING, min=64, max=4096)
    ] = 256,
    resamples: ResamplesOption = 2000,
    seed: Annotated[
        int,
        option(
            "--seed", "N", "Seed of the patches and the bootstrap.", SCORING, min=0, max=MOST_SEED
        ),
    ] = 0,
    out: Annotated[Path, option("--out", "FILE", "HTML page to write.", OUTPUT)] = Path(
        "shift.html"
    ),
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Test trained runs on every scanner and write one HTML page.

    Prints the F1 of each model on each scanner. The page adds how far apart the scanners are.
    """
    check_output(out, PAGE, "out")
    from midog.progress import bar
    from midog.report.shift_page import write_shift_page
    from midog.shift.domain_shift import domain_shift

    hint = "stopped; finished detections stay, the same command does the rest"
    with stoppable(hint), bar("test images") as move:
        result = domain_shift(
            runs,
            data=data or None,
            device=device,
            per_roi=per_roi,
            patch_px=patch_px,
            resamples=resamples,
            seed=seed,
            on_step=say,
            on_image=move,
        )
    # the page first, as a pipe that closes early must not cost it; the scores even if it cannot
    # be written
    try:
        write_shift_page(out, result)
        say(f"the report is {out}")
    finally:
        print_result(result, as_json, print_matrix)


def print_matrix(result: ShiftResult) -> None:
    """Print F1 of each model by scanner, * on those of its training, and the means and the gap;
    then F1 at the best threshold for each cell, and what the own threshold lacks to it."""
    from midog.report.shift_rows import ordered_rows, ordered_scanners

    scanners = ordered_scanners(result.matrix)
    rows = []
    for row, cells in zip(ordered_rows(result.matrix), _cells(result, "f1"), strict=True):
        means = [number(row.seen.value), number(row.unseen.value), number(row.drop.value, "+")]
        rows.append([*cells, *means])
    print_table(["F1 of / on", *scanners, "seen", "unseen", "drop"], rows)
    show("* trained on that scanner")
    for name, mean in (
        ("F1 on the diagonal (models of one scanner, on it)", result.matrix.on_diagonal),
        ("F1 off the diagonal (on the other scanners)", result.matrix.off_diagonal),
        ("F1 gap", result.matrix.gap),
    ):
        _print_mean(result, name, mean)
    if any(
        not math.isnan(cell.oracle_f1.value)
        for row in result.matrix.rows
        for cell in row.cells.values()
    ):
        _print_threshold_cost(result, scanners)


def _print_threshold_cost(result: ShiftResult, scanners: list[str]) -> None:
    """Print the oracle's F1 and the threshold's loss of each cell, and how they are to be read."""
    for words, what in (("oracle F1", "oracle_f1"), ("threshold loss", "threshold_loss")):
        show("")
        print_table([f"{words} of / on", *scanners], _cells(result, what))
    _print_mean(result, "threshold loss on the diagonal", result.matrix.own_threshold_loss)
    _print_mean(result, "threshold loss off the diagonal", result.matrix.other_threshold_loss)
    show(
        "oracle F1: at the threshold that is best for these very figures, an upper bound: not to be"
        " published as F1"
    )


def _cells(result: ShiftResult, what: str) -> list[list[str]]:
    """A row for each model: its name, then one number of each cell, * where the scanner is seen."""
    from midog.report.shift_rows import ordered_rows, ordered_scanners

    lines = []
    for row in ordered_rows(result.matrix):
        cells = [row.cells.get(name) for name in ordered_scanners(result.matrix)]
        shown = [
            "-" if cell is None else number(getattr(cell, what).value) + "*" * cell.seen
            for cell in cells
        ]
        lines.append([row.name, *shown])
    return lines


def _print_mean(result: ShiftResult, name: str, mean: Interval) -> None:
    limits = f"{number(mean.low)} to {number(mean.high)}"
    show(f"mean {name}: {number(mean.value)}, {result.level:.0%} interval {limits}")
