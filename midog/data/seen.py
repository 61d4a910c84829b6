"""Which ROIs a model has seen: it trained on them, or on another ROI of their patient."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from midog.data.roi import Roi

TRAINED_ON = "trained_on"
"""Key in model.json, and in the record of a folder of detections: names of the ROIs that the model
was trained on."""


def seen_by(rois: Sequence[Roi], trained_on: Collection[str]) -> list[bool]:
    """Return which ROIs a model has seen.

    Args:
        rois: Of a data folder, all of them, so that the patients of those it trained on are known.
        trained_on: Names of the ROIs that the model was trained on.
    """
    names = set(trained_on)
    patients = {roi.patient_or_name for roi in rois if roi.file_name in names}
    return [roi.file_name in names or roi.patient_or_name in patients for roi in rois]
