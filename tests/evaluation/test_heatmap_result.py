"""The JSON of an evaluation of heat maps."""

from __future__ import annotations

import json

from midog.evaluation.heatmap_result import INTERVALS
from midog.evaluation.heatmaps import evaluate_heatmaps
from midog.json_text import to_json
from tests.evaluation.test_heatmaps import GOOD, scored


def test_it_is_plain_json_with_every_score_and_null_for_what_is_not_known():
    result = evaluate_heatmaps(
        [scored("a", GOOD)],
        threshold=0.5,
        class_name="tumour",
        resamples=0,
        about={"maps": "heatmaps", "threshold_from": "given"},
    )
    tree = json.loads(to_json(result.to_dict()))
    assert set(tree["scores"]) == set(INTERVALS)
    assert tree["scores"]["slide_auc"] is None
    assert tree["intervals"] == {}
    assert list(tree["froc"]["at"]) == ["0.25", "0.5", "1.0", "2.0", "4.0", "8.0"]
    assert tree["pixels"]["tp_rate"] == tree["scores"]["recall"] == 1
    assert tree["slides"][0]["name"] == "a"
    assert tree["slides"][0]["precision"] == tree["scores"]["precision"]
    assert (tree["maps"], tree["threshold_from"]) == ("heatmaps", "given")
