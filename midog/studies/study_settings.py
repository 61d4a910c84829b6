"""What a study file holds: rows of settings, designs, seeds, tests, budgets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from midog.config.settings import Settings
from midog.errors import shortened

_MOST_SEEDS = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+=,-]*")
_LONGEST = 80

VAL = "val"
"""The name of the test set by which a row is chosen: the val ROIs of the study's own data."""

Overlay = dict[str, Any]
"""Settings laid over others: sections with keys, or key paths such as train.lr."""


class TestSettings(Settings):
    """ROIs that every model of a study is scored on, beside val."""

    __test__ = False  # pytest: a class of settings

    data: str = Field(description="the name of its data folder, as `--data NAME=FOLDER` states it")
    subset: Literal["train", "val", "test", "all"] = Field(
        "test", description="role of its ROIs in the split of that folder"
    )
    where: dict[str, str] = Field(
        default_factory=dict, description="columns of the split and the values to keep"
    )


class ChooseSettings(Settings):
    """By which score on val a row is chosen."""

    by: str = Field("val F1", description="val and the header of a column, such as val F1")
    design: str = Field("", description="a design of the study; the first one without it")
    scanners: Literal["seen", "unseen", ""] = Field(
        "", description="those of val that count; unseen ones where the design leaves some out"
    )


class BudgetSettings(Settings):
    """How long each training of a row takes; one of the two."""

    updates: int | None = Field(None, ge=1, le=10_000_000, description="updates of the weights")
    seconds: float | None = Field(
        None, gt=0, le=10_000_000, description="seconds of updates, at the rate measured first"
    )

    @model_validator(mode="after")
    def _one(self) -> BudgetSettings:
        if (self.updates is None) == (self.seconds is None):
            raise ValueError("state updates or seconds, one of them")
        return self

    def __str__(self) -> str:
        if self.updates is not None:
            return f"{self.updates} updates"
        return f"{self.seconds:g} s"


class VerifierSettings(Settings):
    """A second look at a row's detections, trained on the same ROIs."""

    config: str = Field("verify", description="a config file or a shipped one")
    set: Overlay = Field(default_factory=dict, description="settings over it")


class RowSettings(Settings):
    """One row of the table: settings over those of the study, and how the models are used."""

    about: str = Field("", description="what the row is, for the table")
    like: str = Field("", description="another row, over whose settings these are laid")
    config: str = Field("", description="a config file or a shipped one in place of the study's")
    set: Overlay = Field(default_factory=dict, description="settings of its trainings")
    data: list[str] | None = Field(None, description="its data folders; null: the study's")
    detect: Overlay = Field(default_factory=dict, description="how its models detect")
    ensemble: int = Field(1, ge=1, le=20, description="models of so many seeds that detect as one")
    verifier: VerifierSettings | None = Field(
        None, description="a second look at its detections; null: none"
    )
    budget: BudgetSettings | None = Field(None, description="of each of its trainings")
    designs: list[str] | None = Field(None, description="its designs; null: the study's")
    seeds: list[int] | None = Field(None, description="its seeds; null: the study's")


class GridSettings(Settings):
    """Rows of all combinations of some values."""

    like: str = Field("", description="the row over whose settings they are laid")
    over: dict[str, list[Any]] = Field(min_length=1, description="values by key path")
    about: str = Field("", description="what the grid is, for the table")


class StudySettings(Settings):
    """A study: rows, times designs, times seeds."""

    about: str = Field("", description="what the study asks, for the page")
    config: str = Field("default", description="a config file or a shipped one, below all rows")
    set: Overlay = Field(default_factory=dict, description="settings over it, below all rows")
    data: list[str] = Field(
        default_factory=lambda: ["data"],
        min_length=1,
        description="names of the data folders that are trained on as one",
    )
    designs: list[str] = Field(
        default_factory=lambda: ["all"], min_length=1, description="how the ROIs are divided"
    )
    folds: int = Field(5, ge=2, le=100, description="of the design folds")
    seeds: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(
        default_factory=lambda: [0],
        min_length=1,
        max_length=_MOST_SEEDS,
        description="of trainings",
    )
    tests: dict[str, TestSettings] = Field(
        default_factory=dict, description="test sets by name; without any, test of `data`"
    )
    choose: ChooseSettings | None = Field(None, description="how val chooses a row")
    budget: BudgetSettings | None = Field(None, description="of each training")
    rows: dict[str, RowSettings] = Field(default_factory=dict, description="by name")
    grids: dict[str, GridSettings] = Field(default_factory=dict, description="by name")

    @field_validator("rows", mode="before")
    @classmethod
    def _bare(cls, rows: Any) -> Any:
        """`baseline:` with nothing below it is a row without settings of its own."""
        if not isinstance(rows, Mapping):
            return rows
        return {name: {} if row is None else row for name, row in rows.items()}

    @model_validator(mode="after")
    def _named(self) -> StudySettings:
        for kind, names in (("row", self.rows), ("grid", self.grids), ("test", self.tests)):
            for name in names:
                if not _NAME.fullmatch(name) or len(name) > _LONGEST:
                    raise ValueError(
                        f"{kind} {shortened(name, _LONGEST)!r}: use letters, digits and _.+=,- in"
                        f" names, at most {_LONGEST}"
                    )
        if VAL in self.tests:
            raise ValueError("test 'val': every model is scored on val anyway; use another name")
        for name, grid in self.grids.items():
            for key, values in grid.over.items():
                if not values:
                    raise ValueError(f"grid {name} has no value for {key}: write a list of some")
        if not self.rows and not self.grids:
            raise ValueError("no rows: write some, or a grid")
        return self

    @property
    def test_sets(self) -> dict[str, TestSettings]:
        """The named ones; where none is, test of each data folder."""
        if self.tests:
            return self.tests
        return {f"test of {name}": TestSettings(data=name) for name in self.data}
