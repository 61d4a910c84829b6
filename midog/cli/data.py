"""`midog data` and `midog splits`: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from midog.cli.flags import Command
from midog.cli.shared import (
    AnnotationsOption,
    BboxOption,
    DataOption,
    SplitOption,
    print_table,
    say,
    stoppable,
)
from midog.errors import MidogError

data_app = typer.Typer(
    rich_markup_mode=None, help="Draw, download and check data folders.", no_args_is_help=True
)
splits_app = typer.Typer(
    rich_markup_mode=None,
    help="Make and check splits into train, val, test and unlabelled.",
    no_args_is_help=True,
)


@data_app.command("draw", cls=Command)
def data_draw(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    rois: Annotated[
        int, typer.Option("--rois", min=1, help="ROIs of each scanner that training sees.")
    ] = 10,
    size: Annotated[
        int, typer.Option("--size", min=256, max=16384, help="Side of an ROI, px.")
    ] = 1024,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Draw the phantom: synthetic H&E of four scanners, one of them unlabelled, laid out as MIDOG
    2021."""
    from midog.data.phantom.draw import draw_phantom
    from midog.progress import bar

    with stoppable("stopped; nothing was left behind"), bar("ROIs drawn") as move:
        made = draw_phantom(folder, rois_per_scanner=rois, size=size, seed=seed, on_roi=move)
    typer.echo(made)
    say(f"next: midog data check {folder}, or midog train --config small --data {folder}")


@data_app.command("download", cls=Command)
def data_download(
    dataset: Annotated[
        Literal["midog21", "midogpp"],
        typer.Argument(help="midog21 (22 GB) or midogpp (65 GB).", show_default=False),
    ],
    folder: Annotated[Path, typer.Argument(help="Folder to fill.")] = Path("data"),
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this file; may be given many times.")
    ] = None,
) -> None:
    """Fetch MIDOG 2021 (Zenodo) or MIDOG++ (figshare), with checksums; starting again goes on where
    it was."""
    from midog.data.download.download import download
    from midog.progress import transfer_bar

    with (
        stoppable("stopped; what came stays, the same command goes on from there"),
        transfer_bar() as move,
    ):
        report = download(dataset, folder, only=only, on_progress=move)
    say(
        f"{len(report.fetched)} files fetched ({report.bytes_fetched / 1e9:.2f} GB),"
        f" {len(report.skipped)} were there"
    )
    if report.unverified:
        say(
            f"warning: no checksum is published or could be had for {len(report.unverified)} of"
            " them"
        )
    typer.echo(report.folder)
    say(f"next: midog data check {folder}")


@data_app.command("check", cls=Command)
def data_check(
    folder: Annotated[Path, typer.Argument(help="Data folder.")] = Path("data"),
    split: SplitOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Decode every image to the last pixel.")
    ] = False,
) -> None:
    """Say what is there per scanner and split, and everything that is wrong with it, all at
    once."""
    from midog.data.check import check_folder

    report = check_folder(folder, split=split, annotations=annotations, bbox=bbox, pixels=pixels)
    print_table(report.header(), report.lines())
    for warning in report.warnings:
        say(f"warning: {warning}")
    for problem in report.problems:
        say(f"error: {problem}")
    if report.problems:
        raise MidogError(
            f"{folder}: {len(report.problems)} problems, {len(report.warnings)} warnings"
        )
    say(
        f"{folder}: nothing wrong"
        + (f", {len(report.warnings)} warnings" if report.warnings else "")
    )


@splits_app.command("make", cls=Command)
def splits_make(
    data: DataOption = Path("data"),
    out: Annotated[
        Path, typer.Option("--out", help="CSV to write, or a folder for several.")
    ] = Path("split.csv"),
    scanners: Annotated[
        Path | None,
        typer.Option(
            "--scanners", help="CSV file_name,scanner[,patient,…]. [default: DATA/split.csv]"
        ),
    ] = None,
    val: Annotated[float, typer.Option("--val", min=0, max=1, help="Share of val.")] = 0.15,
    test: Annotated[float, typer.Option("--test", min=0, max=1, help="Share of test.")] = 0.2,
    folds: Annotated[
        int | None, typer.Option("--folds", min=2, help="k-fold: one CSV per fold.")
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            "--leave-out", help="A scanner that is all test, or 'each' for one CSV per scanner."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Make a split by patient, stratified by scanner and figure count."""
    from midog.data.make_splits import make_splits

    for path in make_splits(
        data,
        out,
        scanners=scanners,
        val=val,
        test=test,
        folds=folds,
        leave_out=leave_out,
        seed=seed,
        annotations=annotations,
        bbox=bbox,
        overwrite=overwrite,
    ):
        typer.echo(path)


@splits_app.command("check", cls=Command)
def splits_check(
    split: Annotated[str, typer.Argument(help="Split CSV, or a shipped one such as midog21.")],
    data: DataOption = Path("data"),
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
) -> None:
    """Check a split against the data: roles, patients in two roles, unlabelled ROIs in train, val
    or test."""
    from midog.data.check import check_folder

    report = check_folder(data, split=split, annotations=annotations, bbox=bbox, images=False)
    print_table(report.header(), report.lines())
    for line in [
        *(f"warning: {each}" for each in report.warnings),
        *(f"error: {each}" for each in report.problems),
    ]:
        say(line)
    if report.problems:
        raise MidogError(f"{split}: {len(report.problems)} problems")
    say(f"{split}: nothing wrong")
