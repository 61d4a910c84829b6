"""One measure more is one function and one entry of MEASURES: F2, through commands, JSON, page and
schemas."""

from __future__ import annotations

import json
from pathlib import Path

import make_schemas
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from midog.boxes import IntArray
from midog.evaluation.measure import Measure
from midog.evaluation.measures import MEASURES
from midog.metrics.counts import count_table, ratios
from midog.metrics.points import Values
from tests.evaluation.cases import NO, YES, write
from tests.report.markup import Page


def f2(tp: IntArray, fp: IntArray, fn: IntArray) -> Values:
    """5 tp / (5 tp + fp + 4 fn), any shape: recall counts twice as much as precision."""
    return ratios(5 * tp, 5 * tp + fp + 4 * fn)


F2 = Measure(
    key="f2",
    value=lambda rois: float(f2(*count_table([rois.pooled]).T)[0]),
    resample=lambda drawn: f2(drawn.tp, drawn.fp, drawn.fn),
    description="5 tp / (5 tp + fp + 4 fn).",
    high=1,
    compared="the mean of precision and recall in which recall counts twice, 0 to 1",
    table="F2",
    page_table="scores",
    header="F2",
    decimals=2,
    tile="F2 score",
    term="F2",
    explanation="As F1, but recall counts twice as much as precision.",
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> list[object]:
    """Six patients of two figures each; model `a` misses one in two of them, `b` in four."""
    monkeypatch.setitem(MEASURES, "f2", F2)
    names = [f"{number}.tiff" for number in range(6)]
    truth = [f"{name},{x},{x},mitotic figure" for name in names for x in (100, 300)]
    (tmp_path / "truth.csv").write_text("\n".join(["file_name,x,y,label", *truth]) + "\n")
    rows = [f"{name},XR,{name},test,0.25" for name in names]
    (tmp_path / "split.csv").write_text(
        "\n".join(["file_name,scanner,patient,split,mpp", *rows]) + "\n"
    )
    for model, misses in (("a", 2), ("b", 4)):
        for number in range(6):
            second = (300, 300, 0.8, NO if number < misses else YES)
            write(tmp_path / model / f"{number}.json", (100, 100, 0.9, YES), second)
    return [
        *("--data", tmp_path / "truth.csv", "--split", tmp_path / "split.csv"),
        *("--resamples", 64),
    ]


def schema_of(name: str) -> Draft202012Validator:
    """Of the JSON with the measures that exist now."""
    schema = json.loads((make_schemas.DOCS / name).read_text())
    return Draft202012Validator(make_schemas.MAKERS[name](schema))


def test_it_has_its_column_in_the_table_of_evaluate(midog, data, tmp_path: Path) -> None:
    ran = midog("evaluate", tmp_path / "a", *data)
    header, whole, _ = ran.out.partition("\n\n")[0].splitlines()
    assert header.split()[-3:] == ["AP", "FROC", "F2"]
    assert whole.split()[-1] == f"{5 * 10 / (5 * 10 + 4 * 2):.3f}"


def test_it_has_its_value_and_interval_in_json_and_its_words_in_the_schema(
    midog, data, tmp_path: Path
) -> None:
    tree = json.loads(midog("evaluate", tmp_path / "a", *data, "--json").out)
    group = tree["groups"]["all"]
    assert group["f2"] == pytest.approx(50 / 58)
    low, high = group["intervals"]["f2"]
    assert low < group["f2"] <= high <= 1
    assert list(group["intervals"]) == list(MEASURES)
    validator = schema_of("evaluation.schema.json")
    validator.validate(tree)
    described = validator.schema["$defs"]["group"]
    assert described["properties"]["f2"]["description"] == F2.description
    assert described["properties"]["intervals"]["properties"]["f2"]["description"] == "Of f2."
    assert "f2" in described["required"]


def test_it_has_its_number_column_and_explanation_on_the_page(midog, data, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert midog("evaluate", tmp_path / "a", *data, "--report", report).code == 0
    page = Page(report.read_text())
    assert page.problems == []
    table = page.by_id("groups")
    headers = [cell.text for cell in table.inside if cell.tag == "th"]
    assert headers[headers.index("FROC area") + 1] == "F2"
    assert [cell.text.split()[0] for cell in table.inside if cell.tag == "td"][11] == "0.86"
    assert "F2 score0.86" in page.text
    assert F2.explanation in page.text


def test_models_are_compared_by_it(midog, data, tmp_path: Path) -> None:
    both = (tmp_path / "a", tmp_path / "b")
    rows = [line.split() for line in midog("compare", *both, *data).out.splitlines()]
    (row,) = [row for row in rows if row[:2] == ["all", "f2"]]
    assert row[2:5] == ["0.862", "0.714", "+0.148"]
    tree = json.loads(midog("compare", *both, *data, "--json").out)
    difference = tree["groups"]["all"]["f2"]
    assert difference["difference"] == pytest.approx(50 / 58 - 40 / 56)
    assert difference["p"] == pytest.approx(2 / 4), "the models differ in two patients"
    validator = schema_of("comparison.schema.json")
    validator.validate(tree)
    assert "f2" in validator.schema["$defs"]["group"]["required"]


def test_it_is_resampled_as_the_list_of_rois() -> None:
    tp, fp, fn = np.array([[10, 0], [0, 0], [2, 0]])
    assert f2(tp, fp, fn)[0] == 50 / 58
    assert np.isnan(f2(tp, fp, fn)[1])
