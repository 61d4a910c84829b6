"""Tissue without figures: its false alarms per mm2 and per ROI, by hand, and their intervals over
its own patients."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from midog.evaluation.scoring import evaluate
from tests.evaluation.cases import YES, write
from tests.evaluation.edges import FIGURES, sized

AREA = 0.0625
"""mm2: 1000 x 1000 px of 0.25 um."""


def alarms(count: int) -> list[tuple[float, float, float, str]]:
    return [(50 + 60 * number, 900, 0.9, YES) for number in range(count)]


@pytest.fixture
def mixed(tmp_path: Path):
    """Scanner A: a patient with figures and two ROIs without; B: patients without; C: with one."""
    rois = [
        sized("1.png", FIGURES, scanner="A", patient="a"),
        sized("2.png", scanner="A", patient="a"),
        sized("3.png", scanner="A", patient="d", imposters=[(50, 900)]),
        sized("4.png", scanner="B", patient="b"),
        sized("5.png", scanner="C", patient="c", figures=FIGURES),
    ]
    write(tmp_path / "1.json", (100, 100, 0.9, YES), *alarms(1))
    write(tmp_path / "2.json", *alarms(3))
    write(tmp_path / "3.json")
    write(tmp_path / "4.json", *alarms(2))
    write(tmp_path / "5.json", (100, 100, 0.9, YES))
    return tmp_path, rois


def test_by_hand(mixed) -> None:
    groups = evaluate(*mixed, resamples=0).groups
    whole, a, b, c = (groups[name] for name in ("all", "A", "B", "C"))
    assert vars(whole.figure_free) == {
        "rois": 3,
        "patients": 3,
        "area_mm2": pytest.approx(3 * AREA),
        "fp": 5,
        "clean_rois": 1,
    }
    assert whole.values["figure_free_fp_per_mm2"] == pytest.approx(5 / (3 * AREA))
    assert whole.values["figure_free_fp_per_roi"] == pytest.approx(5 / 3)
    assert whole.values["figure_free_clean"] == pytest.approx(1 / 3)
    assert whole.values["precision_elsewhere"] == pytest.approx(2 / 3)
    assert whole.values["precision"] == pytest.approx(2 / 8), "all tissue counts"
    assert a.values["figure_free_fp_per_mm2"] == pytest.approx(3 / (2 * AREA))
    assert b.values["figure_free_fp_per_roi"] == 2
    assert b.values["precision"] == 0
    assert math.isnan(b.values["f1"]), "of no figure nothing can be found: no score of 0"
    assert math.isnan(b.values["precision_elsewhere"])
    assert c.figure_free.rois == 0
    assert math.isnan(c.values["figure_free_fp_per_mm2"])
    assert math.isnan(c.values["figure_free_clean"])


def test_the_area_is_that_of_the_image_in_its_own_um(tmp_path: Path) -> None:
    rois = [sized("1.png", mpp=0.5), sized("2.png", mpp=0.25, patient="b")]
    for name in ("1", "2"):
        write(tmp_path / f"{name}.json", *alarms(1))
    values = evaluate(tmp_path, rois, resamples=0).groups["all"].values
    assert values["figure_free_fp_per_mm2"] == pytest.approx(2 / (0.25 + 0.0625))


def test_an_unknown_area_leaves_the_rate_per_roi(tmp_path: Path) -> None:
    rois = [sized("1.png", mpp=None)]
    write(tmp_path / "1.json", *alarms(4))
    values = evaluate(tmp_path, rois, resamples=0).groups["all"].values
    assert math.isnan(values["figure_free_fp_per_mm2"])
    assert values["figure_free_fp_per_roi"] == 4


def test_its_intervals_draw_the_patients_of_figure_free_rois(tmp_path: Path) -> None:
    """Patients with figures do not thin out the draws; one patient alone has no interval."""
    rois = [
        sized("0.png", scanner="A", patient="x"),
        sized("1.png", scanner="A", patient="y"),
        *(sized(f"{n}.png", FIGURES, scanner="B", patient=f"p{n}") for n in range(2, 12)),
        sized("12.png", scanner="B", patient="z"),
    ]
    write(tmp_path / "0.json", *alarms(2))
    for number in range(1, 13):
        write(tmp_path / f"{number}.json")
    groups = evaluate(tmp_path, rois, resamples=400).groups
    a = groups["A"].intervals["figure_free_fp_per_mm2"]
    assert (a.low, a.high) == (0, 2 / AREA), "x twice or y twice is a quarter of the draws each"
    whole = groups["all"].intervals["figure_free_fp_per_roi"]
    assert (whole.low, whole.high) == (0, 2), "x, y and z alone: 0 to 6 alarms in three ROIs"
    b = groups["B"].intervals["figure_free_fp_per_roi"]
    assert b.value == 0
    assert math.isnan(b.low)
    assert math.isnan(b.high)


def test_a_test_part_of_figure_free_rois_alone_has_counts_and_no_f1(tmp_path: Path) -> None:
    rois = [sized("1.png", patient="a"), sized("2.png", patient="b")]
    write(tmp_path / "1.json", *alarms(3))
    write(tmp_path / "2.json")
    result = evaluate(tmp_path, rois, resamples=30)
    tree = result.to_dict()["groups"]["all"]
    assert (tree["tp"], tree["fp"], tree["fn"]) == (0, 3, 0)
    assert tree["f1"] is None
    assert tree["intervals"]["f1"] == [None, None]
    assert tree["figure_free"]["fp_per_roi"] == 1.5
    assert tree["figure_free"]["clean"] == 0.5
    assert [row["f1"] for row in result.to_dict()["rois"]] == [None, None]
    assert [row["fp_per_mm2"] for row in result.to_dict()["rois"]] == [48, 0]
    assert "figure_free,fp_per_mm2" in result.to_csv().splitlines()[0]
