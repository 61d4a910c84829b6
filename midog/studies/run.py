"""A study run: trainings shared among processes, detectors tested as soon as they are trained, and
the table written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from midog.errors import MidogError
from midog.files import replace_text, sweep_parts
from midog.json_text import to_json
from midog.progress import OnImage
from midog.studies.cells import Cell, cells_of, fill_cells
from midog.studies.detect import check_options
from midog.studies.plan import Plan, Planned, make_plan
from midog.studies.rates import Rates
from midog.studies.result import StudyResult
from midog.studies.second_look import find_candidates, is_ready
from midog.studies.selection import EVERYTHING, Selection, part_of_plan
from midog.studies.store import read_result, write_plan
from midog.studies.study_file import Study
from midog.studies.study_settings import VAL, Overlay
from midog.studies.trainings import (
    OnTraining,
    Training,
    finished_run,
    require_same,
    train_one,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Done:
    """What a call of `run_study` left.

    Attributes:
        held: Names of trainings and detectors that other processes work on.
        failed: What went wrong, by the name of the training or detector.
    """

    held: list[str] = field(default_factory=list)
    failed: dict[str, MidogError] = field(default_factory=dict)


def plan_study(
    study: Study,
    folders: Mapping[str, Path],
    folder: Path,
    *,
    overlay: Overlay,
    measure: bool,
    say: Callable[[str], None],
    only: Selection = EVERYTHING,
) -> Plan:
    """Plan a study, all of it, and require what was done under its name to be of it.

    Args:
        study: The study.
        folders: Data folders by name.
        folder: Of the study.
        overlay: Settings of this machine, over those of all rows.
        measure: Measure the rate of trainings whose budget is in seconds, where it is not known.
        say: Called with a line before that.
        only: Rates are measured for its rows alone.

    Raises:
        MidogError: As of `make_plan`.
    """
    for row in study.rows.values():
        check_options(row.name, row.detect)
    runs = folder / "runs"
    rates = Rates(folder, measure=measure, say=say)
    if measure and only.rows:
        rows = {name: row for name, row in study.rows.items() if name in only.rows}
        part = replace(study, rows=rows)
        own = {name: path for name, path in folders.items() if name in part.folders}
        make_plan(part, own, runs, overlay=overlay, rate=rates.of)  # measures
        rates = Rates(folder, measure=False, say=say)
    return make_plan(study, folders, runs, overlay=overlay, rate=rates.of)


def run_study(
    plan: Plan,
    folder: Path,
    *,
    device: str,
    say: Callable[[str], None],
    on_image: OnImage,
    only: Selection = EVERYTHING,
) -> Done:
    """Train and test all that is left to do of a study, or of a part of it.

    Processes that are started with the same study share it: each takes a training that no other
    holds. A second look is taken at those that others held, as their processes may have ended. A
    training that fails is reported, and the others are done.

    Args:
        plan: Of the study.
        folder: Of the study.
        device: Where to detect.
        say: Called with a line as each step begins.
        on_image: Called after each image that is detected in.
        only: What is worked on; the plan that is kept is of the whole study.

    Raises:
        ConfigError: The study plans no detector of `only`.
        Interrupted: After Ctrl-C or SIGTERM; everything is saved.
        MidogError: The folder cannot be written.
    """
    tests = [VAL, *plan.study.tests]
    cells = {one: cells_of(plan, one, tests, folder) for one in plan.detectors}
    runs = folder / "runs"
    part = part_of_plan(plan, only)
    for training in part.trainings:
        if training.verifies is None:  # a second look's data hold false alarms not known yet
            require_same(runs, training)
    write_plan(plan, cells, folder)
    own = {one: cells[one] for one in part.detectors}
    worker = _Worker(part, own, folder, device, say, on_image)
    for _ in range(2):
        worker.done.held.clear()
        worker.work()
        if not worker.done.held:
            break
    return worker.done


def write_table(folder: Path, *, resamples: int) -> StudyResult:
    """Write table.csv, table.json and table.html of what is done so far.

    Raises:
        MidogError: One of them cannot be written.
    """
    from midog.report.study_page import write_study_page

    result = read_result(folder, resamples=resamples)
    replace_text(folder / "table.csv", result.to_csv())
    replace_text(folder / "table.json", to_json(result.to_dict()))
    write_study_page(folder / "table.html", result)
    return result


class _Worker:
    """One process of a study."""

    def __init__(
        self,
        plan: Plan,
        cells: Mapping[Planned, Sequence[Cell]],
        folder: Path,
        device: str,
        say: Callable[[str], None],
        on_image: OnImage,
    ) -> None:
        self.done = Done()
        self._plan, self._cells, self._folder = plan, cells, folder
        self._device, self._say, self._on_image = device, say, on_image

    def work(self) -> None:
        """Go through the trainings once, and test what can be tested after each."""
        sweep_parts(self._folder / "cells")
        total = len(self._plan.trainings)
        for number, training in enumerate(self._plan.trainings, 1):
            if training.name in self.done.failed:
                continue
            try:
                report = partial(self._report, f"[{number}/{total}]")
                folder = self._train(training, report)
            except MidogError as error:
                self._fail(training.name, error)
                continue
            if folder is None:
                self.done.held.append(training.name)
            else:
                self._test_those_of(training)

    def _train(self, training: Training, report: OnTraining) -> Path | None:
        runs = self._folder / "runs"
        if not is_ready(training, runs):
            report(f"{training.name} waits for the models that it looks at")
            return None
        return train_one(
            training,
            runs,
            report,
            lambda: find_candidates(training, runs, self._folder),
        )

    def _test_those_of(self, training: Training) -> None:
        """Test the detectors of a training whose other trainings are done as well."""
        for detector, cells in self._cells.items():
            if training.key not in [one.key for one in detector.needs]:
                continue
            folders = [finished_run(self._folder / "runs", one) for one in detector.needs]
            runs = [folder for folder in folders if folder is not None]
            left = [cell for cell in cells if not cell.is_done]
            if len(runs) < len(folders) or not left or detector.name in self.done.failed:
                continue
            self._say(f"testing {detector.name} on {', '.join(cell.test for cell in left)}")
            try:
                if not fill_cells(cells, runs, self._folder, self._device, self._on_image):
                    self.done.held.append(detector.name)
            except MidogError as error:
                self._fail(detector.name, error)

    def _report(self, place: str, line: str) -> None:
        self._say(f"{place} {line}")

    def _fail(self, name: str, error: MidogError) -> None:
        self.done.failed[name] = error
        self._say(f"{name} failed: {error}")
