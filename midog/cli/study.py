"""`midog study`: rows of settings trained, tested and compared in one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midog.cli.command import Command, Group
from midog.cli.options import (
    DATA,
    RUN,
    SCORING,
    JsonOption,
    ResamplesOption,
    SetOption,
    TrainingDeviceOption,
    argument,
    option,
)
from midog.cli.shared import print_result, print_table, stoppable
from midog.cli.terminal import say, show
from midog.errors import ConfigError, MidogError, shortened

if TYPE_CHECKING:
    from midog.studies.plan import Plan
    from midog.studies.result import StudyResult

study_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Train and test rows of settings, and compare them in one table.",
    no_args_is_help=True,
)

RowsOption = Annotated[
    list[str] | None,
    option("--rows", "NAME,…", "Rows, repeatable. [default: all]", RUN),
]
DesignsOption = Annotated[
    list[str] | None,
    option("--designs", "NAME,…", "Designs, repeatable. [default: all]", RUN),
]
StudiesOption = Annotated[Path, option("--studies", "FOLDER", "Folder of studies.", RUN)]


@study_app.command("run", cls=Command)
def run(
    file: Annotated[Path, argument("FILE", "Study file, e.g. configs/studies/phantom.yaml.")],
    data: Annotated[
        list[str] | None,
        option(
            "--data",
            "NAME=FOLDER",
            "Data folder that the study file calls NAME; repeatable.",
            DATA,
        ),
    ] = None,
    rows: RowsOption = None,
    designs: DesignsOption = None,
    seeds: Annotated[
        list[str] | None,
        option("--seeds", "N,…", "Seeds of trainings, repeatable. [default: all]", RUN),
    ] = None,
    overrides: SetOption = None,
    device: TrainingDeviceOption = None,
    dry_run: Annotated[
        bool,
        option("--dry-run", None, "Print the plan and what it will cost; train nothing.", RUN),
    ] = False,
    resamples: ResamplesOption = 1000,
    studies: StudiesOption = Path("studies"),
) -> None:
    """Train and test what a study file plans, and write its table.

    What is done is skipped and what was interrupted is resumed; trainings that rows have in common
    are trained once. Processes that are started with the same command share the trainings. With
    --rows, --designs or --seeds only a part is done; a later command does the rest. The table is
    STUDIES/NAME/table.html, .csv and .json.
    """
    from midog.config.load import parse_override
    from midog.studies.run import plan_study, run_study, write_table
    from midog.studies.selection import part_of_plan, read_selection
    from midog.studies.study_file import read_study

    study = read_study(file)
    only = read_selection(study, rows or [], designs or [], seeds or [])
    folder = studies / study.name
    overlay = dict(parse_override(text) for text in overrides or [])
    overlay |= {} if device is None else {"machine.device": device}
    folders = named_folders(data or [])
    with stoppable("stopped; the same command resumes from what is saved"):
        plan = plan_study(
            study, folders, folder, overlay=overlay, measure=not dry_run, say=say, only=only
        )
        part = part_of_plan(plan, only)
        if dry_run:
            print_plan(part, folder)
            return
        where = plan.trainings[0].config.machine.device
        try:
            done = run_study(
                plan, folder, device=where, say=say, on_image=lambda *_: None, only=only
            )
        finally:
            result = write_table(folder, resamples=resamples)
    print_study(result.part(only.rows, only.designs))
    say(f"the table is {folder}/table.html, .csv and .json")
    if done.held:
        say(
            f"{len(done.held)} are still worked on by other processes: ask again when they are done"
        )
    if done.failed:
        raise MidogError(
            f"{len(done.failed)} of {len(part.trainings)} trainings or their tests failed:"
            f" {', '.join(done.failed)}",
            "the same command tries them again",
        )


@study_app.command("show", cls=Command)
def show_study(
    name: Annotated[str, argument("NAME", "Of a study, the stem of its file.")],
    rows: RowsOption = None,
    designs: DesignsOption = None,
    resamples: ResamplesOption = 1000,
    studies: StudiesOption = Path("studies"),
    as_json: JsonOption = False,
) -> None:
    """Print the table of a study so far, or some of its rows."""
    print_result(_part_of(studies / name, rows, designs, resamples), as_json, print_study)


@study_app.command("matrix", cls=Command)
def show_matrix(
    name: Annotated[str, argument("NAME", "Of a study, the stem of its file.")],
    tests: Annotated[
        list[str] | None,
        option("--tests", "NAME,…", "Test sets, repeatable. [default: all]", RUN),
    ] = None,
    score: Annotated[
        str, option("--score", "NAME", "A score of table.csv, such as f1_oracle.", SCORING)
    ] = "f1",
    rows: RowsOption = None,
    designs: DesignsOption = None,
    studies: StudiesOption = Path("studies"),
) -> None:
    """Print how each detector of a study scores on each scanner.

    A line for each part of a design, such as the detectors of one scanner alone: the mean over
    seeds with its standard deviation, and a star where the scanner was trained on. Their intervals
    are in table.csv, in the lines that have a part.
    """
    from midog.config.settings import near
    from midog.studies.columns import COLUMNS
    from midog.studies.selection import chosen_names

    if score not in COLUMNS:
        raise ConfigError(
            f"a study has no score {shortened(repr(score), 80)}{near(score, COLUMNS)}",
            f"choose from {', '.join(COLUMNS)}",
        )
    result = _part_of(studies / name, rows, designs, resamples=0)
    print_matrix(result, chosen_names(tests or [], result.tests, "test") or [*result.tests], score)


def _part_of(
    folder: Path, rows: list[str] | None, designs: list[str] | None, resamples: int
) -> StudyResult:
    """Read the table of a study, and leave the rows and designs that were asked for; none: all."""
    from midog.studies.designs import DESIGNS
    from midog.studies.selection import chosen_names
    from midog.studies.store import read_result

    result = read_result(folder, resamples=resamples)
    own = chosen_names(rows or [], [row.name for row in result.rows], "row")
    return result.part(own, chosen_names(designs or [], DESIGNS, "design"))


def named_folders(texts: list[str]) -> dict[str, Path]:
    """Read what `--data` was given: NAME=FOLDER each.

    Raises:
        ConfigError: It is written in another way, or names a folder twice.
    """
    folders: dict[str, Path] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign or not name or not path:
            raise ConfigError(
                f"data folder {text!r} is not NAME=FOLDER", "write for example composite=data"
            )
        if name in folders:
            raise ConfigError(f"the data folder {name} is stated twice", "state each once")
        folders[name] = Path(path)
    return folders


def print_study(result: StudyResult) -> None:
    """Print the lines of all seen and all unseen scanners, the costs, and what val chose."""
    from midog.report.study_page import shown, words_of_choice
    from midog.studies.columns import COLUMNS

    header = ["row", "design", "test", "scanners", "done"]
    rows = [
        [
            line.row,
            line.design,
            line.test,
            line.scanners,
            f"{line.done}/{line.planned}",
            *(_plain(shown(line, key).value) for key in COLUMNS),
        ]
        for line in result.lines
        if line.is_summary
    ]
    print_table([*header, *(column.header for column in COLUMNS.values())], rows)
    show("")
    cost_rows = [
        [
            row.name,
            row.budget or "as set",
            f"{row.trained}/{row.trainings}",
            _whole(row.cost.updates),
            _whole(row.cost.patches),
            _whole(row.cost.update_seconds),
            _whole(row.cost.seconds),
            _whole(row.ms_per_megapixel),
        ]
        for row in result.rows
        if row.trained or row.name not in result.unscored
    ]
    costs = ["row", "budget", "trained", "updates", "patches", "s of updates", "s", "ms/Mpx"]
    print_table(costs, cost_rows)
    if result.unscored:
        show(f"not scored yet: {', '.join(result.unscored)}")
    if words := words_of_choice(result.choice):
        show(f"{words}; tests are reported and choose nothing")


def print_matrix(result: StudyResult, tests: Sequence[str], score: str) -> None:
    """Print a score by detector and scanner."""
    from midog.report.study_page import shown
    from midog.studies.scanner_matrix import matrix_of, scanners_of

    matrix = [one for one in matrix_of(result.lines) if one.test in tests]
    scanners = scanners_of(matrix)
    rows = []
    for one in matrix:
        cells = [one.cells.get(name) for name in scanners]
        values = ["-" if it is None else _plain(shown(it, score).value) for it in cells]
        stars = ["*" * (it is not None and it.seen) for it in cells]
        marked = [value + star for value, star in zip(values, stars, strict=True)]
        rows.append([one.row, one.design, one.part, one.test, *marked])
    print_table(["row", "design", "part", "test", *scanners], rows)
    show("* trained on that scanner")


def print_plan(plan: Plan, folder: Path) -> None:
    """Print every training, by how many detectors it is shared, and what is left to do."""
    from midog.studies.outlook import outlook

    rows, closing = outlook(plan, folder / "runs")
    print_table(["training", "updates", "detectors", "rows", "state"], rows)
    for line in closing:
        show(line)


def _plain(text: str) -> str:
    return text.replace("–", "-").replace("−", "-")


def _whole(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}"
