"""`midog data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from midog.cli.command import Command, Group
from midog.cli.flags import flag_names
from midog.cli.options import (
    DATA,
    DATA_FOLDERS,
    MOST_SEED,
    OUTPUT,
    AnnotationsFormatOption,
    AnnotationsOption,
    BboxOption,
    ClassesOption,
    ConfigOption,
    DataOption,
    SetOption,
    SplitOption,
    TrainingClassesOption,
    TrainingDataOption,
    TrainingSeedOption,
    argument,
    option,
)
from midog.cli.shared import print_table, stoppable, training_settings
from midog.cli.terminal import say, show
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.data.folder_report import FolderReport

MOST_PROBLEMS = 100
"""Problems that are printed one by one; the others are counted."""

data_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Draw, download and check data folders.",
    no_args_is_help=True,
)


@data_app.command("draw", cls=Command)
def draw(
    folder: Annotated[Path, argument("FOLDER", "Folder to make.")],
    rois: Annotated[
        int, option("--rois", "N", "ROIs of each scanner that is in train.", DATA, min=1, max=1000)
    ] = 10,
    slides: Annotated[
        int | None,
        option(
            "--slides",
            "N",
            "Draw N slides of lymph nodes instead, every second one with metastases.",
            DATA,
            min=2,
            max=1000,
        ),
    ] = None,
    size: Annotated[
        int | None,
        option(
            "--size",
            "PX",
            "Side of an ROI, or width of a slide. [default: 1024, or 6144]",
            DATA,
            min=256,
            max=16384,
        ),
    ] = None,
    seed: Annotated[
        int, option("--seed", "N", "Seed of the drawing.", DATA, min=0, max=MOST_SEED)
    ] = 0,
) -> None:
    """Draw synthetic H&E of four scanners, to try things on.

    The folder is laid out as MIDOG 2021 is, one of the four scanners without labels; with --slides
    as CAMELYON16 is, with annotations and masks of tumour.
    """
    from midog.progress import bar

    if slides is not None:
        _draw_slides(folder, slides, size, seed)
        return
    from midog.data.phantom.draw import draw_phantom

    size = size or 1024
    with stoppable("stopped; nothing was left behind"), bar("ROIs drawn") as move:
        made = draw_phantom(folder, rois_per_scanner=rois, size=size, seed=seed, on_roi=move)
    show(made)
    say(f"next: midog data check {folder}, or midog train --config small --data {folder}")


def _draw_slides(folder: Path, slides: int, width: int | None, seed: int) -> None:
    from midog.data.phantom.draw_slides import SLIDE_SIZE, draw_slides
    from midog.progress import bar

    width = width or SLIDE_SIZE
    with stoppable("stopped; nothing was left behind"), bar("slides drawn") as move:
        made = draw_slides(folder, slides=slides, width=width, seed=seed, on_slide=move)
    show(made)
    say(f"next: midog patches sample {folder} --without-truth normal --out {folder}/places")


@data_app.command("download", cls=Command)
def download(
    dataset: Annotated[
        Literal["midog21", "midogpp", "pcam"],
        argument("NAME", "midog21 (22 GB), midogpp (65 GB) or pcam (8 GB; 9 GB unpacked)."),
    ],
    folder: Annotated[Path, argument("[FOLDER]", "Folder to fill.")] = Path("data"),
    only: Annotated[
        list[str] | None,
        option("--only", "FILE", "Only this file of the data set; repeatable.", DATA),
    ] = None,
) -> None:
    """Download MIDOG 2021, MIDOG++ or PatchCamelyon, verified.

    The files come from Zenodo and figshare. An interrupted download is resumed by the same
    command.
    """
    from midog.data.download.download import download as fetch
    from midog.progress import transfer_bar

    with (
        stoppable("stopped; the same command resumes from the bytes that arrived"),
        transfer_bar() as move,
    ):
        report = fetch(dataset, folder, only=only, on_progress=move)
    say(
        f"{len(report.fetched)} files fetched ({report.bytes_fetched / 1e9:.2f} GB),"
        f" {len(report.skipped)} existed already"
    )
    if report.unverified:
        say(
            f"warning: {len(report.unverified)} of them are not verified: no checksum is published"
            " or could be fetched"
        )
    show(report.folder)
    then = "patches train --data" if dataset == "pcam" else "data check"
    say(f"next: midog {then} {folder}")


@data_app.command("cut", cls=Command)
def cut(
    data: DataOption,
    out: Annotated[Path, option("--out", "FOLDER", "Data folder to make.", OUTPUT)],
    split: SplitOption = None,
    annotations: AnnotationsOption = None,
    classes: ClassesOption = "",
) -> None:
    """Cut annotated areas out of slides, as ROIs of a data folder.

    Areas are rectangles of a SlideRunner database or of QuPath's GeoJSON; --classes "ROI=area"
    states their class.
    """
    from midog.data.cut_areas import cut_areas, said
    from midog.data.folder import read_rois
    from midog.progress import bar

    rois = read_rois(data, split=split, annotations=annotations, classes=classes, in_areas=True)
    with stoppable("stopped; nothing was left behind"), bar("areas cut") as move:
        done = cut_areas(rois, out, on_area=move)
    show(out)
    for line in said(done, out):
        say(line)


@data_app.command("check", cls=Command)
def check(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None,
        argument("[FOLDERS...]", "Data folder; several are checked as one. [default: data]"),
    ] = None,
    split: SplitOption = None,
    pixels: Annotated[
        bool, option("--pixels", None, "Decode every image to the last pixel.", DATA)
    ] = False,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Count ROIs and figures, and report everything that is wrong."""
    from midog.data.check import check_folder

    report = check_folder(
        folders or DATA_FOLDERS,
        split=split,
        annotations=annotations,
        bbox=bbox,
        classes=classes,
        annotations_format=annotations_format,
        pixels=pixels,
    )
    print_table(report.header(), report.lines())
    say_findings(report, context)
    names = " and ".join(map(str, folders or DATA_FOLDERS))
    if report.problems:
        raise MidogError(
            f"{names}: {len(report.problems)} problems, {len(report.warnings)} warnings"
        )
    say(
        f"{names}: nothing wrong"
        + (f", {len(report.warnings)} warnings" if report.warnings else "")
    )


@data_app.command("preview", cls=Command)
def preview(
    data: TrainingDataOption = None,
    split: SplitOption = None,
    classes: TrainingClassesOption = None,
    config: ConfigOption = None,
    seed: TrainingSeedOption = None,
    overrides: SetOption = None,
    per_scanner: Annotated[
        int, option("--per-scanner", "N", "Patches of each scanner.", OUTPUT, min=1, max=20)
    ] = 2,
    out: Annotated[Path, option("--out", "FILE", "PNG to write.", OUTPUT)] = Path("preview.png"),
) -> None:
    """Draw a sheet of training patches with their boxes.

    A row shows the patches as they are cut, one each op of augmentation alone (at its setting, or
    at a usual one where it is off), and the last all that is on.
    """
    from midog.cli.outputs import PREVIEW, check_output

    check_output(out, PREVIEW, "--out")
    settings = training_settings(
        config,
        overrides,
        data=data,
        split=split,
        classes=classes,
        epochs=None,
        seed=seed,
        device=None,
    )
    from midog.report.preview import draw_preview

    with stoppable("stopped; nothing was written"):
        rows = draw_preview(
            out,
            settings.data,
            settings.sampling,
            settings.augment,
            seed=settings.train.seed,
            per_scanner=per_scanner,
        )
    say(f"{len(rows)} rows: {', '.join(rows)}")
    show(out)


def say_findings(report: FolderReport, context: typer.Context) -> None:
    """Print notes, warnings and problems on stderr; problems name the running command's flags."""
    for note in report.notes:
        say(f"note: {note}")
    for warning in report.warnings:
        say(f"warning: {warning}")
    for problem in report.problems[:MOST_PROBLEMS]:
        say(f"error: {problem.line(flag_names(context.command))}")
    if len(report.problems) > MOST_PROBLEMS:
        say(f"error: and {len(report.problems) - MOST_PROBLEMS} more problems")
