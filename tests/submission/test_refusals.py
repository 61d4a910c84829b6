"""Each refusal of the organisers' scorer and of the platform's schema, and what both accept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.boxes import Detections, squares_around
from midog.formats.challenge import write_challenge
from midog.submission.refusals import refusals_of
from tests.submission.cases import document, point

BIG = document(point(), point(name="non-mitotic figure", point=[0, 10, 0], probability=0))


def test_what_midog_writes_is_accepted(tmp_path: Path) -> None:
    boxes = squares_around([(-20, 5), (300, 39_900), (7, 7)])
    detections = Detections(boxes, np.array([0.9, 0.4, 0.05], np.float32), np.array([1, 1, 2]))
    write_challenge(tmp_path / "a.json", detections, mpp=0.25, threshold=0.5)
    assert refusals_of(json.loads((tmp_path / "a.json").read_text())) == []
    write_challenge(tmp_path / "b.json", Detections(), mpp=0.25, threshold=0.5)
    assert refusals_of(json.loads((tmp_path / "b.json").read_text())) == []


@given(st.permutations(list(BIG)), st.permutations(["name", "point", "probability"]))
def test_the_order_of_keys_does_not_matter(keys: list[str], own: list[str]) -> None:
    points = [{key: one[key] for key in own} for one in BIG["points"]]
    assert refusals_of({key: {**BIG, "points": points}[key] for key in keys}) == []


# In the order in which evaluate.py of the organisers' container raises; its line stands first.
SCORER: list[tuple[str, Any, str]] = [
    ("'points' not in result", document(points=None), "`points` is missing"),
    ("'points' not in result", {}, "`points` is missing"),
    ("for point in points", document(points=7), "`points` is 7, not a list"),
    ("not isinstance(point, dict)", document([0.1, 0.2, 0]), "point 1 is [0.1, 0.2, 0], not an"),
    ("'name' not in point", document(point(), point(name=None)), "point 2 has no `name`"),
    ("'probability' not in point", document(point(probability=None)), "has no `probability`"),
    ("'point' not in point", document(point(point=None)), "point 1 has no `point`"),
    ("name not in valid_names", document(point(name="mitosis")), "`name` 'mitosis', neither"),
    ("name not in valid_names", document(point(name=1)), "`name` 1, neither"),
    ("point[0] < -0.0075", document(point(point=[-0.0076, 0, 0])), "at x -0.0076 mm, below"),
    ("point[1] < -0.0075", document(point(point=[0, -1, 0])), "at y -1 mm, below -0.0075"),
    ("point[0] > 10", document(point(point=[1200.0, 0, 0])), "at x 1200 mm, over 10: is that px?"),
    ("point[1] > 10", document(point(point=[0, 10.01, 0])), "at y 10.01 mm, over 10"),
    ("point[0] of an empty list", document(point(point=[])), "is at [], not three numbers"),
    ("x, y, z unpacked", document(point(point=[0.1, 0.2])), "is at [0.1, 0.2], not three"),
    ("'0.1' < -0.0075", document(point(point=["0.1", "0", 0])), "not three numbers"),
    ("Tensor of scores", document(point(probability="0.9")), "`probability` '0.9', not a number"),
    ("Tensor of scores", document(point(probability=math.nan)), "`probability` nan, not a number"),
    ("Tensor of points", document(point(point=[10**400, 0, 0])), "not three numbers"),
    ("ball tree of NaN", document(point(point=[math.nan, 0, 0])), "not three numbers"),
]
PLATFORM: list[tuple[str, Any, str]] = [
    ("type", document(type=None), "`type` is missing: the platform takes 'Multiple points'"),
    ("type", document(type="Point"), "`type` is 'Point'"),
    ("version", document(version=None), "`version` is missing"),
    ("version", document(version={"major": 1}), "`version` is {'major': 1}"),
    ("version", document(version={"major": 1, "minor": 0.5}), "`version` is"),
    ("name", document(name=5), "`name` is 5, not a text"),
    ("additionalProperties", document(image="001.tiff"), "the key 'image' is unknown"),
    ("additionalProperties", document(point(label=1)), "point 1 has the unknown key 'label'"),
    ("maxItems", document(point(point=[0, 0, 0, 0])), "not three numbers"),
    ("maximum", document(point(probability=1.5)), "1.5, not a number from 0 to 1"),
    ("number", document(point(probability=True)), "True, not a number"),
    ("type of a point", document(point(type="Dot")), "`type` 'Dot'"),
    ("object", [], "the file holds [], not an object"),
]


@pytest.mark.parametrize(
    ("rule", "tree", "words"), SCORER + PLATFORM, ids=lambda own: str(own)[:30]
)
def test_each_refusal_is_named(rule: str, tree: Any, words: str) -> None:
    refusals = refusals_of(tree)
    assert any(words in refusal for refusal in refusals), refusals


def test_limits_themselves_are_accepted_and_all_refusals_are_listed() -> None:
    edge = [point(point=[-0.0075, 10, 0]), point(point=[10, -0.0075, 0.5]), point(probability=1)]
    assert refusals_of(document(*edge)) == []
    many = document(point(name=None, probability=None), point(), point(point=[11, 11, 0]))
    assert refusals_of(many) == [
        "point 1 has no `name`",
        "point 1 has no `probability`",
        "point 3 is at x 11 mm, over 10: is that px?",
        "point 3 is at y 11 mm, over 10: is that px?",
    ]
