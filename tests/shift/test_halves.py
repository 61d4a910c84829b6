"""Halves of patients: they share nobody, hold everything, and repeat."""

from __future__ import annotations

import pytest

from midog.shift.halves import halve
from tests.shift.vectors import groups


@pytest.mark.parametrize("size", [2, 3, 10])
def test_halves_share_no_patient_and_hold_all_patches(size):
    patients = {"a": groups(40, size, "p"), "b": groups(25, size, "q")}
    for draw_number in range(5):
        halves = halve(patients, draw_number)
        for scanner, names in patients.items():
            one, other = halves[scanner]
            assert sorted([*one, *other]) == list(range(len(names)))
            people = [{names[row] for row in half} for half in (one, other)]
            assert not people[0] & people[1]
            assert len(people[1]) - len(people[0]) in (0, 1)


def test_each_draw_of_halves_is_another_and_repeats():
    patients = {"a": groups(40, 2)}
    drawn = [halve(patients, number)["a"][0].tolist() for number in range(4)]
    assert len({tuple(rows) for rows in drawn}) == 4
    assert halve(patients, 2)["a"][0].tolist() == drawn[2]
    assert halve(patients, 2, seed=1)["a"][0].tolist() != drawn[2]


def test_halves_of_two_scanners_of_the_same_patients_share_nobody():
    halves = halve({"a": groups(40, 2), "b": groups(60, 3)}, 0)
    first = {groups(40, 2)[row] for row in halves["a"][0]}
    second = {groups(60, 3)[row] for row in halves["b"][1]}
    assert len(first) == len(second) == 10
    assert not first & second


@pytest.mark.parametrize(("count", "expected"), [(4, [0, 1, 2, 3]), (0, [])])
def test_both_halves_of_one_patient_are_all_there_is(count, expected):
    assert [half.tolist() for half in halve({"a": ["p"] * count}, 0)["a"]] == [expected, expected]
