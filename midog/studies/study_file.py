"""A study file read: its rows laid over each other, its grids written out, all of it checked."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from midog.config.load import parse_override
from midog.config.settings import Settings, near, one_of
from midog.config.yaml_text import read_yaml
from midog.errors import ConfigError, shortened
from midog.studies.columns import COLUMNS, column_of
from midog.studies.designs import DESIGNS
from midog.studies.study_settings import (
    BudgetSettings,
    ChooseSettings,
    Overlay,
    RowSettings,
    StudySettings,
    TestSettings,
    VerifierSettings,
)

MOST_ROWS = 500


@dataclass(frozen=True)
class Row:
    """A row of a study, with all that it takes from the study and from other rows.

    Attributes:
        name: Of the row.
        about: What it is.
        config: Name or path of the config below its settings.
        layers: Settings laid over it, the lowest first.
        data: Names of its data folders.
        detect: How its models detect.
        ensemble: Models of so many seeds that detect as one.
        verifier: The second look at its detections; None: none.
        budget: Of each of its trainings; None: what its settings say.
        designs: Names in DESIGNS.
        seeds: Of its trainings.
    """

    name: str
    about: str
    config: str
    layers: tuple[Overlay, ...]
    data: tuple[str, ...]
    detect: Overlay
    ensemble: int
    verifier: VerifierSettings | None
    budget: BudgetSettings | None
    designs: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def seed_groups(self) -> list[tuple[int, ...]]:
        """The seeds of the models that detect as one, for each of these."""
        size = self.ensemble
        return [self.seeds[begin : begin + size] for begin in range(0, len(self.seeds), size)]


@dataclass(frozen=True)
class Study:
    """A study file, checked.

    Attributes:
        name: The stem of the file.
        about: What the study asks.
        data: Names of its data folders.
        folds: Of the design folds.
        rows: By name, in the order of the table.
        tests: Test sets by name.
        choose: How val chooses a row; None: not at all.
    """

    name: str
    about: str
    data: tuple[str, ...]
    folds: int
    rows: Mapping[str, Row]
    tests: Mapping[str, TestSettings]
    choose: ChooseSettings | None

    @property
    def folders(self) -> list[str]:
        """The names of all data folders that the study needs."""
        rows = [name for row in self.rows.values() for name in row.data]
        tests = [test.data for test in self.tests.values()]
        return list(dict.fromkeys([*self.data, *rows, *tests]))


def read_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        ConfigError: One line that names the first wrong key and how many more are wrong, or the row
            that cannot be laid over another.
    """
    tree = read_yaml(path)
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} is no study", "write rows: with named rows below")
    try:
        settings = StudySettings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from None
    written = {**settings.rows, **_rows_of_grids(settings, path)}
    if len(written) > MOST_ROWS:
        raise ConfigError(f"{path}: {len(written)} rows; at most {MOST_ROWS} are planned")
    rows = {name: _row(settings, written, name, path) for name in written}
    _check_designs(settings, rows, path)
    if settings.choose is not None and not column_of(settings.choose.by):
        scores = one_of([column.header for column in COLUMNS.values()])
        raise ConfigError(
            f"{path}: choose.by is {settings.choose.by!r}",
            f"write val and one of {scores}; a test chooses nothing",
        )
    return Study(
        path.stem,
        settings.about,
        tuple(settings.data),
        settings.folds,
        rows,
        settings.test_sets,
        settings.choose,
    )


def flat(overlay: Mapping[str, Any], path: str = "") -> Overlay:
    """An overlay by key path, sections and key paths alike."""
    values: Overlay = {}
    for key, value in overlay.items():
        is_section = isinstance(value, Mapping) and value
        values |= flat(value, f"{path}{key}.") if is_section else {f"{path}{key}": value}
    return values


def _row(
    study: StudySettings,
    rows: Mapping[str, RowSettings],
    name: str,
    path: Path,
    above: tuple[str, ...] = (),
) -> Row:
    """A row over the one that it is like, else over the study's own settings."""
    stated = rows[name]
    if stated.like and stated.like not in rows:
        hint = near(stated.like, rows)
        raise ConfigError(f"{path}: row {name} is like {stated.like!r}, which is no row{hint}")
    if stated.like in (name, *above):
        raise ConfigError(f"{path}: rows {name} and {stated.like} are like each other")
    below = (
        _row(study, rows, stated.like, path, (*above, name))
        if stated.like
        else Row(
            name="",
            about="",
            config=study.config,
            layers=(study.set,),
            data=tuple(study.data),
            detect={},
            ensemble=1,
            verifier=None,
            budget=study.budget,
            designs=tuple(study.designs),
            seeds=tuple(study.seeds),
        )
    )
    row = replace(
        below,
        name=name,
        about=stated.about,
        config=stated.config or below.config,
        layers=(*below.layers, stated.set),
        data=below.data if stated.data is None else tuple(stated.data),
        detect={**below.detect, **stated.detect},
        ensemble=stated.ensemble if "ensemble" in stated.model_fields_set else below.ensemble,
        verifier=stated.verifier or below.verifier,
        budget=stated.budget or below.budget,
        designs=below.designs if stated.designs is None else tuple(stated.designs),
        seeds=below.seeds if stated.seeds is None else tuple(stated.seeds),
    )
    if row.verifier is not None and row.ensemble > 1:
        raise ConfigError(f"{path}: row {name}: a second look is at one model, not an ensemble")
    if len(row.seeds) % row.ensemble:
        what = f"row {name}: {len(row.seeds)} seeds make no ensembles of {row.ensemble}"
        raise ConfigError(f"{path}: {what}", "state as many seeds, or a multiple")
    return row


def _rows_of_grids(study: StudySettings, path: Path) -> dict[str, RowSettings]:
    rows: dict[str, RowSettings] = {}
    for name, grid in study.grids.items():
        for key in grid.over:
            parse_override(f"{key}=0")
        for values in itertools.product(*grid.over.values()):
            overlay = dict(zip(grid.over, values, strict=True))
            words = ",".join(f"{key.rsplit('.', 1)[-1]}={_word(v)}" for key, v in overlay.items())
            row = f"{name},{words}"
            if row in rows or row in study.rows:
                raise ConfigError(f"{path}: two rows are named {row}", "rename the grid")
            rows[row] = RowSettings(about=grid.about, like=grid.like, set=overlay)
    return rows


def _word(value: Any) -> str:
    """A value as part of a row's name."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    text = text.removesuffix("\n").removesuffix("\n...")
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", text).strip("_")[:40] or "none"


def _check_designs(study: StudySettings, rows: Mapping[str, Row], path: Path) -> None:
    wanted = [name for row in rows.values() for name in row.designs]
    if study.choose is not None and study.choose.design:
        wanted.append(study.choose.design)
    for name in wanted:
        if name not in DESIGNS:
            hint = near(name, DESIGNS)
            raise ConfigError(
                f"{path}: no design is named {name!r}{hint}", f"choose {one_of(DESIGNS)}"
            )


def _explain(error: ValidationError) -> str:
    """The first wrong key, and how many more there are."""
    lines = error.errors(include_url=False)
    first, more = lines[0], len(lines) - 1
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        names = {**StudySettings.model_fields, **RowSettings.model_fields}
        text = f"unknown key {key}{near(first['loc'][-1], names)}"
    elif isinstance(first["input"], Mapping | Settings):
        text = f"{key}: {message}" if key else message
    else:
        text = f"{key} is {shortened(repr(first['input']), 200)}: {message}"
    return text + (f" (and {more} more)" if more else "")
