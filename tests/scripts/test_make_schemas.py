"""docs/*.schema.json describe the measures of MEASURES, and no others."""

from __future__ import annotations

import json

import make_schemas
import pytest


@pytest.mark.parametrize("name", make_schemas.MAKERS)
def test_the_schemas_are_made_from_the_measures(name) -> None:
    text = (make_schemas.DOCS / name).read_text()
    made = make_schemas.text_of(make_schemas.MAKERS[name](json.loads(text)))
    assert made == text, "run python scripts/make_schemas.py"


def test_a_measure_that_went_goes_from_the_schema() -> None:
    schema = json.loads((make_schemas.DOCS / "evaluation.schema.json").read_text())
    schema["$defs"]["group"]["properties"]["gone"] = {"$ref": "#/$defs/ratio"}
    made = make_schemas.evaluation_schema(schema)
    assert "gone" not in made["$defs"]["group"]["properties"]
    assert "gone" in schema["$defs"]["group"]["properties"], "it is not changed in place"
