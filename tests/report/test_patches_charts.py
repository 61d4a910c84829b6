"""The charts of a classifier of patches: what is in them, and that no class need be there."""

from __future__ import annotations

import numpy as np
import pytest

from midog.evaluation.patches import evaluate_patches
from midog.report import patches_charts as charts
from midog.report.charts import to_svg
from tests.evaluation.test_patches import CLASSES, SCORES, patches


def result(**changes):
    return evaluate_patches(
        patches(**changes), SCORES, threshold=0.5, classes=CLASSES, by="lab", resamples=0
    )


def test_the_roc_has_a_line_and_a_ring_for_each_group():
    axes = charts.roc(result()).axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert len(lines) == 3
    rings = [line for line in axes.lines if len(line.get_xdata()) == 1]
    whole = rings[-1]
    assert (whole.get_xdata()[0], whole.get_ydata()[0]) == pytest.approx((1 / 6, 5 / 6))


def test_the_reliability_diagram_has_the_bins_of_all():
    figure = charts.reliability_diagram(result())
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == 12


@pytest.mark.parametrize("labels", [np.zeros(12, np.int64), np.ones(12, np.int64)])
@pytest.mark.parametrize("draw", [charts.roc, charts.reliability_diagram, charts.histogram])
def test_one_class_alone_is_drawn_too(draw, labels):
    svg = to_svg(draw(result(labels=labels)), name="chart", label="a chart")
    assert svg.startswith("<svg")
    assert "nan" not in svg
