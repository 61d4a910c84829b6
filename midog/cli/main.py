"""The command line: parses, calls, prints; no logic. Heavy imports sit inside the commands that
need them."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer

from midog import __version__
from midog.cli.bench import bench
from midog.cli.data import data_app, splits_app
from midog.cli.flags import Command, flag_names
from midog.cli.scores import compare, evaluate, print_scores, tune
from midog.cli.shared import (
    DeviceOption,
    MppOption,
    RunsOption,
    SplitOption,
    fail,
    is_first,
    load_settings,
    number_or_auto,
    say,
    stoppable,
)
from midog.cli.shift import shift_app
from midog.errors import MidogError

app = typer.Typer(
    name="midog",
    help=(
        "Train, run and honestly score detectors of mitotic figures on H&E histology. Not for"
        " diagnosis."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # "[default: …]" in a help text is text
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `midog demo`. --debug, anywhere, shows the traceback of an error.",
)
app.add_typer(data_app, name="data")
app.add_typer(splits_app, name="splits")
app.add_typer(shift_app, name="shift")
for command in (evaluate, compare, tune, bench):
    app.command(cls=Command)(command)


def main() -> None:
    """Entry point: one line for what a user can mend, exit codes 0, 1 (error), 2 (command line),
    130 (Ctrl-C)."""
    debug = "--debug" in sys.argv[1:]
    arguments = [each for each in sys.argv[1:] if each != "--debug"]
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        app(args=arguments, prog_name="midog", standalone_mode=True)
    except MidogError as error:
        fail(str(error), debug)
    except BrokenPipeError:  # the reader of a pipe went away
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}", debug)
    except Exception as error:  # our own mistake: say so, keep the traceback for --debug
        fail(
            f"unexpected {type(error).__name__}: {' '.join(str(error).split())} (--debug shows"
            " where)",
            debug,
        )


def _terminate(signum: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that what tidies up is run."""
    from midog.training.interrupts import Interrupted

    raise Interrupted(signum)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings on stderr.")] = False,
) -> None:
    if version:
        typer.echo(f"midog {__version__}")
        raise typer.Exit
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("midog").setLevel(logging.WARNING if quiet else logging.INFO)
    for library in (
        "tifffile",
        "lightning.fabric",
        "lightning_fabric",
    ):  # what they log, our lines say better
        logging.getLogger(library).setLevel(logging.CRITICAL)


@app.command(cls=Command)
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make.")] = Path("midog-demo"),
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    device: DeviceOption = "cpu",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete an earlier demo there first.")
    ] = False,
) -> None:
    """Draw a small four-scanner data set, train on two of them, infer, score per scanner: minutes,
    no network."""
    from midog.demo import run_demo

    with stoppable("stopped; the same command goes on from here"):
        result = run_demo(out, seed=seed, device=device, overwrite=overwrite, say=say)
    print_scores(result.evaluation)
    for line in result.closing:
        typer.echo(line)


@app.command(cls=Command)
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
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run. [default: date and time]")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="[default: 0]")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")
    ] = None,
    runs: RunsOption = Path("runs"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew where a run could be gone on with.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print settings, data and model size, and stop.")
    ] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. train.lr=0.0003.")
    ] = None,
) -> None:
    """Train a detector; goes on with the newest unfinished run of equal settings and data."""
    short = {
        "data.dir": data,
        "data.split": split,
        "train.epochs": epochs,
        "train.seed": seed,
        "machine.device": device,
    }
    settings = load_settings(config, overrides, short)
    from midog.training import train as training

    if dry_run:
        settings = training.resolve(settings)
        typer.echo(settings.to_yaml())
        for line in training.describe(settings):
            typer.echo(line)
        return
    from midog.training.runs import read_state
    from midog.training.tasks.registry import TASKS

    with stoppable("stopped; the same command goes on from what is saved"):
        folder = training.train(settings, name=name, runs=runs, fresh=fresh)
    if not is_first():
        return
    state = read_state(folder)
    best = state.get("best_score")
    if best is not None:
        say(f"best {state['score_name']} on val {best:.3f} (epoch {state['best_epoch']})")
    typer.echo(folder / "best")
    if after := TASKS[settings.task.kind].next:
        say(f"next: {after.format(data=settings.data.dir)}")


@app.command(cls=Command)
def infer(
    context: typer.Context,
    images: Annotated[
        list[Path],
        typer.Argument(help="Images, folders of images, or a data folder.", show_default=False),
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Model or run folder. [default: the newest best model]"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the detections.")] = Path(
        "detections"
    ),
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help="[default: the model's own, chosen on val]"),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option("--tile", help="Side of a tile, px, or auto. [default: the model's, auto]"),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            "--overlap",
            min=8,
            max=512,
            help="Figures up to this side are whole in a tile, px. [default: 64]",
        ),
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option("--batch-size", help="Tiles per step, or auto. [default: the model's, auto]"),
    ] = None,
    precision: Annotated[
        Literal["auto", "32-true", "bf16"] | None,
        typer.Option(
            "--precision",
            help="bf16 is quicker where the device has it. [default: the model's, auto]",
        ),
    ] = None,
    mpp: MppOption = None,
    formats: Annotated[
        str, typer.Option("--format", help="challenge, csv, coco, overlay, with commas between.")
    ] = "challenge",
    subset: Annotated[
        str | None,
        typer.Option("--subset", help="Of a data folder: only the ROIs of this role, e.g. test."),
    ] = None,
    split: SplitOption = None,
    device: DeviceOption = "auto",
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Threads that read tiles ahead.")
    ] = 2,
    runs: RunsOption = Path("runs"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do images again that are done.")
    ] = False,
) -> None:
    """Detect mitotic figures in whole ROIs: one file per image; done images are skipped on a second
    run."""
    side, together = number_or_auto(tile, "--tile"), number_or_auto(batch_size, "--batch-size")
    from midog.inference.start import import_torchvision

    import_torchvision()
    from midog.formats.registry import require_formats
    from midog.inference.batch import infer as infer_all
    from midog.inference.jobs import find_jobs
    from midog.progress import infer_bars
    from midog.training.runs import newest_model

    kinds = [kind.strip() for kind in formats.split(",") if kind.strip()]
    require_formats(kinds)
    jobs = find_jobs(images, subset=subset, split=split, mpp=mpp)
    where = model or newest_model(runs, task="detection")
    from midog.inference.detector import Detector

    detector = Detector.load(
        where,
        device=device,
        threshold=threshold,
        tile=side,
        overlap=overlap,
        batch_size=together,
        precision=precision,
        workers=workers,
    )
    say(f"model {where}, threshold {detector.threshold:.3f}")
    hint = f"stopped; what is done stays in {out}/, the same command goes on with the rest"
    with stoppable(hint), infer_bars(len(jobs)) as (on_image, on_tile):
        outcome = infer_all(
            jobs,
            detector,
            out,
            formats=kinds,
            overwrite=overwrite,
            on_image=on_image,
            on_tile=on_tile,
        )
    if len(jobs) == 1 and outcome.failed:
        raise next(iter(outcome.failed.values()))
    for name, figures in outcome.figures.items():
        typer.echo(f"{name}\t{figures} mitotic figures")
    done = f"{len(outcome.figures)} images done, {sum(outcome.figures.values())} mitotic figures"
    skipped = (
        f", {len(outcome.skipped)} were done before (--overwrite does them again)"
        if outcome.skipped
        else ""
    )
    say(f"{done}{skipped}; detections are in {out}/")
    if outcome.failed:
        for error in outcome.failed.values():
            say(f"error: {error.line(flag_names(context.command))}")
        raise MidogError(
            f"{len(outcome.failed)} of {len(jobs)} images failed: {', '.join(outcome.failed)}"
        )
