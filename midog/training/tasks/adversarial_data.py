"""The data of an adversarial training: those of a detection training, and unlabelled ROIs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from midog.augment.draw import cut_side
from midog.boxes import Boxes
from midog.data.roi import Roi
from midog.errors import DataError
from midog.loading.rois import decode_rois
from midog.training.tasks.adversarial import AdversarialTask, beside
from midog.training.tasks.detection_data import DetectionData, of_role
from midog.training.tasks.registry import AdversarialSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class AdversarialData:
    """The ROIs of an adversarial training; it is a `TaskData`.

    detection: all ROIs, with a `split` each. unlabelled: those of that role whose image exists,
    without whatever boxes they have.
    """

    detection: DetectionData
    settings: AdversarialSettings
    unlabelled: Sequence[Roi]

    @property
    def fingerprint(self) -> str:
        """Digest of all ROIs, the unlabelled ones too; see `data_fingerprint`."""
        return self.detection.fingerprint

    def describe(self) -> list[str]:
        """Return the lines of a detection training, and one on the domains."""
        train = of_role(self.detection.rois, "train")
        labelled, others = (
            ", ".join(sorted({roi.scanner for roi in rois})) for rois in (train, self.unlabelled)
        )
        size = self.detection.config.train.batch_size
        count = beside(size, self.settings.unlabelled_share) if self.unlabelled else 0
        return [
            *self.detection.describe(),
            f"domains: {labelled}; of unlabelled ROIs: {others or 'none'}; {count} unlabelled"
            f" patches beside {size} in each batch",
        ]

    def open(self, device: torch.device) -> AdversarialTask:
        """Decode the ROIs; errors as of `decode_rois`."""
        config = self.detection.config
        detection, unlabelled = self.detection.open(device), None
        if self.unlabelled:
            side = cut_side(config.augment, config.sampling.patch_size)
            unlabelled = decode_rois(self.unlabelled, config.data, config.machine, side, device)
        return AdversarialTask(self.settings, detection, unlabelled)


def with_unlabelled(detection: DetectionData, settings: AdversarialSettings) -> AdversarialData:
    """Add the unlabelled ROIs of the same split to the data of a detection training.

    Raises:
        DataError: An ROI has no scanner; or all are of one scanner.
    """
    given = [roi for roi in detection.rois if roi.split == "unlabelled"]
    unlabelled = [
        replace(roi, boxes=Boxes(), ignored=roi.ignored[:0])
        for roi in given
        if roi.path is not None
    ]
    domains = [*of_role(detection.rois, "train"), *unlabelled]
    for roi in domains:
        if not roi.scanner:
            raise DataError(
                f"{roi.file_name} has no scanner, which is its domain",
                "write it into the column `scanner` of the split",
            )
    names = sorted({roi.scanner for roi in domains})
    if len(names) < 2:
        missing = f" (of {len(given)} the image is missing)" if given and not unlabelled else ""
        raise DataError(
            f"all ROIs to train on are of {names[0]}, and there are no unlabelled ones{missing}:"
            " there are no domains to tell apart",
            "give ROIs of another scanner the role `unlabelled` in {data.split}",
            {"data.split": None},
        )
    if len(unlabelled) < len(given):
        logger.warning(
            "the images of %d unlabelled ROIs are missing: the others are used",
            len(given) - len(unlabelled),
        )
    return AdversarialData(detection, settings, unlabelled)
