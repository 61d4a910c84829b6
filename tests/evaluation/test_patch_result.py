"""The result of an evaluation of patches: its JSON keeps to its schema, its CSV has a line each."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from midog.evaluation.patch_measures import PATCH_MEASURES
from midog.evaluation.patches import evaluate_patches
from midog.json_text import to_json
from tests.evaluation.test_patches import CLASSES, SCORES, patches

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "docs" / "patches.schema.json").read_text()
)


@pytest.mark.parametrize("resamples", [0, 50])
@pytest.mark.parametrize("labels", [None, np.zeros(12, np.int64)])
def test_the_json_keeps_to_its_schema(resamples, labels):
    own = patches() if labels is None else patches(labels=labels)
    result = evaluate_patches(
        own, SCORES, threshold=0.5, classes=CLASSES, by="lab", resamples=resamples
    )
    tree = json.loads(to_json(result.to_dict()))
    jsonschema.validate(tree, SCHEMA)
    assert bool(tree["groups"]["all"]["intervals"]) == (resamples > 0)


def test_the_schema_has_every_measure():
    group = SCHEMA["$defs"]["group"]
    assert set(PATCH_MEASURES) <= set(group["required"])
    for key, measure in PATCH_MEASURES.items():
        assert group["properties"][key]["description"] == measure.description


def test_the_csv_has_a_line_for_each_patch():
    result = evaluate_patches(patches(), SCORES, threshold=0.5, classes=CLASSES, resamples=0)
    header, *lines = result.to_csv().splitlines()
    assert header == "patch,slide,class,probability,taken_for"
    assert len(lines) == 12
    assert lines[1] == "'=p1,s0,atypical,0.8,atypical"
