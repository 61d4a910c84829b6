"""The command line: the list of commands, and the entry point that turns errors into one line."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated, Any

import typer

from midog._version import __version__
from midog.cli.command import Entry, LazyGroup
from midog.cli.terminal import (
    say,
    show,
    show_log,
    show_usage,
    write_what_fits,
)
from midog.errors import EndedElsewhere, MidogError
from midog.signals import exit_code, raising_stops
from midog.training.interrupts import RANK

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
        "midog.cli.splits:splits_app",
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
        "Train", "Choose a model's threshold on the val ROIs and store it.", "midog.cli.tune:tune"
    ),
    "ensemble": Entry("Train", "Make one model of several.", "midog.cli.ensemble:ensemble_app"),
    "alarms": Entry(
        "Train",
        "List false alarms of a detector in train ROIs it did not see.",
        "midog.cli.alarms:alarms",
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
        "Test whether model A scores higher than B on the same ROIs.",
        "midog.cli.scores:compare",
    ),
    "patches": Entry(
        "Patches",
        "Train and score classifiers of patches of two classes.",
        "midog.cli.patches:patches_app",
    ),
    "heatmap": Entry(
        "Patches",
        "Map tumour, or what a classifier of patches knows, over slides.",
        "midog.cli.heatmap:heatmap_app",
    ),
    "shift": Entry(
        "Study",
        "Measure how far apart scanners are, and the F1 that it costs.",
        "midog.cli.shift:shift_app",
    ),
    "study": Entry(
        "Study",
        "Train and test rows of settings, and compare them in one table.",
        "midog.cli.study:study_app",
    ),
    "export": Entry(
        "Hand over", "Write a model for other runtimes.", "midog.cli.export:export_app"
    ),
    "submission": Entry(
        "Hand over",
        "Make an entry to the MIDOG challenge, and check it.",
        "midog.cli.submission:submission_app",
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


def main() -> int:
    """Run the command line, with one line for what a user can mend.

    Returns:
        The exit code: 0; 1 for an error, 2 for a wrong command line; 130 for Ctrl-C, 143 for
        SIGTERM, 129 for SIGHUP.
    """
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    write_what_fits()
    with raising_stops() as stops:
        code = _run(arguments, debug)
        return code if stops.signum is None else exit_code(stops.signum)


def _run(arguments: list[str], debug: bool) -> int:
    """Run a command line; its exit code, once the line of what ended it is printed."""
    try:
        return _command(arguments)
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt as stop:
        say("stopped")
        return exit_code(getattr(stop, "signum", None))
    except BrokenPipeError:  # the reader of a pipe went away
        return 1
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own, of a wrong command line
            show_usage(error)
            return int(getattr(error, "exit_code", 2))
        if debug:
            raise
        if not isinstance(error, EndedElsewhere):
            say(f"error: {_words(error)}")
        return 1


def _command(arguments: list[str]) -> int:
    command: Any = typer.main.get_command(app)
    command._main_shell_completion({}, "midog")  # where a shell asks for completions, that is all
    with command.make_context("midog", arguments) as context:
        command.invoke(context)
    return 0


def _words(error: Exception) -> str:
    """What went wrong, of errors that a user can mend and of our own mistakes."""
    if isinstance(error, MidogError):
        return str(error)
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        return "out of memory; use smaller or fewer inputs, or a machine with more"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _is_out_of_memory(error: Exception) -> bool:
    """Whether a library's words say so; without torch there is no such library."""
    if "torch" not in sys.modules:
        return False
    from midog.devices import is_out_of_memory

    return is_out_of_memory(error)


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
        show(f"midog {__version__}")
        raise typer.Exit
    show_log(quiet=quiet)
    if RANK in os.environ:  # the first process says it
        logging.getLogger("midog").setLevel(logging.ERROR)
