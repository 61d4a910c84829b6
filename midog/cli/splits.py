"""`midog splits`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from midog.cli.command import Command, Group
from midog.cli.data import say_findings
from midog.cli.options import (
    DATA,
    DATA_FOLDERS,
    MOST_SEED,
    OUTPUT,
    AnnotationsFormatOption,
    AnnotationsOption,
    BboxOption,
    ClassesOption,
    DataFoldersOption,
    DataOption,
    argument,
    option,
)
from midog.cli.shared import print_table
from midog.cli.terminal import say, show
from midog.errors import MidogError

SPLIT = "Split"

splits_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Make and check splits into train, val, test and unlabelled.",
    no_args_is_help=True,
)


@splits_app.command("make", cls=Command)
def make(
    data: DataOption = Path("data"),
    scanners: Annotated[
        Path | None,
        option(
            "--scanners",
            "FILE",
            "CSV file_name,scanner[,patient,…]. [default: DATA/split.csv]",
            DATA,
        ),
    ] = None,
    val: Annotated[float, option("--val", "SHARE", "Share of val.", SPLIT, min=0, max=1)] = 0.15,
    test: Annotated[float, option("--test", "SHARE", "Share of test.", SPLIT, min=0, max=1)] = 0.2,
    folds: Annotated[
        int | None, option("--folds", "K", "Make K folds, a CSV per fold.", SPLIT, min=2, max=1000)
    ] = None,
    leave_out: Annotated[
        str | None,
        option(
            "--leave-out",
            "SCANNER",
            "Put a scanner into test as a whole; 'each': a CSV per scanner.",
            SPLIT,
        ),
    ] = None,
    seed: Annotated[
        int, option("--seed", "N", "Seed of the split.", SPLIT, min=0, max=MOST_SEED)
    ] = 0,
    out: Annotated[
        Path, option("--out", "FILE", "CSV to write, or a folder for several.", OUTPUT)
    ] = Path("split.csv"),
    overwrite: Annotated[
        bool, option("--overwrite", None, "Replace files that exist.", OUTPUT)
    ] = False,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Split by patient, stratified by scanner and figure count."""
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
        classes=classes,
        annotations_format=annotations_format,
        overwrite=overwrite,
    ):
        show(path)


@splits_app.command("check", cls=Command)
def check_split(
    context: typer.Context,
    split: Annotated[str, argument("SPLIT", "Split CSV, or a shipped one: {splits}.")],
    data: DataFoldersOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Check roles, patients and labels of a split against the data."""
    from midog.data.check import check_folder

    report = check_folder(
        data or DATA_FOLDERS,
        split=split,
        annotations=annotations,
        bbox=bbox,
        classes=classes,
        annotations_format=annotations_format,
        images=False,
    )
    print_table(report.header(), report.lines())
    say_findings(report, context)
    if report.problems:
        raise MidogError(f"{split}: {len(report.problems)} problems")
    say(f"{split}: nothing wrong")
