"""Tables of heat maps: what is not known is a dash, what was counted is said."""

from __future__ import annotations

from midog.cli.heatmap_tables import print_heatmap_scores, print_maps
from midog.evaluation.heatmaps import evaluate_heatmaps
from tests.evaluation.test_heatmaps import GOOD, scored


def test_scores_slides_and_words(capsys):
    result = evaluate_heatmaps(
        [scored("a", GOOD), scored("b", {}, [])],
        threshold=0.5,
        class_name="tumour",
        resamples=0,
        about={"threshold_from": "given"},
    )
    print_heatmap_scores(result)
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["recall", "1.000"] in rows
    assert ["sensitivity", "at", "0.25", "FP/slide", "0.500"] in rows
    assert rows[-1][:5] == ["normal", "b", "0.020", "-", "-"]
    assert "2 slides, 8,800 px looked at, of which 7.73 % are tumour" in shown.err
    assert "at 0.500 or more (given): TP 100.0 %, FN 0.0 %, TN 100.0 %, FP 0.0 %" in shown.err
    assert "2 lesions, those under 275 um left out" in shown.err


def test_no_map_no_table(capsys):
    print_maps({})
    assert capsys.readouterr().out == ""
