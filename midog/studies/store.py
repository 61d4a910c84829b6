"""The folder of a study: its plan, so that the table so far is made without data or study file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from midog.config.load import load_config
from midog.errors import CheckpointError, DetectionsError
from midog.files import make_folder, replace_text
from midog.json_text import checked, read_json, to_json
from midog.metrics.scored_rois import ScoredArrays, read_arrays
from midog.studies.cells import Cell
from midog.studies.columns import column_of
from midog.studies.costs import Cost, cost_of, mean_cost, summed_cost
from midog.studies.plan import Plan, Planned
from midog.studies.result import Choice, RowFacts, StudyResult, choose_row
from midog.studies.study_file import Row, flat
from midog.studies.study_settings import VAL, ChooseSettings, TestSettings
from midog.studies.table import make_lines
from midog.studies.tested import TestedDetector
from midog.training.runs import find_run, is_finished

_PLAN = "plan.json"
_AGAIN = "start `midog study run` again"


@dataclass(frozen=True)
class _StoredRow:
    """A row in plan.json."""

    name: str
    about: str
    changes: list[str]
    budget: str


@dataclass(frozen=True)
class _StoredDetector:
    """A detector in plan.json. trainings: keys. cells: names of files by test set."""

    row: str
    design: str
    part: str
    seeds: list[int]
    train_on: list[str]
    retuned: bool
    trainings: list[str]
    cells: dict[str, str]


@dataclass(frozen=True)
class _StoredPlan:
    """plan.json."""

    study: str
    about: str
    designs: list[str]
    choose: dict[str, str] | None
    tests: dict[str, str]
    rows: list[_StoredRow]
    detectors: list[_StoredDetector]


def write_plan(plan: Plan, cells: Mapping[Planned, Sequence[Cell]], folder: Path) -> None:
    """Write plan.json of a study.

    Args:
        plan: The plan.
        cells: Of each detector.
        folder: Of the study, made if it does not exist.

    Raises:
        CheckpointError: It cannot be written.
    """
    study = plan.study
    tests = {VAL: f"the val ROIs of {' and '.join(study.data)}"}
    tests |= {name: _words(test) for name, test in study.tests.items()}
    stored = _StoredPlan(
        study=study.name,
        about=study.about,
        designs=list(dict.fromkeys(detector.design for detector in plan.detectors)),
        choose=None if study.choose is None else study.choose.model_dump(),
        tests=tests,
        rows=[
            _StoredRow(row.name, row.about, changes_of(row), str(row.budget or ""))
            for row in study.rows.values()
        ],
        detectors=[
            _StoredDetector(
                detector.row.name,
                detector.design,
                detector.part.name,
                list(detector.seeds),
                list(detector.part.train_on),
                detector.is_retuned,
                [training.key for training in detector.needs],
                {cell.test: cell.file.name for cell in cells[detector]},
            )
            for detector in plan.detectors
        ],
    )
    make_folder(folder)
    replace_text(folder / _PLAN, to_json(asdict(stored)), CheckpointError)


def read_result(folder: Path, *, resamples: int, seed: int = 0) -> StudyResult:
    """Make the table of a study of what is done so far.

    Args:
        folder: Of the study.
        resamples: Of the bootstrap; 0: no intervals.
        seed: Of the bootstrap.

    Raises:
        CheckpointError: The folder is no study's, or its plan is damaged.
    """
    path = folder / _PLAN
    if not path.is_file():
        raise CheckpointError(f"{folder} is no study (it has no {_PLAN})", _AGAIN)
    tree = read_json(path, CheckpointError, _AGAIN)
    stored = checked(tree, _StoredPlan, str(path), CheckpointError, _AGAIN)
    tested = [_tested(detector, folder) for detector in stored.detectors]
    lines = make_lines(tested, list(stored.tests), resamples=resamples, seed=seed)
    runs = folder / "runs"
    done = {
        key: cost
        for key in dict.fromkeys(key for one in stored.detectors for key in one.trainings)
        if (cost := _cost(runs, key)) is not None
    }
    rows = tuple(_facts(row, stored, tested, done) for row in stored.rows)
    choice: Choice | None = None
    if stored.choose is not None:
        names = [row.name for row in stored.rows]
        where = f"{path}: choose"
        settings = checked(stored.choose, ChooseSettings, where, CheckpointError, _AGAIN)
        if not column_of(settings.by) or not names or not stored.designs:
            what = f"{path} is damaged: it names no row, design or score to choose by"
            raise CheckpointError(what, _AGAIN)
        choice = choose_row(settings, names, stored.designs, lines)
    return StudyResult(
        stored.study, stored.about, rows, stored.tests, tuple(lines), choice, resamples, seed
    )


def changes_of(row: Row) -> list[str]:
    """What a row changes, as `key=value`, its config first."""
    values: dict[str, Any] = {"config": row.config}
    for layer in row.layers:
        values |= flat(layer)
    values |= {f"detect.{key}": value for key, value in row.detect.items()}
    values |= {"ensemble": row.ensemble} if row.ensemble > 1 else {}
    return [f"{key}={value}" for key, value in values.items()]


def _words(test: TestSettings) -> str:
    where = "".join(f", {key} {value}" for key, value in test.where.items())
    return f"the {test.subset} ROIs of {test.data}{where}"


def _tested(detector: _StoredDetector, folder: Path) -> TestedDetector:
    tests: dict[str, ScoredArrays] = {}
    for test, name in detector.cells.items():
        try:
            tests[test] = read_arrays(folder / "cells" / name)
        except DetectionsError:
            if (folder / "cells" / name).exists():
                raise
    return TestedDetector(
        detector.row,
        detector.design,
        detector.part,
        tuple(detector.seeds),
        tuple(detector.train_on),
        detector.retuned,
        tests,
    )


def _cost(runs: Path, key: str) -> Cost | None:
    """Of a training that is done; None where it is not."""
    for folder in sorted(runs.glob(f"*-{key}")):
        if find_run(runs, folder.name) and is_finished(folder):
            return cost_of(folder, load_config(folder / "config.yaml").train)
    return None


def _facts(
    row: _StoredRow,
    stored: _StoredPlan,
    tested: Sequence[TestedDetector],
    done: Mapping[str, Cost],
) -> RowFacts:
    keys = dict.fromkeys(
        key for one in stored.detectors if one.row == row.name for key in one.trainings
    )
    own = [one.trainings for one in stored.detectors if one.row == row.name]
    costs = [
        summed_cost([done[key] for key in needed]) for needed in own if set(needed) <= set(done)
    ]
    speeds = [
        scored.ms_per_megapixel
        for one in tested
        if one.row == row.name
        for scored in one.tests.values()
        if not math.isnan(scored.ms_per_megapixel)
    ]
    return RowFacts(
        row.name,
        row.about,
        tuple(row.changes),
        row.budget,
        len(keys),
        sum(key in done for key in keys),
        mean_cost(costs),
        math.fsum(speeds) / len(speeds) if speeds else math.nan,
    )
