"""What is reported of tissue without figures apart: every detection that counts there is a false
alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from midog.evaluation.measure import Measure
from midog.metrics.counts import count_table, precision, ratios
from midog.metrics.matched_rois import MatchedRois, Resamples
from midog.metrics.points import Values


@dataclass(frozen=True)
class FigureFree:
    """The ROIs of a group that have no true figure, together.

    Attributes:
        rois: Number of them.
        patients: Of these.
        area_mm2: Of their images; NaN if that of one is not known.
        fp: Detections that count in them.
        clean_rois: Number of ROIs in which none does.
    """

    rois: int
    patients: int
    area_mm2: float
    fp: int
    clean_rois: int

    @classmethod
    def of(cls, rois: MatchedRois, patients: Sequence[str]) -> FigureFree:
        """Of the ROIs of a group without a figure, and the patients of these."""
        return cls(
            rois=len(patients),
            patients=len(set(patients)),
            area_mm2=rois.area_mm2,
            fp=rois.pooled.fp,
            clean_rois=int(_clean(rois).sum()),
        )

    def to_dict(self) -> dict[str, Any]:
        """By name."""
        return dict(vars(self))


def _clean(rois: MatchedRois) -> Values:
    """(R,) 1 where no detection counts, else 0, of ROIs without a figure."""
    return np.asarray(count_table(rois.counts)[:, 1] == 0, np.float64)


def _ratio(part: float, whole: float) -> float:
    return float(ratios(np.array([part], float), np.array([whole], float))[0])


def _resample_clean(drawn: Resamples) -> Values:
    return ratios(drawn.weights @ _clean(drawn.rois), drawn.size)


_TERM = """ROIs in which the annotation has no figure, where every point that counts is a false
alarm. Precision is 0 there by definition, and F1 undefined, so what is reported is how many false
alarms there are per mm² of image and per ROI, and the share of these ROIs that have none (clean).
<b>Precision elsewhere</b> is that of the ROIs with figures alone: what precision of all lacks to
it is the price of tissue without figures. Intervals are over the patients of these ROIs. Where no
draw can hold a false alarm they are 0 to 0, which is no proof: none in A mm² goes with up to 3 / A
per mm² (<a href="https://doi.org/10.1001/jama.1983.03330370053031">Hanley &amp; Lippman-Hand
1983</a>)."""

FIGURE_FREE_MEASURES = (
    Measure(
        key="figure_free_fp_per_mm2",
        value=lambda rois: _ratio(rois.pooled.fp, rois.area_mm2),
        resample=lambda drawn: ratios(drawn.fp, drawn.area_mm2),
        description="False alarms per mm2 of ROIs without a figure.",
        part="figure-free",
        json_path=("figure_free", "fp_per_mm2"),
        page_table="figure-free",
        header="per mm²",
        decimals=2,
        term="Tissue without figures",
        explanation=_TERM,
    ),
    Measure(
        key="figure_free_fp_per_roi",
        value=lambda rois: _ratio(rois.pooled.fp, len(rois.counts)),
        resample=lambda drawn: ratios(drawn.fp, drawn.size),
        description="False alarms per ROI without a figure.",
        part="figure-free",
        json_path=("figure_free", "fp_per_roi"),
        page_table="figure-free",
        header="per ROI",
        decimals=2,
    ),
    Measure(
        key="figure_free_clean",
        value=lambda rois: _ratio(float(_clean(rois).sum()), len(rois.counts)),
        resample=_resample_clean,
        description="Share of the ROIs without a figure in which no point counts.",
        high=1,
        part="figure-free",
        json_path=("figure_free", "clean"),
        page_table="figure-free",
        header="clean share",
        decimals=2,
    ),
    Measure(
        key="precision_elsewhere",
        value=lambda rois: rois.pooled.precision,
        resample=lambda drawn: precision(drawn.tp, drawn.fp),
        description="Precision of the ROIs with figures alone.",
        high=1,
        part="with figures",
        json_path=("figure_free", "precision_elsewhere"),
        page_table="figure-free",
        header="precision elsewhere",
    ),
)
"""In the order of their columns."""
