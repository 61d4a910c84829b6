"""What a study file may hold: bounds, names, budgets."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from midog.studies.study_settings import BudgetSettings, StudySettings


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({}, "no rows"),
        ({"rows": {"a/b": {}}}, "row 'a/b': use letters"),
        ({"rows": {"a": {}}, "tests": {"val": {"data": "d"}}}, "scored on val anyway"),
        ({"rows": {"a": {"budget": {}}}}, "state updates or seconds"),
        ({"rows": {"a": {"budget": {"updates": 3, "seconds": 2}}}}, "state updates or seconds"),
        ({"rows": {"a": {}}, "seeds": []}, "at least 1"),
        ({"rows": {"a": {}}, "seeds": [-1]}, "greater than or equal to 0"),
        ({"rows": {"a": {"ensemble": 0}}}, "greater than or equal to 1"),
        ({"rows": {"a": {"colour": 1}}}, "Extra inputs"),
    ],
)
def test_what_is_out_of_range_is_refused(tree, says):
    with pytest.raises(ValidationError, match=says):
        StudySettings.model_validate(tree)


def test_a_budget_reads_as_one_writes_it():
    assert str(BudgetSettings(updates=500)) == "500 updates"
    assert str(BudgetSettings(seconds=90)) == "90 s"


def test_without_tests_each_data_folder_is_one():
    study = StudySettings.model_validate({"rows": {"a": None}, "data": ["x", "y"]})
    assert {name: test.data for name, test in study.test_sets.items()} == {
        "test of x": "x",
        "test of y": "y",
    }
