"""The `midog shift` commands: train one model per scanner, and report how far apart scanners are
and what it costs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from midog.cli.flags import Command
from midog.cli.shared import (
    DeviceOption,
    RunsOption,
    SplitOption,
    is_first,
    load_settings,
    number,
    print_result,
    print_table,
    say,
    stoppable,
)
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.shift.result import ShiftResult

shift_app = typer.Typer(
    help="How far apart scanners are, and how much F1 that costs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@shift_app.command("train", cls=Command)
def train(
    config: Annotated[
        str | None,
        typer.Option(
            "--config", help="YAML file, or a shipped one: default, fast, reference, small."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder. [default: data]")
    ] = None,
    split: SplitOption = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="[default: 200]")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="[default: 0]")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")
    ] = None,
    runs: RunsOption = Path("runs"),
    design: Annotated[
        Literal["both", "single", "leave-one-out"],
        typer.Option(
            "--design",
            help="single: a model per scanner; leave-one-out: a model without each scanner.",
        ),
    ] = "both",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. train.lr=0.0003.")
    ] = None,
) -> None:
    """Train on each scanner alone, and without each; done runs are skipped, a stopped one is gone
    on with."""
    short = {
        "data.dir": data,
        "data.split": split,
        "train.epochs": epochs,
        "train.seed": seed,
        "machine.device": device,
    }
    settings = load_settings(config, overrides, short)
    from midog.studies.scanners import train_study

    planned = 0

    def announce(done: int, total: int, line: str) -> None:
        nonlocal planned
        planned = total
        if is_first():
            say(f"[{done + 1}/{total}] {line}")

    with stoppable("stopped; the same command goes on from what is saved"):
        folders = train_study(settings, runs=runs, design=design, on_training=announce)
    if is_first():
        for folder in folders:
            typer.echo(folder)
        if held := planned - len(folders):
            say(
                f"{held} of {planned} are still being trained by other processes: ask again when"
                " they are done"
            )
        else:
            say(f"next: midog shift report {shlex.join(map(str, folders))}")


@shift_app.command("report", cls=Command)
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs, e.g. runs/*.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="The HTML page to write.")] = Path(
        "shift.html"
    ),
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data folder. [default: where each run was trained from]"),
    ] = None,
    device: DeviceOption = "auto",
    per_roi: Annotated[
        int, typer.Option("--patches-per-roi", min=1, help="Of which distances are measured.")
    ] = 16,
    patch_px: Annotated[
        int, typer.Option("--patch-px", min=64, help="Side of these patches in px.")
    ] = 256,
    resamples: Annotated[
        int, typer.Option("--resamples", min=0, help="Of the bootstrap over patients.")
    ] = 2000,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the patches and the bootstrap.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON on stdout.")
    ] = False,
) -> None:
    """Test trained runs on every scanner, measure how far apart the scanners are, and write one
    HTML page."""
    if not out.absolute().parent.is_dir():  # said before the work, not after
        raise MidogError(
            f"there is no folder {out.parent} for {out.name}", "make it, or choose another --out"
        )
    from midog.progress import bar
    from midog.report.shift_page import write_shift_page
    from midog.shift.domain_shift import domain_shift

    hint = "stopped; what was detected stays, the same command goes on with the rest"
    with stoppable(hint), bar("test images") as move:
        result = domain_shift(
            runs,
            data=data,
            device=device,
            per_roi=per_roi,
            patch_px=patch_px,
            resamples=resamples,
            seed=seed,
            on_step=say,
            on_image=move,
        )
    # the page first, as a pipe that closes early must not cost it; the figures even where it
    # cannot be written
    try:
        write_shift_page(out, result)
        say(f"the report is {out}")
    finally:
        print_result(result, as_json, print_matrix)


def print_matrix(result: ShiftResult) -> None:
    """F1 of each model by scanner, * where it trained on it; then the means and the gap."""
    from midog.report.shift_words import ordered_rows, ordered_scanners

    scanners = ordered_scanners(result.matrix)
    rows = []
    for row in ordered_rows(result.matrix):
        cells = [row.cells.get(name) for name in scanners]
        shown = ["-" if cell is None else number(cell.f1.value) + "*" * cell.seen for cell in cells]
        rows.append(
            [
                row.name,
                *shown,
                number(row.seen.value),
                number(row.unseen.value),
                number(row.drop.value, "+"),
            ]
        )
    print_table(["F1 of / on", *scanners, "seen", "unseen", "drop"], rows)
    typer.echo("* trained on that scanner")
    for name, each in (
        ("on the diagonal (models of one scanner, on it)", result.matrix.on_diagonal),
        ("off the diagonal (on the other scanners)", result.matrix.off_diagonal),
        ("gap", result.matrix.gap),
    ):
        limits = f"{number(each.low)} to {number(each.high)}"
        typer.echo(f"mean F1 {name}: {number(each.value)}, {result.level:.0%} interval {limits}")
