"""Model against model: no difference with itself, a clear one found, and one too small for
intervals of their own."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.comparison import COMPARISON_SCHEMA_VERSION, Comparison, compare
from midog.evaluation.measures import compared
from midog.evaluation.scoring import evaluate
from midog.metrics import bootstrap
from midog.metrics.counts import Counts
from tests.evaluation.cases import ROIS, YES, roi, write, write_found

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "comparison.schema.json").read_text()
)
FIGURES = [(100 + 200 * number, 100) for number in range(8)]


def models(folder: Path, found_a: list[int], found_b: list[int]) -> tuple[Path, Path, list[Roi]]:
    """ROIs of 8 figures, each of a patient, of two scanners in turn; how many of them A and B find
    in each."""
    rois = [
        roi(f"{number}.tiff", FIGURES, scanner=("XR", "CS2")[number % 2], patient=f"p{number}")
        for number in range(len(found_a))
    ]
    for name, detected in (("a", found_a), ("b", found_b)):
        for number, count in enumerate(detected):
            write(folder / name / f"{number}.json", *((x, y, 0.9, YES) for x, y in FIGURES[:count]))
    return folder / "a", folder / "b", rois


def test_a_model_is_no_better_than_itself(tmp_path: Path) -> None:
    a, _, rois = models(tmp_path, [8, 3, 5, 1], [8, 3, 5, 1])
    result = compare(a, a, rois, resamples=50)
    assert list(result.differences) == ["all", "XR", "CS2"]
    for theirs in result.differences.values():
        assert list(theirs) == [measure.key for measure in compared()]
        for each in theirs.values():
            assert (each.value, each.low, each.high, each.p, each.p_bootstrap) == (0, 0, 0, 1, 1)


def test_a_clearly_better_model(tmp_path: Path) -> None:
    """It is better for every patient, and so in every draw of them: either p is the least that it
    can be."""
    a, b, rois = models(tmp_path, [8, 7, 8, 6, 8, 8, 7, 8], [4, 3, 2, 4, 3, 4, 1, 4])
    all_rois = compare(a, b, rois, resamples=256).differences["all"]
    assert all_rois["recall"].value == pytest.approx(60 / 64 - 25 / 64)
    for measure in ("recall", "f1", "ap50", "froc_auc"):
        assert 0 < all_rois[measure].low < all_rois[measure].value < all_rois[measure].high
        assert all_rois[measure].p == 2 / 2**8
        assert all_rois[measure].p_bootstrap == 2 / 257
    precision = all_rois["precision"]
    assert (precision.value, precision.p) == (0, 1), "neither has a false alarm"


def test_p_by_hand_with_three_patients(tmp_path: Path) -> None:
    """Of 8 figures each A finds 3, 2 and -1 more: of the swaps +-3 +-2 +-1 four are at least 4 from
    0."""
    a, b, rois = models(tmp_path, [8, 4, 2], [5, 2, 3])
    result = compare(a, b, rois, resamples=50).differences
    assert result["all"]["recall"].p == 4 / 8
    assert result["XR"]["recall"].p == 1, "3 and -1 of two patients: each swap is at least 2 from 0"
    assert math.isnan(result["CS2"]["recall"].p), "one patient"


def test_all_rois_of_a_patient_are_swapped_together(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 8, 8, 8], [4, 4, 4, 4])
    assert compare(a, b, rois, resamples=50).differences["all"]["recall"].p == 2 / 16
    of_two = [replace(each, patient=f"p{number // 2}") for number, each in enumerate(rois)]
    assert compare(a, b, of_two, resamples=50).differences["all"]["recall"].p == 2 / 4


def test_with_many_patients_random_swaps_are_tried(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8] * 12, [7] * 12)
    assert compare(a, b, rois, resamples=99).differences["all"]["recall"].p == 1 / 100


def test_what_makes_a_patient_hard_for_both_cancels_out(tmp_path: Path) -> None:
    """Patients from 1 to 8 of 8 figures, and B finds one less in each: their own intervals overlap
    widely."""
    detected = [8, 1, 6, 3, 7, 2, 5, 4, 8, 1, 7, 2]
    a, b, rois = models(tmp_path, detected, [count - 1 for count in detected])
    difference = compare(a, b, rois, resamples=300).differences["all"]["recall"]
    own_a, own_b = (
        evaluate(each, rois, resamples=300).groups["all"].intervals["recall"] for each in (a, b)
    )
    assert own_b.high > own_a.low
    assert (difference.low, difference.high) == pytest.approx((1 / 8, 1 / 8)), (
        "one of eight, in any patients"
    )
    assert difference.p == 1 / 301
    assert difference.p_bootstrap == 2 / 301


def test_b_against_a_is_the_same_turned_round(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3, 5, 1, 6, 4], [6, 4, 5, 2, 3, 4])
    one, other = (
        compare(a, b, rois, resamples=60, seed=2),
        compare(b, a, rois, resamples=60, seed=2),
    )
    for name, theirs in one.differences.items():
        for measure, each in theirs.items():
            turned = other.differences[name][measure]
            assert (turned.value, turned.p, turned.p_bootstrap) == (
                -each.value,
                each.p,
                each.p_bootstrap,
            )
            assert (turned.low, turned.high) == pytest.approx((-each.high, -each.low), abs=1e-12)


def test_scores_are_those_of_each_evaluation_by_itself(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_found(tmp_path / name)
    write(tmp_path / "b" / "003.json", (50, 50, 0.8, YES))
    result = compare(
        tmp_path / "a", tmp_path / "b", ROIS, by="tumour,scanner", threshold=0.5, resamples=5
    )
    for folder, groups in (("a", result.a), ("b", result.b)):
        alone = evaluate(tmp_path / folder, ROIS, by="tumour,scanner", threshold=0.5, resamples=0)
        assert {name: group.to_dict() for name, group in groups.items()} == alone.to_dict()[
            "groups"
        ]
    assert list(result.differences) == list(result.a) == list(result.b)
    assert (result.a["all"].counts, result.b["all"].counts) == (Counts(2, 1, 1), Counts(3, 1, 0))
    assert result.differences["all"]["recall"].value == pytest.approx(-1 / 3)


def test_differences_are_the_seeds(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3, 5, 1, 6, 4], [6, 4, 5, 2, 3, 4])
    one, again, other = (
        compare(a, b, rois, resamples=60, seed=seed).differences for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_differences_do_not_depend_on_how_many_draws_are_in_memory(tmp_path, monkeypatch) -> None:
    a, b, rois = models(tmp_path, [1, 0, 1, 1, 0, 1, 1, 0], [0, 0, 1, 0, 1, 0, 1, 0])
    whole = compare(a, b, rois, resamples=50).to_dict()
    monkeypatch.setattr(bootstrap, "_CELLS", 60)
    parts = compare(a, b, rois, resamples=50).to_dict()
    assert json.dumps(parts) == json.dumps(whole)


def test_json_is_plain_with_null_for_what_is_not_known(tmp_path: Path) -> None:
    a, b, rois = models(tmp_path, [8, 3, 5], [6, 3, 5])  # one patient alone with CS2
    tree = json.loads(
        json.dumps(compare(a, b, rois, resamples=20, seed=4).to_dict(), allow_nan=False)
    )
    assert list(tree) == [
        "schema_version",
        "midog",
        "bootstrap",
        "permutation",
        "patients",
        "groups",
    ]
    assert tree["schema_version"] == COMPARISON_SCHEMA_VERSION
    assert tree["patients"] == {"all": 3, "XR": 2, "CS2": 1}
    assert tree["permutation"] == {"unit": "patient", "most_swaps": 20, "seed": 4}
    assert tree["bootstrap"] == {"unit": "patient", "level": 0.95, "resamples": 20, "seed": 4}
    assert list(tree["groups"]["all"]) == [measure.key for measure in compared()]
    assert tree["groups"]["CS2"]["recall"] == {
        "a": 3 / 8,
        "b": 3 / 8,
        "difference": 0,
        "interval": [None, None],
        "p": None,
        "p_bootstrap": None,
    }
    assert tree["groups"]["XR"]["recall"]["difference"] == pytest.approx(2 / 16)
    assert None not in tree["groups"]["XR"]["recall"]["interval"]


def no_figures(folder: Path) -> Comparison:
    rois = [roi(f"{number}.tiff", patient=f"p{number}") for number in range(3)]
    for number in range(3):
        write(folder / "a" / f"{number}.json", (9, 9, 0.9, YES))
        write(folder / "b" / f"{number}.json")
    return compare(folder / "a", folder / "b", rois, resamples=10)


def described(value: Any, schema: dict[str, Any], path: str = "") -> None:
    """Every key of the value is a property with a description, or one of a map whose values the
    schema describes."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    for name, inner in value.items() if isinstance(value, dict) else ():
        known = schema.get("properties", {}).get(name)
        assert known is None or known.get("description"), f"{path}/{name} is not described"
        below = known if known is not None else schema.get("additionalProperties")
        assert isinstance(below, dict), f"{path}/{name} is not in the schema"
        described(inner, below, f"{path}/{name}")


def test_json_keeps_to_its_schema_which_describes_every_key(tmp_path: Path) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    a, b, rois = models(tmp_path / "some", [8, 3, 5], [6, 3, 5])
    for result in (
        compare(a, b, rois, by="scanner,patient", resamples=20),
        no_figures(tmp_path / "none"),
    ):
        tree = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        Draft202012Validator(SCHEMA).validate(tree)
        described(tree, SCHEMA)
    Draft202012Validator(SCHEMA).validate(tree | {"new": 1})  # which comes with the same version
    with pytest.raises(AssertionError, match="/new is not in the schema"):
        described(tree | {"new": 1}, SCHEMA)
    del tree["groups"]["all"]["f1"]["p"]
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(tree)


def test_what_one_of_them_lacks_has_no_difference(tmp_path: Path) -> None:
    """Nothing found has no precision, and a scanner without figures no recall."""
    theirs = no_figures(tmp_path).differences["all"]
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
    with pytest.raises(DetectionsError, match=r"100001 resamples; give at most 100000"):
        compare(a, b, rois, resamples=100_001)
    with pytest.raises(DetectionsError, match="no column 'stain'"):
        compare(a, b, rois, by="stain")
    with pytest.raises(DetectionsError, match="no ROIs"):
        compare(a, b, [])
