"""How a verifier is validated: the rule is fitted to the detections of val, and whole ROIs scored.

The rule, the threshold and the choice of the best model come from the same val ROIs, which neither
the detector nor the verifier trained on: the F1 here flatters a little, as that of a detector does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from midog.boxes import MITOTIC_FIGURE, Detections, FloatArray, IntArray
from midog.data.roi import Roi
from midog.inference.score_rule import MEAN_OF_ODDS, fit_score_rule
from midog.inference.verified import with_scores
from midog.loading.crops import CropSource
from midog.metrics.counts import counts_at
from midog.metrics.ignored import is_ignored, without_ignored
from midog.metrics.matching import RADIUS_MM, match_points, pairs_within
from midog.metrics.points import RoiPoints, centres_mm, points_from_boxes
from midog.metrics.two_classes import area_under_curve
from midog.mpp import Mpp
from midog.training.tasks.detection_scores import score
from midog.training.tasks.task import Validation

NEITHER = -1
"""Label of a detection that the rule is not fitted to: a second one of a figure that has one, or
one in a box to ignore."""


@dataclass(frozen=True, eq=False)
class ValDetections:
    """The mitotic figures that a detector reports in the val ROIs, and what they are.

    rois: of val. detections: of each, class 1, level-0 px. mpp: um/px of each. labels: (N,) int64
    of all detections in a row: 1 a figure, 0 none, NEITHER. crops: around all of them, in the same
    order. floor, threshold: the detector's.
    """

    rois: Sequence[Roi]
    detections: Sequence[Detections]
    mpp: Sequence[Mpp]
    labels: IntArray
    crops: CropSource
    floor: float
    threshold: float

    def points(self, scores: FloatArray | None = None) -> list[RoiPoints]:
        """Figures and detections of each ROI, mm; with these scores (N,), if they are given."""
        points, first = [], 0
        for roi, own, mpp in zip(self.rois, self.detections, self.mpp, strict=True):
            if scores is not None:
                joint = scores[first : first + len(own)]
                first += len(own)
                own = with_scores(own, joint, self.floor)
            points.append(without_ignored(points_from_boxes(roi.boxes, own, mpp), roi.ignored, mpp))
        return points


def labels_of(detections: Detections, roi: Roi, mpp: Mpp) -> IntArray:
    """Return what the detections in an ROI are.

    A figure's own detection is the one that the challenge's matching gives it.

    Args:
        detections: N of class 1, level-0 px.
        roi: With its figures.
        mpp: um/px.

    Returns:
        (N,) int64: 1, 0 or NEITHER.
    """
    truth = centres_mm(roi.boxes.of_class(MITOTIC_FIGURE), mpp)
    detected = centres_mm(detections.boxes, mpp)
    labels = np.zeros(len(detected), np.int64)
    labels[pairs_within(truth, detected, RADIUS_MM).detected] = NEITHER
    labels[is_ignored(detected, truth, roi.ignored, mpp)] = NEITHER
    own = match_points(truth, detected).truth_to_detection
    labels[own[own >= 0]] = 1
    return labels


def validation_of(
    val: ValDetections, logits: FloatArray, pictures: Sequence[NDArray[np.uint8]] = ()
) -> Validation:
    """Fit the rule, choose the threshold of the joint scores, and score with both.

    Args:
        val: N detections.
        logits: (N,) float32, log odds of the verifier.
        pictures: For TensorBoard.

    Returns:
        The score is F1 over all val ROIs. Its scalars hold the rule (val/rule_bias, …), the AUC of
        the verifier alone over the detections, and the F1 of the detector alone at its threshold.
    """
    scores = np.concatenate([own.scores for own in val.detections] or [np.zeros(0, np.float32)])
    known = val.labels != NEITHER
    is_figure = val.labels[known] == 1
    rule = fit_score_rule(scores[known], logits[known], is_figure) or MEAN_OF_ODDS
    loss = np.logaddexp(0, np.where(is_figure, -1, 1) * logits[known].astype(np.float64))
    losses = {"loss": float(loss.mean()) if len(loss) else math.nan}
    scanners = [roi.scanner for roi in val.rois]
    validation = score(val.points(rule(scores, logits)), scanners, losses)
    auc = area_under_curve(logits[known], is_figure)
    alone = counts_at(val.points(), val.threshold).f1
    further = {
        "val/rule_bias": rule.bias,
        "val/rule_detector": rule.detector,
        "val/rule_verifier": rule.verifier,
        "val/auc": auc,
        "val/f1_detector_alone": alone,
    }
    line = f"{validation.line}  AUC {auc:.3f}  detector alone F1 {alone:.3f}"
    scalars = {**validation.scalars, **further}
    return replace(validation, scalars=scalars, line=line, pictures=pictures)
