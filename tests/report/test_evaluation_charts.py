"""The charts of an evaluation show its numbers, and something where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from midog.evaluation.result import Evaluation
from midog.evaluation.scoring import evaluate
from midog.report import evaluation_charts as charts
from midog.report.charts import FAINT, INK, MUTED, to_svg
from tests.evaluation.edges import EDGES, sized

CHARTS: dict[str, Callable[[Evaluation], Figure]] = {
    "precision-recall": charts.precision_recall,
    "froc-mm2": partial(charts.froc, per="mm2"),
    "froc-roi": partial(charts.froc, per="ROI"),
    "forest": charts.forest,
    "counts": charts.counts_against_truth,
    "bland-altman": charts.bland_altman,
    "calibration": charts.calibration,
}


@pytest.fixture
def plain(tmp_path: Path) -> Evaluation:
    return EDGES["plain"](tmp_path)[0]


def lines(axes: Axes, colour: str = INK) -> list[np.ndarray]:
    """Points (N, 2) of each line of that colour."""
    return [
        each.get_xydata()
        for each in axes.lines
        if colour in (each.get_color(), each.get_markeredgecolor())
    ]


def texts(figure: Figure) -> list[str]:
    return [text.get_text().strip() for axes in figure.axes for text in axes.texts]


def legend(figure: Figure) -> list[str]:
    return [each.get_text() for legend in figure.legends for each in legend.get_texts()]


def test_precision_recall_runs_through_the_sweep_and_marks_what_is_counted(
    plain: Evaluation,
) -> None:
    (axes,) = charts.precision_recall(plain).axes
    whole = plain.groups["all"]
    curve, point = lines(axes)
    np.testing.assert_array_equal(
        curve, np.column_stack([whole.curve.recall, whole.curve.precision])
    )
    np.testing.assert_array_equal(point, [[whole.counts.recall, whole.counts.precision]])


def test_lines_of_equal_f1_have_it(plain: Evaluation) -> None:
    (axes,) = charts.precision_recall(plain).axes
    for line, f1 in zip(lines(axes, FAINT), (0.2, 0.4, 0.6, 0.8), strict=True):
        np.testing.assert_allclose(2 * line[:, 0] * line[:, 1] / line.sum(axis=1), f1)
        assert line.max() <= 1


@pytest.mark.parametrize(("per", "size"), [("mm2", 3 * 0.0625), ("ROI", 3)])
def test_froc_starts_at_nothing_and_counts_false_positives_per_size(
    plain: Evaluation, per: str, size: float
) -> None:
    (axes,) = CHARTS["froc-mm2" if per == "mm2" else "froc-roi"](plain).axes
    curve, point = lines(axes)
    np.testing.assert_array_equal(curve[0], [0, 0])
    np.testing.assert_allclose(curve[1:, 0], plain.groups["all"].curve.fp / size)
    np.testing.assert_allclose(
        point, [[plain.groups["all"].counts.fp / size, plain.groups["all"].counts.recall]]
    )
    assert axes.get_xlim()[0] <= 0
    assert axes.get_xlim()[1] >= point[0, 0]


def test_froc_per_roi_shows_the_range_whose_area_is_taken(plain: Evaluation) -> None:
    (axes,) = charts.froc(plain, "ROI").axes
    assert axes.get_xlim() == pytest.approx((-0.16, 8.16))


def test_the_legend_has_all_first_then_the_groups_in_their_order(plain: Evaluation) -> None:
    for name in ("precision-recall", "froc-mm2", "froc-roi", "calibration"):
        assert legend(CHARTS[name](plain)) == ["all", "A", "B"]
    assert legend(charts.counts_against_truth(plain)) == ["A", "B"]


def test_f1_of_every_group_with_its_interval(tmp_path: Path) -> None:
    result, _ = EDGES["nested"](tmp_path)
    figure = charts.forest(result)
    (axes,) = figure.axes
    named = [each.get_text() for each in axes.get_yticklabels()]
    assert [each.strip() for each in named] == ["all", "lung", "A", "B", "skin", "B"]
    assert [len(each) - len(each.lstrip()) > 0 for each in named] == [
        False,
        False,
        True,
        True,
        False,
        True,
    ]
    whole = result.groups["all"]
    interval = whole.intervals["f1"]
    assert texts(figure)[0] == f"{whole.counts.f1:.3f}  ({interval.low:.3f}–{interval.high:.3f})"
    span, point = lines(axes)
    np.testing.assert_array_equal(span, [[interval.low, 0], [interval.high, 0]])
    np.testing.assert_array_equal(point, [[whole.counts.f1, 0]])


def test_f1_without_an_interval_stands_alone(tmp_path: Path) -> None:
    for name in ("no_resamples", "one_patient"):
        result, _ = EDGES[name](tmp_path)
        assert texts(charts.forest(result))[0] == f"{result.groups['all'].counts.f1:.3f}"


def test_counts_of_each_roi_lie_where_they_belong(plain: Evaluation) -> None:
    (axes,) = charts.counts_against_truth(plain).axes
    drawn = np.concatenate(
        [each.get_xydata() for each in axes.lines if each.get_linestyle() == "None"]
    )
    np.testing.assert_allclose(
        drawn, [[roi.figures_per_mm2, roi.found_per_mm2] for roi in plain.rois]
    )


def test_bland_altman_shows_bias_and_limits(plain: Evaluation) -> None:
    figure = charts.bland_altman(plain)
    agreed = plain.groups["all"].agreement
    heights = [line[0, 1] for line in lines(figure.axes[0], MUTED)]
    assert heights == [agreed.bias, agreed.high, agreed.low]
    assert texts(figure)[0] == f"bias\n{agreed.bias:+.1f}".replace("-", "−")


def test_bland_altman_of_one_roi_has_no_limits(tmp_path: Path) -> None:
    rois = [sized("1.png", [(5, 5)])]
    result = evaluate(tmp_path, rois, allow_missing=True, resamples=0)
    assert texts(charts.bland_altman(result)) == ["bias\n−16.0"]


def test_calibration_shows_filled_bins_and_how_full_they_are(plain: Evaluation) -> None:
    figure = charts.calibration(plain)
    upper, lower = figure.axes
    whole = plain.groups["all"].calibration
    filled = whole.count > 0
    (curve,) = lines(upper)
    np.testing.assert_array_equal(
        curve, np.column_stack([whole.mean_score, whole.hit_share])[filled]
    )
    assert [bar.get_height() for bar in lower.patches] == whole.count.tolist()
    assert texts(figure) == [str(count) for count in whole.count]


def test_words_stand_where_there_is_nothing(tmp_path: Path) -> None:
    result, _ = EDGES["nothing_at_all"](tmp_path)
    for name in ("precision-recall", "froc-mm2", "froc-roi", "calibration"):
        assert "nothing to show" in texts(CHARTS[name](result))
        assert legend(CHARTS[name](result)) == []
    plain, _ = EDGES["plain"](tmp_path)
    unknown = replace(plain, rois=tuple(replace(roi, area_mm2=float("nan")) for roi in plain.rois))
    assert texts(charts.counts_against_truth(unknown)) == ["nothing to show"]


def test_of_very_many_groups_the_first_are_drawn(tmp_path: Path) -> None:
    rois = [sized(f"{at}.png", scanner=f"S{at}") for at in range(charts.MOST_ROWS + 9)]
    result = evaluate(tmp_path, rois, allow_missing=True, resamples=0)
    (axes,) = charts.forest(result).axes
    assert len(axes.get_yticklabels()) == charts.MOST_ROWS


def test_a_long_curve_is_a_small_picture(plain: Evaluation) -> None:
    rng = np.random.default_rng(0)
    hits = np.sort(rng.random(100_000)) > rng.random(100_000)
    swept = replace(
        plain.groups["all"].curve, thresholds=np.linspace(1, 0, 100_000), figures=60_000
    )
    swept = replace(swept, tp=np.minimum(np.cumsum(hits), 60_000), fp=np.cumsum(~hits))
    result = replace(
        plain, groups={**plain.groups, "all": replace(plain.groups["all"], curve=swept)}
    )
    assert len(to_svg(charts.precision_recall(result), name="a", label="A")) < 200_000
