"""MEASURES: every score of a group of ROIs, how it is resampled, and its words wherever it is
shown."""

from __future__ import annotations

import math

from midog.evaluation.figure_free import FIGURE_FREE_MEASURES
from midog.evaluation.measure import Measure
from midog.evaluation.threshold_cost import THRESHOLD_MEASURES
from midog.metrics.average_precision import average_precision_of_matched
from midog.metrics.bootstrap_areas import resample_average_precision, resample_froc_auc
from midog.metrics.calibration import resample_ece
from midog.metrics.counts import f1, precision, ratios, recall
from midog.metrics.froc import froc_auc_of_sweep

MAIN = "f1"
"""The measure that leads the page, and whose interval the table of `midog evaluate` shows."""

_PRECISION_RECALL_F1 = """Precision is the share of the detections that are figures, TP / (TP + FP);
recall the share of the figures that are detected, TP / (TP + FN); F1 their harmonic mean,
2 TP / (2 TP + FP + FN). Counts are first added up over the ROIs of a group, so an ROI with many
figures weighs more. Where there is no figure F1 is undefined, whatever the number of false
alarms."""

_AP50 = """Average precision over all thresholds, 0 to 1, by the rule of COCO on squares of 22.5 µm
around the points that overlap by half or more, as in the challenge; detections below the threshold
count too, so it does not depend on the one chosen."""

_FROC = """Area under recall against false positives per ROI, from 0 to 8 of them: 8 would be
perfect. Computed as by the <a href="https://zenodo.org/records/15077361">MIDOG 2025 challenge</a>
from 40 thresholds, so that it can be compared with its numbers; ROIs of other sizes give other
values."""

_AGREEMENT = """Spearman is the rank correlation of detected and true figures per mm² over ROIs.
Bias is the mean of detected less true, so that more than 0 is too many; 95 of 100 ROIs are expected
within the limits, bias ± 1.96 standard deviations
(<a href="https://doi.org/10.1016/S0140-6736(86)90837-8">Bland &amp; Altman 1986</a>)."""

_ECE = """The distance between mean score and share of figures, averaged over ten bins of scores and
weighted by their detections (<a href="https://arxiv.org/abs/1706.04599">Guo et al. 2017</a>). It
depends on the lowest score that the detector wrote, and knows nothing of figures without a
detection."""

_ALL = (
    Measure(
        key="precision",
        value=lambda rois: rois.pooled.precision,
        resample=lambda drawn: precision(drawn.tp, drawn.fp),
        description="tp / (tp + fp).",
        high=1,
        compared="the share of counted points that hit a figure, 0 to 1",
        table="precision",
        page_table="scores",
        header="precision",
        tile="Precision",
    ),
    Measure(
        key="recall",
        value=lambda rois: rois.pooled.recall,
        resample=lambda drawn: recall(drawn.tp, drawn.fn),
        description="tp / (tp + fn).",
        high=1,
        compared="the share of figures that are hit, 0 to 1",
        table="recall",
        page_table="scores",
        header="recall",
        tile="Recall",
    ),
    Measure(
        key="f1",
        # of 0 figures nothing can be found: that is no score of 0
        value=lambda rois: rois.pooled.f1 if rois.figures else math.nan,
        resample=lambda drawn: f1(drawn.tp, drawn.fp, drawn.fn),
        description="2 tp / (2 tp + fp + fn); null where there is no figure.",
        high=1,
        compared="the harmonic mean of precision and recall, 0 to 1",
        table="F1",
        page_table="scores",
        header="F1",
        tile="F1",
        term="Precision, recall, F1",
        explanation=_PRECISION_RECALL_F1,
    ),
    Measure(
        key="ap50",
        value=lambda rois: average_precision_of_matched(
            rois.matches.scores, rois.matches.by_overlap, rois.figures
        ),
        resample=lambda drawn: resample_average_precision(drawn.rois.matches, drawn.weights),
        description=(
            "Average precision of all points, whatever their name, by COCO's rule on squares of"
            " 22.5 um with an IoU of 0.5, without a cap on points."
        ),
        high=1,
        compared="the average precision at an overlap of 0.5 over all points, 0 to 1",
        table="AP",
        page_table="scores",
        header="AP50",
        tile="AP50",
        term="AP50",
        explanation=_AP50,
    ),
    Measure(
        key="froc_auc",
        value=lambda rois: froc_auc_of_sweep(rois.sweep, len(rois.counts)),
        resample=lambda drawn: resample_froc_auc(drawn.rois.matches, drawn.weights),
        description=(
            "Area under recall against false positives per ROI from 0 to 8, as the MIDOG 2025"
            " challenge computes it."
        ),
        high=8,
        compared="the area under FROC as the 2025 challenge has it, 0 to 8",
        table="FROC",
        page_table="scores",
        header="FROC area",
        tile="FROC area, 0 to 8",
        term="FROC area",
        explanation=_FROC,
    ),
    Measure(
        key="fp_per_roi",
        value=lambda rois: rois.pooled.fp / len(rois.counts),
        resample=lambda drawn: ratios(drawn.fp, drawn.size),
        description="False alarms per ROI.",
        page_table="errors",
        header="per ROI",
        page_order=1,
        decimals=1,
    ),
    Measure(
        key="fp_per_mm2",
        value=lambda rois: rois.pooled.fp / rois.area_mm2,
        resample=lambda drawn: ratios(drawn.fp, drawn.area_mm2),
        description="False alarms per mm2.",
        page_table="errors",
        header="per mm²",
        decimals=1,
    ),
    Measure(
        key="figures_per_mm2",
        value=lambda rois: rois.figures / rois.area_mm2,
        resample=lambda drawn: ratios(drawn.tp + drawn.fn, drawn.area_mm2),
        description="True figures per mm2.",
        decimals=1,
    ),
    Measure(
        key="found_per_mm2",
        value=lambda rois: (rois.pooled.tp + rois.pooled.fp) / rois.area_mm2,
        resample=lambda drawn: ratios(drawn.tp + drawn.fp, drawn.area_mm2),
        description="Points that count per mm2.",
        decimals=1,
    ),
    Measure(
        key="figures_per_2mm2",
        value=lambda rois: 2 * rois.figures / rois.area_mm2,
        resample=lambda drawn: ratios(2 * (drawn.tp + drawn.fn), drawn.area_mm2),
        description="True figures per 2 mm2, the ten high-power fields of old.",
        decimals=1,
    ),
    Measure(
        key="found_per_2mm2",
        value=lambda rois: 2 * (rois.pooled.tp + rois.pooled.fp) / rois.area_mm2,
        resample=lambda drawn: ratios(2 * (drawn.tp + drawn.fp), drawn.area_mm2),
        description="Points that count per 2 mm2.",
        decimals=1,
    ),
    Measure(
        key="spearman",
        value=lambda rois: rois.agreement.spearman,
        resample=lambda drawn: drawn.agreement.spearman,
        description="Rank correlation of found and true.",
        low=-1,
        high=1,
        json_path=("agreement", "spearman"),
        page_table="agreement",
        header="Spearman",
        decimals=2,
        term="Agreement of counts",
        explanation=_AGREEMENT,
    ),
    Measure(
        key="icc",
        value=lambda rois: rois.agreement.icc,
        resample=lambda drawn: drawn.agreement.icc,
        description="Intraclass correlation ICC(A,1) of found and true.",
        low=None,
        high=1,
        json_path=("agreement", "icc"),
        page_table="agreement",
        header="ICC",
        decimals=2,
    ),
    Measure(
        key="bias",
        value=lambda rois: rois.agreement.bias,
        resample=lambda drawn: drawn.agreement.bias,
        description="Mean of found - true; more than 0 is too many.",
        low=None,
        json_path=("agreement", "bias"),
        decimals=1,
        signed=True,
    ),
    Measure(
        key="limit_low",
        value=lambda rois: rois.agreement.low,
        resample=lambda drawn: drawn.agreement.low,
        description="Lower limit of agreement, bias - 1.96 sd.",
        low=None,
        json_path=("agreement", "low"),
        decimals=1,
    ),
    Measure(
        key="limit_high",
        value=lambda rois: rois.agreement.high,
        resample=lambda drawn: drawn.agreement.high,
        description="Upper limit of agreement, bias + 1.96 sd.",
        low=None,
        json_path=("agreement", "high"),
        decimals=1,
    ),
    Measure(
        key="ece",
        value=lambda rois: rois.reliability.ece,
        resample=lambda drawn: resample_ece(
            drawn.rois.matches.scores,
            drawn.rois.matches.by_radius,
            drawn.rois.matches.owner,
            drawn.weights,
        ),
        description=(
            "Expected calibration error: mean over points of |mean_score - hit_share| of their bin."
        ),
        high=1,
        json_path=("calibration", "ece"),
        page_table="calibration",
        header="ECE",
        term="Expected calibration error",
        explanation=_ECE,
    ),
)

MEASURES: dict[str, Measure] = {
    measure.key: measure for measure in (*_ALL, *THRESHOLD_MEASURES, *FIGURE_FREE_MEASURES)
}
"""All measures by key, in the order of the JSON, the tables and the page."""


def compared() -> list[Measure]:
    """Return the measures that models are compared by."""
    return [measure for measure in MEASURES.values() if measure.compared]
