"""Styles of groups: of many, those with most figures stand out."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from midog.evaluation.scoring import evaluate
from midog.report import evaluation_charts as charts
from midog.report.charts import MOST_STYLES, MUTED
from midog.report.evaluation_style import WHOLE, first_level, styles_of_groups
from tests.evaluation.edges import EDGES, sized


def legend(figure: Figure) -> list[str]:
    return [each.get_text() for legend in figure.legends for each in legend.get_texts()]


def test_of_many_groups_those_with_most_figures_stand_out(tmp_path: Path) -> None:
    number = MOST_STYLES + 3
    rois = [
        sized(f"{at}.png", [(9 * i, 9) for i in range(at + 1)], scanner=f"S{at}")
        for at in range(number)
    ]
    result = evaluate(tmp_path, rois, allow_missing=True, resamples=0)
    styles = styles_of_groups(result)
    assert set(styles) == set(result.groups)
    grey = [name for name, style in styles.items() if style.colour == MUTED]
    assert grey == ["S2", "S1", "S0"]
    assert legend(charts.counts_against_truth(result)) == [
        *(f"S{at}" for at in range(3, number)),
        "others",
    ]


def test_all_rois_have_a_style_of_their_own_and_nested_groups_none(tmp_path: Path) -> None:
    result, _ = EDGES["nested"](tmp_path)
    assert list(styles_of_groups(result)) == ["all", *first_level(result)]
    assert styles_of_groups(result)["all"] is WHOLE
