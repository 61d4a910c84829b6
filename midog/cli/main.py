"""The command line: the list of commands, and the entry point that turns errors into one line."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from types import FrameType
from typing import Annotated

import typer

from midog._version import __version__
from midog.cli.command import Entry, LazyGroup
from midog.cli.shared import fail
from midog.errors import MidogError

COMMANDS = {
    "demo": Entry(
        "Start", "Train and score on drawn data: a few minutes, no download.", "midog.cli.demo:demo"
    ),
    "bench": Entry(
        "Start",
        "Measure this machine, and estimate how long a run takes on it.",
        "midog.cli.bench:bench",
    ),
    "data": Entry("Data", "Draw, download and check data folders.", "midog.cli.data:data_app"),
    "splits": Entry(
        "Data",
        "Make and check splits into train, val, test and unlabelled.",
        "midog.cli.data:splits_app",
    ),
    "settings": Entry(
        "Train",
        "List the settings of a run: default, range and meaning.",
        "midog.cli.settings:settings",
    ),
    "train": Entry(
        "Train", "Train a model, or resume the newest unfinished training.", "midog.cli.train:train"
    ),
    "tune": Entry(
        "Train", "Choose a model's threshold on the val ROIs and store it.", "midog.cli.scores:tune"
    ),
    "infer": Entry(
        "Detect", "Detect mitotic figures in images, one file per image.", "midog.cli.infer:infer"
    ),
    "evaluate": Entry(
        "Score",
        "Score detections by scanner: F1, AP and FROC with intervals.",
        "midog.cli.scores:evaluate",
    ),
    "compare": Entry(
        "Score",
        "Test whether model A scores higher than model B on the same ROIs.",
        "midog.cli.scores:compare",
    ),
    "shift": Entry(
        "Study",
        "Measure how far apart scanners are, and the F1 that it costs.",
        "midog.cli.shift:shift_app",
    ),
}
"""Every command, in the order in which one uses them."""


class Midog(LazyGroup):
    """`midog`."""

    entries = COMMANDS


app = typer.Typer(
    cls=Midog,
    name="midog",
    help=(
        "Train, run and honestly score detectors of mitotic figures on H&E histology. Not for"
        " diagnosis."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # "[default: …]" in a help text is text
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `midog demo`. --debug, anywhere, shows the traceback of an error.",
)


def main() -> None:
    """Run the command line, with one line for what a user can mend.

    Exit codes: 0; 1 for an error, 2 for a wrong command line, 130 for Ctrl-C, 143 for SIGTERM.
    """
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
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
    except Exception as error:  # our own mistake: report it, keep the traceback for --debug
        fail(
            f"unexpected {type(error).__name__}: {' '.join(str(error).split())} (--debug shows"
            " where)",
            debug,
        )


def _terminate(signum: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that cleaning up is done."""
    from midog.training.interrupts import Interrupted

    raise Interrupted(signum)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only warnings on stderr.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"midog {__version__}")
        raise typer.Exit
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("midog").setLevel(logging.WARNING if quiet else logging.INFO)
    for library in ("tifffile", "lightning.fabric", "lightning_fabric"):  # our lines replace theirs
        logging.getLogger(library).setLevel(logging.CRITICAL)
