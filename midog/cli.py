"""The command line: parses, calls, prints; no logic. Heavy imports sit inside the commands that need them."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from midog import __version__
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.evaluation import Evaluation

app = typer.Typer(
    name="midog",
    help="Train, run and honestly score detectors of mitotic figures on H&E histology. Not for diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # "[default: …]" in a help text is text
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `midog demo`. --debug, anywhere, shows the traceback of an error.",
)
data_app = typer.Typer(rich_markup_mode=None, help="Draw, download and check data folders.", no_args_is_help=True)
splits_app = typer.Typer(
    rich_markup_mode=None, help="Make and check splits into train, val, test and unlabelled.", no_args_is_help=True
)
app.add_typer(data_app, name="data")
app.add_typer(splits_app, name="splits")

DataOption = Annotated[Path, typer.Option("--data", help="Data folder: images/, one annotation file, split.csv.")]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="Split CSV, or a shipped one such as midog21. [default: DATA/split.csv]")
]
BboxOption = Annotated[
    Literal["auto", "xyxy", "xywh"], typer.Option("--bbox", help="How the annotation file writes boxes.")
]
AnnotationsOption = Annotated[
    Path | None, typer.Option("--annotations", help="Annotation file. [default: the only one in DATA]")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
RunsOption = Annotated[Path, typer.Option("--runs", help="Folder of runs.")]


def main() -> None:
    """Entry point: one line for what a user can mend, exit codes 0, 1 (error), 2 (command line), 130 (Ctrl-C)."""
    debug = "--debug" in sys.argv[1:]
    arguments = [each for each in sys.argv[1:] if each != "--debug"]
    try:
        app(args=arguments, prog_name="midog", standalone_mode=True)
    except MidogError as error:
        _fail(str(error), debug)
    except BrokenPipeError:  # the reader of a pipe went away
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}", debug)
    except Exception as error:  # our own mistake: say so, keep the traceback for --debug
        _fail(f"unexpected {type(error).__name__}: {' '.join(str(error).split())} (--debug shows where)", debug)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings on stderr.")] = False,
) -> None:
    if version:
        typer.echo(f"midog {__version__}")
        raise typer.Exit
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("midog").setLevel(logging.WARNING if quiet else logging.INFO)
    for library in ("tifffile", "lightning.fabric", "lightning_fabric"):  # what they log, our lines say better
        logging.getLogger(library).setLevel(logging.CRITICAL)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make.")] = Path("midog-demo"),
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    device: DeviceOption = "cpu",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Delete an earlier demo there first.")] = False,
) -> None:
    """Draw a small four-scanner data set, train on two of them, infer, score per scanner: minutes, no network."""
    from midog.demo import run_demo

    with _stoppable("stopped; the same command goes on from here"):
        result = run_demo(out, seed=seed, device=device, overwrite=overwrite, say=_say)
    _print_scores(result.evaluation)
    for line in result.closing:
        typer.echo(line)


@app.command()
def train(
    config: Annotated[
        str | None, typer.Option("--config", help="YAML file, or a shipped one: default, reference, small.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder. [default: data]")] = None,
    split: SplitOption = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="[default: 200]")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the run. [default: date and time]")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="[default: 0]")] = None,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")] = None,
    runs: RunsOption = Path("runs"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Start anew where a run could be gone on with.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print settings, data and model size, and stop.")] = False,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. train.lr=0.0003.")] = None,
) -> None:
    """Train a detector; goes on with the newest unfinished run of equal settings and data."""
    from midog.config import load_config

    short = {"data.dir": data, "data.split": split, "train.epochs": epochs, "train.seed": seed, "train.device": device}
    given = [f"{key}={json.dumps(str(value))}" for key, value in short.items() if value is not None]
    settings = load_config(config, [*(overrides or []), *given])
    from midog.training import setup

    if dry_run:
        settings = setup.resolve(settings)
        typer.echo(settings.to_yaml())
        for line in setup.describe(settings, setup.read_training_rois(settings)):
            typer.echo(line)
        return
    from midog.training.loop import train as run_training
    from midog.training.runs import read_state

    with _stoppable("stopped; the same command goes on from what is saved"):
        folder = run_training(settings, name=name, runs=runs, fresh=fresh)
    if not _is_first():
        return
    state = read_state(folder)
    best = state.get("best_f1")
    if best is not None:
        _say(f"best F1 on val {best:.3f} (epoch {state['best_epoch']})")
    typer.echo(folder / "best")
    _say(f"next: midog infer {settings.data.dir} --subset test; midog evaluate detections --data {settings.data.dir}")


@app.command()
def infer(
    images: Annotated[
        list[Path], typer.Argument(help="Images, folders of images, or a data folder.", show_default=False)
    ],
    model: Annotated[
        Path | None, typer.Option("--model", help="Model or run folder. [default: the newest best model]")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the detections.")] = Path("detections"),
    threshold: Annotated[
        float | None, typer.Option("--threshold", min=0, max=1, help="[default: the model's own, chosen on val]")
    ] = None,
    tile: Annotated[int | None, typer.Option("--tile", help="Side of a tile, px. [default: the model's, 1024]")] = None,
    overlap: Annotated[
        int | None, typer.Option("--overlap", help="Figures up to this side lie whole in a tile, px. [default: 64]")
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Tiles per step. [default: 4]")] = None,
    mpp: Annotated[float | None, typer.Option("--mpp", help="um/px of the images; overrules all else.")] = None,
    formats: Annotated[
        str, typer.Option("--format", help="challenge, csv, coco, overlay, with commas between.")
    ] = "challenge",
    subset: Annotated[
        str | None, typer.Option("--subset", help="Of a data folder: only the ROIs of this role, e.g. test.")
    ] = None,
    split: SplitOption = None,
    device: DeviceOption = "auto",
    workers: Annotated[int, typer.Option("--workers", min=0, help="Threads that read tiles ahead.")] = 2,
    runs: RunsOption = Path("runs"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do images again that are done.")] = False,
) -> None:
    """Detect mitotic figures in whole ROIs: one file per image; done images are skipped on a second run."""
    from midog.inference.folder import check_formats, find_jobs
    from midog.inference.folder import infer as infer_all
    from midog.progress import infer_bars
    from midog.training.runs import newest_model

    kinds = [kind.strip() for kind in formats.split(",") if kind.strip()]
    check_formats(kinds)
    jobs = find_jobs(images, subset=subset, split=split, mpp=mpp)
    where = model or newest_model(runs)
    from midog.inference.detect import Detector

    detector = Detector.load(
        where, device=device, threshold=threshold, tile=tile, overlap=overlap, batch_size=batch_size, workers=workers
    )
    _say(f"model {where}, threshold {detector.threshold:.3f}")
    hint = f"stopped; what is done stays in {out}/, the same command goes on with the rest"
    with _stoppable(hint), infer_bars(len(jobs)) as (on_image, on_tile):
        outcome = infer_all(jobs, detector, out, formats=kinds, overwrite=overwrite, on_image=on_image, on_tile=on_tile)
    for name, figures in outcome.figures.items():
        typer.echo(f"{name}\t{figures} mitotic figures")
    done = f"{len(outcome.figures)} images done, {sum(outcome.figures.values())} mitotic figures"
    skipped = f", {len(outcome.skipped)} were done before (--overwrite does them again)" if outcome.skipped else ""
    _say(f"{done}{skipped}; detections are in {out}/")
    if len(jobs) == 1 and outcome.failed:
        raise MidogError(*outcome.failed.values())
    if outcome.failed:
        for line in outcome.failed.values():
            _say(f"error: {line}")
        raise MidogError(f"{len(outcome.failed)} of {len(jobs)} images failed: {', '.join(outcome.failed)}")


@app.command()
def evaluate(
    detections: Annotated[Path, typer.Argument(help="Folder of challenge JSON files.", show_default=False)],
    data: DataOption = Path("data"),
    split: SplitOption = None,
    subset: Annotated[str, typer.Option("--subset", help="Role that is scored: train, val, test or all.")] = "test",
    by: Annotated[str, typer.Option("--by", help="scanner, or another column of the split.")] = "scanner",
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Count all points of this probability or more, whatever their name."),
    ] = None,
    mpp: Annotated[
        float | None, typer.Option("--mpp", help="um/px of the ROIs; overrules the split and the images.")
    ] = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="ROIs without a file count as ROIs without detections.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON on stdout.")] = False,
) -> None:
    """Score detections as the challenge does: F1, precision, recall and AP for each scanner and all."""
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation import evaluate as score

    rois = read_rois(data, split=split, annotations=annotations, bbox=bbox)
    result = score(
        detections, select_rois(rois, subset), by=by, threshold=threshold, mpp=mpp, allow_missing=allow_missing
    )
    if as_json:
        typer.echo(json.dumps(result.to_dict(), indent=1, allow_nan=False))
    else:
        _print_scores(result)


@data_app.command("draw")
def data_draw(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    rois: Annotated[int, typer.Option("--rois", min=1, help="ROIs per scanner.")] = 10,
    size: Annotated[int, typer.Option("--size", min=256, help="Side of an ROI, px.")] = 1024,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Draw the phantom: synthetic H&E of four scanners, one of them unlabelled, laid out as MIDOG 2021."""
    from midog.data.phantom import draw_phantom
    from midog.progress import bar

    with bar("ROIs drawn") as move:
        made = draw_phantom(folder, rois_per_scanner=rois, size=size, seed=seed, on_roi=move)
    typer.echo(made)
    _say(f"next: midog data check {folder}, or midog train --config small --data {folder}")


@data_app.command("download")
def data_download(
    dataset: Annotated[
        Literal["midog21", "midogpp"], typer.Argument(help="midog21 (22 GB) or midogpp (65 GB).", show_default=False)
    ],
    folder: Annotated[Path, typer.Argument(help="Folder to fill.")] = Path("data"),
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this file; may be given many times.")] = None,
) -> None:
    """Fetch MIDOG 2021 (Zenodo) or MIDOG++ (figshare), with checksums; starting again goes on where it was."""
    from midog.data.download import download
    from midog.progress import transfer_bar

    with _stoppable("stopped; what came stays, the same command goes on from there"), transfer_bar() as move:
        report = download(dataset, folder, only=only, on_progress=move)
    _say(f"{len(report.fetched)} files fetched ({report.bytes_fetched / 1e9:.2f} GB), {len(report.skipped)} were there")
    if report.unverified:
        _say(f"warning: no checksum is published or could be had for {len(report.unverified)} of them")
    typer.echo(report.folder)
    _say(f"next: midog data check {folder}")


@data_app.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(help="Data folder.")] = Path("data"),
    split: SplitOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    pixels: Annotated[bool, typer.Option("--pixels", help="Decode every image to the last pixel.")] = False,
) -> None:
    """Say what is there per scanner and split, and everything that is wrong with it, all at once."""
    from midog.data.check import check_folder

    report = check_folder(folder, split=split, annotations=annotations, bbox=bbox, pixels=pixels)
    _print_table(report.header(), report.lines())
    for warning in report.warnings:
        _say(f"warning: {warning}")
    for problem in report.problems:
        _say(f"error: {problem}")
    if report.problems:
        raise MidogError(f"{folder}: {len(report.problems)} problems, {len(report.warnings)} warnings")
    _say(f"{folder}: nothing wrong" + (f", {len(report.warnings)} warnings" if report.warnings else ""))


@splits_app.command("make")
def splits_make(
    data: DataOption = Path("data"),
    out: Annotated[Path, typer.Option("--out", help="CSV to write, or a folder for several.")] = Path("split.csv"),
    scanners: Annotated[
        Path | None, typer.Option("--scanners", help="CSV file_name,scanner[,patient,…]. [default: DATA/split.csv]")
    ] = None,
    val: Annotated[float, typer.Option("--val", min=0, max=1, help="Share of val.")] = 0.15,
    test: Annotated[float, typer.Option("--test", min=0, max=1, help="Share of test.")] = 0.2,
    folds: Annotated[int | None, typer.Option("--folds", min=2, help="k-fold: one CSV per fold.")] = None,
    leave_out: Annotated[
        str | None, typer.Option("--leave-out", help="A scanner that is all test, or 'each' for one CSV per scanner.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Make a split by patient, stratified by scanner and figure count."""
    from midog.data.folder import make_splits

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


@splits_app.command("check")
def splits_check(
    split: Annotated[str, typer.Argument(help="Split CSV, or a shipped one such as midog21.")],
    data: DataOption = Path("data"),
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
) -> None:
    """Check a split against the data: roles, patients in two roles, unlabelled ROIs in train, val or test."""
    from midog.data.check import check_folder

    report = check_folder(data, split=split, annotations=annotations, bbox=bbox, images=False)
    _print_table(report.header(), report.lines())
    for line in [*(f"warning: {each}" for each in report.warnings), *(f"error: {each}" for each in report.problems)]:
        _say(line)
    if report.problems:
        raise MidogError(f"{split}: {len(report.problems)} problems")
    _say(f"{split}: nothing wrong")


def _print_scores(result: Evaluation) -> None:
    header = ["group", "ROIs", "figures", "TP", "FP", "FN", "precision", "recall", "F1", "AP"]
    rows = []
    for name, group in result.to_dict()["groups"].items():
        counts = [str(group[key]) for key in ("rois", "figures", "tp", "fp", "fn")]
        rows.append([name, *counts, *(_number(group[key]) for key in ("precision", "recall", "f1", "ap50"))])
    _print_table(header, rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print_table(header: list[str], rows: list[list[str]]) -> None:
    """Columns on stdout, numbers to the right; the same in a terminal, a pipe and a file."""
    table = [header, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    for row in table:
        cells = [
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


@contextmanager
def _stoppable(hint: str) -> Iterator[None]:
    """On Ctrl-C (or a SIGTERM that a run noted) say how to go on, and exit as shells expect: 130 (143)."""
    try:
        yield
    except KeyboardInterrupt as stop:
        _say(hint)
        raise typer.Exit(128 + getattr(stop, "signum", signal.SIGINT)) from None


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _fail(line: str, debug: bool) -> None:
    if debug:
        raise
    if _is_first():
        _say(f"error: {line}")
    sys.exit(1)


def _is_first() -> bool:
    """Whether this is the process that speaks, where a training runs as many."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
