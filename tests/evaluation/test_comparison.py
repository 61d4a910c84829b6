"""Model against model: no difference with itself, a clear one found, and one too small for intervals of their own."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from midog.data.annotations import Roi
from midog.errors import DetectionsError
from midog.evaluation.comparison import compare
from midog.evaluation.result import MEASURES
from midog.evaluation.scoring import evaluate
from midog.metrics.scores import Counts
from tests.evaluation.cases import ROIS, YES, roi, write, write_found

FIGURES = [(100 + 200 * number, 100) for number in range(8)]


def models(folder: Path, found_a: list[int], found_b: list[int]) -> tuple[Path, Path, list[Roi]]:
    """ROIs of 8 figures, each of a patient, of two scanners in turn; how many of them A and B find in each."""
    rois = [
        roi(f"{number}.tiff", FIGURES, scanner=("XR", "CS2")[number % 2], patient=f"p{number}")
        for number in range(len(found_a))
    ]
    for name, found in (("a", found_a), ("b", found_b)):
        for number, count in enumerate(found):
            write(folder / name / f"{number}.json", *((x, y, 0.9, YES) for x, y in FIGURES[:count]))
    return folder / "a", folder / "b", rois


def test_a_model_is_no_better_than_itself(tmp_path: Path) -> None:
    a, _, rois = models(tmp_path, [8, 3, 5, 1], [8, 3, 5, 1])
    result = compare(a, a, rois, resamples=50)
    assert list(result.differences) == ["all", "XR", "CS2"]
    for theirs in result.differences.values():
        assert list(theirs) == list(MEASURES)
        for each in theirs.values():
            assert (each.value, each.low, each.high, each.p) == (0, 0, 0, 1)


def test_a_clearly_better_model(tmp_path: Path) -> None:
    """It is better in every draw of patients: p is the least that so many resamples can give."""
    a, b, rois = models(tmp_path, [8, 7, 8, 6, 8, 8, 7, 8], [4, 3, 2, 4, 3, 4, 1, 4])
    all_rois = compare(a, b, rois, resamples=199).differences["all"]
    assert all_rois["recall"].value == pytest.approx(60 / 64 - 25 / 64)
    for measure in ("recall", "f1", "ap50", "froc_auc"):
        assert 0 < all_rois[measure].low < all_rois[measure].value < all_rois[measure].high
        assert all_rois[measure].p == 2 / 200
    precision = all_rois["precision"]
    assert (precision.value, precision.p) == (0, 1), "neither has a false alarm"


def test_what_makes_a_patient_hard_for_both_cancels_out(tmp_path: Path) -> None:
    """Patients from 1 to 8 of 8 figures, and B finds one less in each: their own intervals overlap widely."""
    found = [8, 1, 6, 3, 7, 2, 5, 4, 8, 1, 7, 2]
    a, b, rois = models(tmp_path, found, [count - 1 for count in found])
    difference = compare(a, b, rois, resamples=300).differences["all"]["recall"]
    own_a, own_b = (evaluate(each, rois, resamples=300).groups["all"].intervals["recall"] for each in (a, b))
    assert own_b.high > own_a.low
    assert (difference.low, difference.high) == pytest.approx((1 / 8, 1 / 8)), "one of eight, in any patients"
    assert difference.p == 2 / 301


def test_b_against_a_is_the_same_turned_round(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3, 5, 1, 6, 4], [6, 4, 5, 2, 3, 4])
    one, other = compare(a, b, rois, resamples=60, seed=2), compare(b, a, rois, resamples=60, seed=2)
    for name, theirs in one.differences.items():
        for measure, each in theirs.items():
            turned = other.differences[name][measure]
            assert (turned.value, turned.p) == (-each.value, each.p)
            assert (turned.low, turned.high) == pytest.approx((-each.high, -each.low), abs=1e-12)


def test_scores_are_those_of_each_evaluation_by_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_found(tmp_path / name)
    write(tmp_path / "b" / "003.json", (50, 50, 0.8, YES))
    result = compare(tmp_path / "a", tmp_path / "b", ROIS, by="tumour,scanner", threshold=0.5, resamples=5)
    for folder, groups in (("a", result.a), ("b", result.b)):
        alone = evaluate(tmp_path / folder, ROIS, by="tumour,scanner", threshold=0.5, resamples=0)
        assert {name: group.to_dict() for name, group in groups.items()} == alone.to_dict()["groups"]
    assert list(result.differences) == list(result.a) == list(result.b)
    assert (result.a["all"].counts, result.b["all"].counts) == (Counts(2, 1, 1), Counts(3, 1, 0))
    assert result.differences["all"]["recall"].value == pytest.approx(-1 / 3)


def test_differences_are_the_seeds(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3, 5, 1, 6, 4], [6, 4, 5, 2, 3, 4])
    one, again, other = (compare(a, b, rois, resamples=60, seed=seed).differences for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_json_is_plain_with_null_for_what_is_not_known(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3, 5], [6, 3, 5])  # one patient alone with CS2
    tree = json.loads(json.dumps(compare(a, b, rois, resamples=20, seed=4).to_dict(), allow_nan=False))
    assert list(tree) == ["schema_version", "midog", "bootstrap", "groups"]
    assert tree["bootstrap"] == {"unit": "patient", "level": 0.95, "resamples": 20, "seed": 4}
    assert list(tree["groups"]["all"]) == list(MEASURES)
    assert tree["groups"]["CS2"]["recall"] == {
        "a": 3 / 8,
        "b": 3 / 8,
        "difference": 0,
        "interval": [None, None],
        "p": None,
    }
    assert tree["groups"]["XR"]["recall"]["difference"] == pytest.approx(2 / 16)
    assert None not in tree["groups"]["XR"]["recall"]["interval"]


def test_what_one_of_them_lacks_has_no_difference(tmp_path: Path) -> None:
    """Nothing found has no precision, and a scanner without figures no recall."""
    rois = [roi(f"{number}.tiff", patient=f"p{number}") for number in range(3)]
    for number in range(3):
        write(tmp_path / "a" / f"{number}.json", (9, 9, 0.9, YES))
        write(tmp_path / "b" / f"{number}.json")
    theirs = compare(tmp_path / "a", tmp_path / "b", rois, resamples=10).differences["all"]
    for each in theirs.values():
        assert all(map(math.isnan, (each.value, each.low, each.high, each.p)))


def test_a_missing_roi_is_told_with_the_folder_that_lacks_it(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3], [6, 3])
    (b / "1.json").unlink()
    with pytest.raises(DetectionsError) as error:
        compare(a, b, rois)
    assert str(error.value).startswith(f"{b} has no detections for 1.tiff")
    assert compare(a, b, rois, allow_missing=True, resamples=5).b["all"].counts == Counts(6, 0, 10)


def test_errors_of_the_arguments(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3], [6, 3])
    with pytest.raises(DetectionsError, match=r"0 resamples; a comparison needs at least one"):
        compare(a, b, rois, resamples=0)
    with pytest.raises(DetectionsError, match="no column 'stain'"):
        compare(a, b, rois, by="stain")
    with pytest.raises(DetectionsError, match="no ROIs"):
        compare(a, b, [])
