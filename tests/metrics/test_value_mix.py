"""Whether values go with scanners: the distance of their mixes, and the p of dealing anew."""

from __future__ import annotations

import math

import pytest

from midog.metrics import value_mix
from midog.metrics.value_mix import compare_mixes


def test_the_distance_of_mixes_is_the_largest_total_variation():
    """A: half x, half y; B: a quarter x, three quarters y; C: x alone."""
    scanners, values = "AABBBBCC", "xyxyyyxx"
    assert compare_mixes(scanners, [str(n) for n in range(8)], values).distance == 3 / 4
    assert compare_mixes(scanners, [str(n) for n in range(8)], "x" * 8) == value_mix.Mixing(
        0.0, 1.0
    )


def test_p_of_a_mix_is_that_of_all_deals():
    """Five patients each, all of one kind on A: 2 of 252 deals are as far apart."""
    outcome = compare_mixes("AAAAABBBBB", [str(n) for n in range(10)], "xxxxxyyyyy")
    assert outcome.distance == 1.0
    assert abs(outcome.p - 2 / 252) < 4 * math.sqrt(2 / 252 / 999) + 1 / 1000
    assert outcome == compare_mixes("AAAAABBBBB", [str(n) for n in range(10)], "xxxxxyyyyy"), (
        "the same at every call"
    )
    assert (
        compare_mixes("A" * 20 + "B" * 20, [str(n) for n in range(40)], "x" * 20 + "y" * 20).p
        == 1 / 1000
    )


def test_patients_and_not_rois_are_the_evidence_of_a_mix():
    """Twenty ROIs of each scanner, but two patients: a third of all deals are as far apart."""
    patients = [f"{n // 10}" for n in range(40)]
    outcome = compare_mixes("A" * 20 + "B" * 20, patients, "x" * 20 + "y" * 20)
    assert outcome.distance == 1.0
    assert abs(outcome.p - 1 / 3) < 4 * math.sqrt(2 / 9 / 999)


@pytest.mark.parametrize("scanners", ["", "AAA"])
def test_fewer_than_two_scanners_have_one_mix(scanners):
    assert compare_mixes(scanners, scanners, scanners) == value_mix.Mixing(0.0, 1.0)
