"""The result as JSON that keeps to its schema, and as a table of ROIs."""

from __future__ import annotations

import csv
import io
import json
import math
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from midog.evaluation.measures import MEASURES, compared
from midog.evaluation.result import MISTAKES
from midog.evaluation.scoring import evaluate
from midog.json_text import plain
from midog.metrics.mistakes import FALSE_ALARMS, MISS_DISTANCES
from tests.evaluation.cases import YES, roi, write
from tests.evaluation.edges import EDGES

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "evaluation.schema.json").read_text()
)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The part that a $ref names, or the schema itself."""
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def properties(schema: dict[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Every named property below a schema, by its path; what a list or a map holds is at `*`."""
    schema, collected = resolved(schema), {}
    for name, inner in schema.get("properties", {}).items():
        collected[f"{path}/{name}"] = inner
        collected |= properties(inner, f"{path}/{name}")
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            collected |= properties(inner, f"{path}/*")
    return collected


def paths(value: Any, path: str = "") -> set[str]:
    """Every path in a JSON value, as `properties` writes it, with names and `*` for each step."""
    collected = {path}
    for name, inner in (
        value.items() if isinstance(value, dict) else [("*", each) for each in value or []]
    ):
        for step in {name, "*"}:
            collected |= paths(inner if isinstance(inner, dict | list) else None, f"{path}/{step}")
    return collected


def undescribed(value: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """Keys of a JSON value that the schema has no word about."""
    schema = resolved(schema)
    if isinstance(value, list):
        return [
            each
            for inner in value
            for each in undescribed(inner, schema.get("items") or {}, f"{path}/*")
        ]
    if not isinstance(value, dict):
        return []
    collected = []
    for name, inner in value.items():
        said = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        collected += (
            [f"{path}/{name}"] if said is None else undescribed(inner, said, f"{path}/{name}")
        )
    return collected


def test_the_schema_is_one_and_describes_every_key() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for path, each in properties(SCHEMA).items():
        assert each.get("description") or resolved(each).get("description"), path


def test_the_schema_lets_new_keys_come_and_asks_for_none_that_it_does_not_describe() -> None:
    objects = [SCHEMA, *map(resolved, properties(SCHEMA).values()), *SCHEMA["$defs"].values()]
    for part in objects:
        assert part.get("additionalProperties") is not False
        if part.get("type") == "object":
            assert set(part.get("required", [])) <= set(part.get("properties", {})) | {"all"}


@pytest.mark.parametrize("name", EDGES)
def test_json_keeps_to_the_schema(name: str, tmp_path: Path) -> None:
    result, _ = EDGES[name](tmp_path)
    text = json.dumps(result.to_dict(), allow_nan=False)
    Draft202012Validator(SCHEMA).validate(json.loads(text))
    assert undescribed(json.loads(text), SCHEMA) == []


@pytest.mark.parametrize("name", ["plain", "nothing_at_all"])
def test_every_property_of_the_schema_is_there(name: str, tmp_path: Path) -> None:
    result, _ = EDGES[name](tmp_path)
    asked = {
        path
        for path in properties(SCHEMA)
        if (result.mistakes or not path.startswith("/mistakes/*"))
        and not path.startswith("/hotspots")  # only where it was asked for
    }
    assert asked <= paths(result.to_dict())


def test_a_key_less_breaks_the_schema_and_one_more_is_seen(tmp_path: Path) -> None:
    document = EDGES["plain"](tmp_path)[0].to_dict()
    validator = Draft202012Validator(SCHEMA)
    document["groups"]["A"]["f2"] = document["rois"][1]["f2"] = 1.0
    validator.validate(document)
    assert undescribed(document, SCHEMA) == ["/groups/A/f2", "/rois/*/f2"]
    del document["rois"][0]["tp"]
    assert [error.validator for error in validator.iter_errors(document)] == ["required"]


def test_real_detections_keep_to_the_schema(composite: Path) -> None:
    from midog.data.folder import read_rois, select_rois

    rois = select_rois(read_rois(composite), "test")
    result = evaluate(composite, rois, allow_missing=True, resamples=10)
    assert sum(group.rois for group in result.groups.values()) == 2 * len(rois)
    Draft202012Validator(SCHEMA).validate(result.to_dict())
    assert undescribed(result.to_dict(), SCHEMA) == []


def test_json_says_what_the_result_says(tmp_path: Path) -> None:
    result, rois = EDGES["plain"](tmp_path)
    document = result.to_dict()
    assert document["by"] == ["scanner"]
    assert document["bootstrap"] == {"unit": "patient", "level": 0.95, "resamples": 20, "seed": 0}
    for name, group in result.groups.items():
        ours = document["groups"][name]
        assert (ours["tp"], ours["fp"], ours["fn"]) == (
            group.counts.tp,
            group.counts.fp,
            group.counts.fn,
        )
        assert list(ours["intervals"]) == list(MEASURES)
        for measure in MEASURES:
            assert reduce(getitem, MEASURES[measure].path, ours) == plain(group.values[measure])
            interval = group.intervals[measure]
            assert ours["intervals"][measure] == [plain(interval.low), plain(interval.high)]
        assert list(ours["misses_by_distance"]) == list(MISS_DISTANCES)
        assert sum(ours["misses_by_distance"].values()) == group.counts.fn
        assert (
            ours["figures_per_2mm2"]
            == 2 * ours["figures_per_mm2"]
            == 2 * group.figures / group.area_mm2
        )
        assert sum(ours["mistakes"][kind] for kind in FALSE_ALARMS) == group.counts.fp
        assert sum(ours["mistakes"].values()) == group.counts.fp + group.counts.fn
        assert len({len(column) for column in ours["curve"].values()}) == 1
        assert len(ours["calibration"]["edges"]) == len(ours["calibration"]["count"]) + 1
    assert [row["file_name"] for row in document["rois"]] == [roi.file_name for roi in rois]


def test_the_plain_case_has_every_kind_of_mistake(tmp_path: Path) -> None:
    result, _ = EDGES["plain"](tmp_path)
    assert all(result.groups["all"].mistakes[kind] for kind in MISTAKES)


def test_what_is_undefined_is_null(tmp_path: Path) -> None:
    nothing = EDGES["nothing_at_all"](tmp_path)[0].to_dict()["groups"]["all"]
    assert [nothing[measure.key] for measure in compared()] == [None] * 5
    zero = (
        "fp_per_roi",
        "fp_per_mm2",
        "figures_per_mm2",
        "found_per_mm2",
        "figures_per_2mm2",
        "found_per_2mm2",
        "figure_free_fp_per_mm2",
        "figure_free_fp_per_roi",
    )
    zero += ("bias", "limit_low", "limit_high")
    assert nothing["intervals"] == {
        name: [0, 0] if name in zero else [None, None] for name in MEASURES
    } | {"figure_free_clean": [1, 1]}
    assert nothing["oracle"] == {
        **dict.fromkeys(("threshold", "f1", "threshold_loss", "ranking_loss")),
        "at_floor": False,
    }
    assert nothing["curve"]["threshold"] == []
    assert nothing["calibration"]["ece"] is None


def test_an_unknown_area_is_null_and_so_is_what_needs_it(tmp_path: Path) -> None:
    groups = EDGES["no_area"](tmp_path)[0].to_dict()["groups"]
    for name in ("all", "A"):
        for key in ("area_mm2", "fp_per_mm2", "figures_per_mm2", "found_per_mm2", "found_per_2mm2"):
            assert groups[name][key] is None
        assert set(groups[name]["curve"]["fp_per_mm2"]) == {None}
    assert groups["B"]["area_mm2"] == pytest.approx(0.0625)


def test_without_resamples_there_are_no_intervals(tmp_path: Path) -> None:
    document = EDGES["no_resamples"](tmp_path)[0].to_dict()
    assert document["bootstrap"]["resamples"] == 0
    assert document["threshold"] == 0.2
    assert all(group["intervals"] == {} for group in document["groups"].values())


def test_the_table_has_a_line_for_each_roi(tmp_path: Path) -> None:
    result, rois = EDGES["nested"](tmp_path)
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [row["file_name"] for row in rows] == [roi.file_name for roi in rois]
    assert [row["tumour"] for row in rows] == ["lung", "skin", "lung"]
    assert [row["scanner"] for row in rows] == ["A", "B", "B"]
    for row, mine in zip(rows, result.rois, strict=True):
        assert (int(row["tp"]), int(row["fp"]), int(row["fn"])) == (
            mine.counts.tp,
            mine.counts.fp,
            mine.counts.fn,
        )
        assert float(row["f1"]) == mine.counts.f1
        assert float(row["figures_per_mm2"]) == pytest.approx(int(row["figures"]) / 0.0625)
    assert sum(int(row["tp"]) for row in rows) == result.groups["all"].counts.tp


def test_the_table_leaves_a_cell_empty_where_a_value_is_undefined(tmp_path: Path) -> None:
    result, _ = EDGES["nothing_at_all"](tmp_path)
    rows = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [row["precision"] for row in rows] == ["", ""]
    assert [row["figures"] for row in rows] == ["0", "0"]


def test_a_column_named_as_a_score_does_not_replace_it(tmp_path: Path) -> None:
    columns = {"figures": "many", "f1": "good", "by_f1": "too"}
    write(tmp_path / "1.json", (100, 100, 0.9, YES))
    rois = [roi("1.png", [(100, 100)], patient="x", columns=columns)]
    result = evaluate(tmp_path, rois, by="figures,f1,by_f1,patient,scanner", resamples=0)
    (row,) = csv.DictReader(io.StringIO(result.to_csv()))
    assert (row["figures"], row["f1"], row["patient"], row["scanner"]) == ("1", "1.0", "x", "A")
    assert (row["by_figures"], row["by_f1"], row["by_by_f1"], row["by_patient"]) == (
        "many",
        "good",
        "too",
        "x",
    )
    assert "f1" in result.to_dict()["rois"][0]["keys"], "the JSON has room for both"


def test_a_name_with_a_comma_stays_one_cell(tmp_path: Path) -> None:
    result = evaluate(
        tmp_path, [roi('a, "b".png', scanner="A, B")], allow_missing=True, resamples=0
    )
    (row,) = csv.DictReader(io.StringIO(result.to_csv()))
    assert (row["file_name"], row["scanner"]) == ('a, "b".png', "A, B")


def test_no_cell_of_the_table_is_a_formula(tmp_path: Path) -> None:
    formula = '=HYPERLINK("http://x","y")'
    rois = [roi(formula + ".png", scanner="@SUM(1)", patient="-1+1", columns={"+c": "=2"})]
    result = evaluate(tmp_path, rois, by="scanner,+c", allow_missing=True, resamples=0)
    (row,) = csv.DictReader(io.StringIO(result.to_csv()))
    assert row["file_name"] == f"'{formula}.png"
    assert (row["scanner"], row["patient"], row["'+c"]) == ("'@SUM(1)", "'-1+1", "'=2")
    assert result.to_dict()["rois"][0]["file_name"] == f"{formula}.png", "JSON has no formulas"


def test_plain_numbers() -> None:
    assert plain(math.nan) is None
    assert plain(np.array([1.5, math.nan])) == [1.5, None]
    assert plain(np.array([2], np.int64)) == [2]
    assert plain(3) == 3


def test_um_per_px_of_unequal_sides_are_both_in_the_json(tmp_path: Path) -> None:
    write(tmp_path / "001.json", (50, 50, 0.9, YES))
    one = [roi("001.tiff", [(50, 50)])]
    for mpp, text in ((0.25, 0.25), ((0.25, 0.2524), [0.25, 0.2524])):
        tree = evaluate(tmp_path, one, mpp=mpp, resamples=0).to_dict()
        assert tree["rois"][0]["mpp"] == text
        Draft202012Validator(SCHEMA).validate(tree)
