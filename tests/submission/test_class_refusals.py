"""All that the scorer of track 2 refuses in a file, one by one."""

from __future__ import annotations

import math
from typing import Any

import pytest

from midog.submission.class_refusals import are_of_stated_class, class_refusals_of

GOOD = {"class": "normal", "confidence": 0.03}


def test_a_file_as_the_organisers_show_it_is_accepted() -> None:
    assert class_refusals_of([GOOD, {"class": "atypical", "confidence": 1.0}], 2) == []
    assert class_refusals_of([GOOD | {"further": 1}]) == [], "further keys are not looked at"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (7, "is 7, not an object"),
        ({"confidence": 0.5}, "has no `class`"),
        ({"class": "normal"}, "has no `confidence`"),
        (GOOD | {"class": "Atypical"}, "has the `class` 'Atypical', neither"),
        (GOOD | {"class": ["normal"]}, "has the `class` ['normal'], neither"),
        (GOOD | {"confidence": 1}, "has the `confidence` 1, a whole number: write 1.0"),
        (GOOD | {"confidence": "0.5"}, "has the `confidence` '0.5', not a number"),
        (GOOD | {"confidence": True}, "has the `confidence` True, not a number"),
        (GOOD | {"confidence": None}, "has the `confidence` None, not a number"),
        (GOOD | {"confidence": math.nan}, "has the `confidence` nan, not a number"),
        (GOOD | {"confidence": 78.0}, "has the `confidence` 78.0, not a number from 0.0 to 1.0"),
    ],
)
def test_each_refusal_names_the_crop_and_the_key(entry: Any, words: str) -> None:
    (refusal,) = class_refusals_of([GOOD, entry], 2)
    assert refusal.startswith(f"crop 2 {words}")


def test_a_list_of_another_length_and_no_list_are_refused() -> None:
    assert class_refusals_of([GOOD], 2) == ["it classifies 1 crops of a stack of 2"]
    assert class_refusals_of([], 1) == ["it classifies 0 crops of a stack of 1"]
    assert "not a list" in class_refusals_of({"points": []})[0]


def test_confidences_of_the_stated_class_are_noticed() -> None:
    sure = {"class": "normal", "confidence": 0.97}
    assert are_of_stated_class([[sure], [sure, {"class": "atypical", "confidence": 0.6}]])
    assert not are_of_stated_class([[sure], [GOOD]])
    assert not are_of_stated_class([[{"class": "atypical", "confidence": 0.9}]])
    assert not are_of_stated_class([])
