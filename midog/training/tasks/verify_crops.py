"""The crops of a verifier: of figures, imposters and false alarms to train on, of val to judge."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from midog.boxes import (
    IMPOSTER,
    MITOTIC_FIGURE,
    Boxes,
    IntArray,
    centers_of,
    squares_around,
)
from midog.data.candidates import Candidate
from midog.data.roi import Roi
from midog.errors import DataError
from midog.inference.detector import Detector
from midog.loading.crops import CropSource, Draws, Places
from midog.loading.rois import DecodedRois
from midog.metrics.matching import RADIUS_MM
from midog.training.tasks.registry import VerifySettings
from midog.training.tasks.verify_scores import ValDetections, labels_of

logger = logging.getLogger(__name__)

Centres = NDArray[np.float64]


ALARM = 3
"""Label of a false alarm among the boxes of an ROI, beside those of figures and imposters."""


def training_crops(train: DecodedRois, settings: VerifySettings) -> CropSource:
    """Return the source of training crops, not augmented.

    Of the draws a share `p_figure` falls on figures, `p_imposter` on imposters, the rest on false
    alarms; where there are no imposters or no false alarms the others take their share. A false
    alarm within 7.5 um of an annotated figure is none, and is left out with a line.

    Args:
        train: Decoded ROIs, of `with_alarms`.
        settings: Of the task.

    Raises:
        DataError: There are neither imposters nor false alarms.
    """
    kinds = [_centres(train, MITOTIC_FIGURE), _centres(train, IMPOSTER), _alarms(train)]
    counts = [len(images) for images, _ in kinds]
    shares = shares_of(counts, settings.p_figure, settings.p_imposter)
    numbers = np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])
    drawn = [number for number, share in enumerate(shares) if share > 0]
    places = Places(
        images=np.concatenate([images for images, _ in kinds]),
        centres=np.concatenate([centres for _, centres in kinds]),
        labels=(np.arange(sum(counts)) < counts[0]).astype(np.int64),
    )
    draws = Draws(
        [numbers[kind] for kind in drawn],
        [shares[kind] for kind in drawn],
        settings.crops_per_epoch,
        settings.jitter,
    )
    return CropSource(train.images, places, settings.crop, settings.border, draws)


def shares_of(counts: Sequence[int], p_figure: float, p_imposter: float) -> list[float]:
    """Return the shares of draws of figures, imposters and false alarms.

    Args:
        counts: Of each of them.
        p_figure, p_imposter: As they are asked for.

    Raises:
        DataError: There are no figures, or nothing else.
    """
    _, imposters, alarms = counts
    if not counts[0] or not imposters + alarms:
        what = "figures" if imposters + alarms else "imposters and no false alarms"
        raise DataError(
            f"a verifier has nothing to learn: train has no {what}",
            "make false alarms with `midog alarms`, and name them with {task.candidates}",
            {"task.candidates": None},
        )
    rest = 1 - p_figure
    if not alarms:
        return [p_figure, rest, 0.0]
    return [p_figure, p_imposter, rest - p_imposter] if imposters else [p_figure, 0.0, rest]


def detect_in_val(detector: Detector, val: DecodedRois, settings: VerifySettings) -> ValDetections:
    """Detect in the val ROIs, as `midog infer` does, and cut around what is reported.

    Args:
        detector: Whose detections are to be verified.
        val: The ROIs, decoded at the verifier's mpp.
        settings: Of the task.

    Raises:
        ImageError: An image cannot be read.
    """
    logger.info("detecting in the %d val ROIs, to fit the rule on", len(val.rois))
    detections, mpps, labels, images, centres = [], [], [], [], []
    for number, (roi, own) in enumerate(zip(val.rois, val.mpp, strict=True)):
        assert roi.path is not None
        with detector.open(roi.path, mpp=roi.mpp) as opened:
            figures, mpp = detector.detect(opened).figures(), opened.mpp
        scale = np.array([mpp.x / own.x, mpp.y / own.y])
        detections.append(figures)
        mpps.append(mpp)
        labels.append(labels_of(figures, roi, mpp))
        images.append(np.full(len(figures), number))
        centres.append(figures.centers * scale)
    places = Places(np.concatenate(images), np.concatenate(centres), np.concatenate(labels))
    crops = CropSource(val.images, places, settings.crop, settings.border)
    floor, threshold = detector.inference.floor, detector.threshold
    return ValDetections(val.rois, detections, mpps, places.labels, crops, floor, threshold)


def with_alarms(rois: Sequence[Roi], alarms: Sequence[Candidate]) -> list[Roi]:
    """Return ROIs with their false alarms as boxes of class ALARM, so that these are resampled too.

    Args:
        rois: With the images that the alarms are in.
        alarms: In these ROIs, level-0 px.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    for alarm in alarms:
        points.setdefault(alarm.file_name, []).append((alarm.x, alarm.y))
    added = []
    for roi in rois:
        squares = squares_around(np.array(points.get(roi.file_name, [])))
        boxes = np.concatenate([roi.boxes.xyxy, squares])
        labels = np.concatenate([roi.boxes.labels, np.full(len(squares), ALARM)])
        added.append(replace(roi, boxes=Boxes(boxes, labels)))
    return added


def _centres(train: DecodedRois, label: int) -> tuple[IntArray, Centres]:
    """The ROI of each box of a class, and its centre, px of the resampled ROI."""
    boxes = [roi.boxes.of_class(label) for roi in train.sampled]
    images = np.repeat(np.arange(len(boxes)), [len(own) for own in boxes])
    return images, np.concatenate([centers_of(own) for own in boxes])


def _alarms(train: DecodedRois) -> tuple[IntArray, Centres]:
    """The same of the false alarms; those that are on a figure are left out with a line."""
    images, centres = _centres(train, ALARM)
    keep = np.ones(len(images), bool)
    for number in np.unique(images).tolist():
        roi, (x, y) = train.sampled[number], train.mpp[number]
        own = centres[images == number]
        outside = ((own < 0) | (own > [roi.width, roi.height])).any(axis=1)
        if outside.any():
            raise DataError(
                f"{np.count_nonzero(outside)} candidates lie outside"
                f" {train.rois[number].file_name}",
                "give candidates of these images, in level-0 px",
            )
        figures = centers_of(roi.boxes.of_class(MITOTIC_FIGURE))
        apart = (own[:, None] - figures[None]) * np.array([x, y]) / 1000
        keep[images == number] = (np.hypot(*apart.transpose(2, 0, 1)) > RADIUS_MM).all(axis=1)
    if not keep.all():
        count = np.count_nonzero(~keep)
        logger.warning(
            "%d false alarms lie within 7.5 um of an annotated figure and are left out", count
        )
    return images[keep], centres[keep]
