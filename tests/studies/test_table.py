"""The table: means over parts and seeds, the spread over seeds, intervals over patients, gains."""

from __future__ import annotations

import math
from statistics import stdev

import pytest

from midog.studies.columns import COLUMNS
from midog.studies.table import make_lines
from tests.studies.small import detector, scored


def roi_test(a_hits: int, b_hits: int, free: int = 0):
    """ROIs with 2 figures each of A (two) and B (one), so many of them detected; a figure-free ROI
    of B with so many false alarms."""
    hit, alarm = (0.9, True), (0.8, False)
    return scored(
        {
            "a1.tiff": ("A", 2, [hit] * a_hits),
            "a2.tiff": ("A", 2, [hit] * a_hits),
            "b1.tiff": ("B", 2, [hit] * b_hits),
            "b2.tiff": ("B", 0, [alarm] * free),
        }
    )


def by_scanners(lines, **wanted):
    return {
        line.scanners: line
        for line in lines
        if all(getattr(line, key) == value for key, value in {"part": "", **wanted}.items())
    }


def test_seen_scanners_are_pooled_and_unseen_ones_are_averaged():
    lines = make_lines([detector("r", {"t": roi_test(2, 1, free=3)})], ["t"], resamples=50)
    table = by_scanners(lines)
    assert list(table) == ["unseen", "seen", "B", "A"]
    assert table["seen"].scores["f1"].value == 1
    assert table["unseen"].scores["f1"].value == pytest.approx(2 / (2 + 3 + 1))
    assert table["unseen"].scores["precision"].value == pytest.approx(1 / 4)
    assert table["unseen"].scores["fp_per_mm2"].value == pytest.approx(3 / 1.0)
    assert table["unseen"].scores["figure_free_fp_per_mm2"].value == pytest.approx(3 / 0.5)
    assert math.isnan(table["seen"].scores["figure_free_fp_per_mm2"].value), "A has no such ROI"
    assert (table["unseen"].rois, table["unseen"].figures) == (2, 2)
    assert [table[name].seen for name in ("A", "B")] == [True, False]


def test_the_mean_is_over_parts_and_seeds_and_the_spread_over_seeds():
    detectors = [
        detector("r", {"t": roi_test(a, b)}, train_on, seeds=(seed,), part=f"without_{train_on}")
        for seed, a, b in ((0, 1, 2), (1, 2, 0))
        for train_on in "AB"
    ]
    line = by_scanners(make_lines(detectors, ["t"], resamples=0))["unseen"]
    # without A: A unseen, F1 of 1 in 2 is 2/3 and 1; without B: 1 and 0
    assert line.scores["f1"].value == pytest.approx((2 / 3 + 1 + 1 + 0) / 4)
    assert line.scores["f1"].sd == pytest.approx(stdev([(2 / 3 + 1) / 2, (1 + 0) / 2]))
    assert line.scores["f1"].worst == pytest.approx(1 / 2), "B, over its seeds"
    assert math.isnan(line.scores["f1"].low)


def test_intervals_hold_the_mean_and_gains_are_paired():
    def rois(first: int):
        """Six ROIs of three figures, of which so many of the first and 0 to 3 of others are hit."""
        hits = [first, 3, 0, 3, 1, 3]
        return scored({f"{n}.tiff": ("A", 3, [(0.9, True)] * hit) for n, hit in enumerate(hits)})

    rows = [detector("base", {"t": rois(0)}), detector("more", {"t": rois(1)})]
    lines = make_lines([*rows, detector("more", {}, design="single")], ["t"], resamples=200)
    base, more = (by_scanners(lines, row=row)["seen"] for row in ("base", "more"))
    for line in (base, more):
        score = line.scores["f1"]
        assert score.low < score.value < score.high
    assert base.gain == {}
    gain = more.gain["f1"]
    assert gain.value == pytest.approx(more.scores["f1"].value - base.scores["f1"].value)
    assert 0 <= gain.low <= gain.value <= gain.high, "in no draw is it worse"


def test_rows_that_were_scored_on_other_rois_have_no_gain():
    other = scored({"z.tiff": ("A", 1, [(0.9, True)])})
    lines = make_lines(
        [detector("base", {"t": roi_test(1, 1)}), detector("more", {"t": other})],
        ["t"],
        resamples=0,
    )
    assert by_scanners(lines, row="more")["seen"].gain == {}


def test_what_is_not_scored_yet_has_no_line_and_is_counted():
    lines = make_lines(
        [detector("r", {"t": roi_test(1, 1)}), detector("r", {}, part="b", seeds=(1,))],
        ["t", "u"],
        resamples=0,
    )
    assert {(line.test, line.part, line.done, line.planned) for line in lines} == {
        ("t", "", 1, 2),
        ("t", "all", 1, 1),
    }


def test_thresholds_are_the_columns():
    val = {"val": roi_test(2, 2)}
    low = scored({"a1.tiff": ("A", 1, [(0.2, True), (0.1, False)])}, threshold=0.5)
    lines = make_lines([detector("r", {"t": low, **val})], ["t"], resamples=0)
    scores = by_scanners(lines)["seen"].scores
    assert (scores["f1"].value, scores["f1_oracle"].value, scores["ap"].value) == (0, 1, 1)
    assert math.isnan(scores["f1_transferred"].value)
    assert set(scores) == set(COLUMNS)
