"""What the threshold costs: F1 at the detections' own threshold against the oracle's, whose
threshold is chosen on the very ROIs it is scored on."""

from __future__ import annotations

from midog.evaluation.measure import Measure

_ORACLE = """The highest F1 that any one threshold gives on the ROIs of a group. The threshold is
chosen on the very figures it is scored on, so this is an upper bound and <strong>must not be
published as F1</strong>; it tells two losses apart. The <b>threshold loss</b> is the oracle’s F1
less F1: what a threshold that suits these ROIs would win, if one knew it. The <b>ranking loss</b>
is 1 less the oracle’s F1: what no threshold can win back, as false alarms score higher than
figures or figures have no detection. So F1 = 1 − ranking loss − threshold loss. In each draw of an
interval the threshold is chosen anew, so with few patients the oracle’s interval lies too high."""

THRESHOLD_MEASURES = (
    Measure(
        key="oracle_f1",
        value=lambda rois: rois.oracle.f1,
        resample=lambda drawn: drawn.oracle_f1,
        description=(
            "F1 at the best threshold, chosen on these very ROIs: an upper bound, not to be"
            " published as F1."
        ),
        high=1,
        every_score=True,
        json_path=("oracle", "f1"),
        page_table="threshold",
        header="oracle’s F1",
        term="Oracle, threshold loss, ranking loss",
        explanation=_ORACLE,
    ),
    Measure(
        key="threshold_loss",
        value=lambda rois: rois.oracle.f1 - rois.pooled.f1,
        resample=lambda drawn: drawn.oracle_f1 - drawn.f1,
        description="The oracle's F1 less F1: what the threshold costs.",
        high=1,
        every_score=True,
        json_path=("oracle", "threshold_loss"),
        page_table="threshold",
        header="threshold loss",
    ),
    Measure(
        key="ranking_loss",
        value=lambda rois: 1 - rois.oracle.f1,
        resample=lambda drawn: 1 - drawn.oracle_f1,
        description="1 less the oracle's F1: what no threshold can win back.",
        high=1,
        every_score=True,
        json_path=("oracle", "ranking_loss"),
        page_table="threshold",
        header="ranking loss",
    ),
)
"""In the order of their columns."""
