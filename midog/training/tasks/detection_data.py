"""The data of a detection training: ROIs by their place in the split, checked and described."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from midog.augment.draw import cut_side
from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.config.sampling import SamplingSettings
from midog.config.schema import DataSettings, RunConfig
from midog.data.folder import data_fingerprint, read_rois, require_images
from midog.data.roi import Roi
from midog.data.roi_types import has_figures
from midog.errors import DataError
from midog.loading.rois import decode_rois
from midog.models.build import build_model, count_parameters
from midog.training.tasks.detection import DetectionTask


@dataclass(frozen=True, eq=False)
class DetectionData:
    """The ROIs of a detection training, with a `split` each; it is a `TaskData`."""

    config: RunConfig
    rois: Sequence[Roi]

    @property
    def fingerprint(self) -> str:
        """Digest of names, sizes, boxes and places in the split; see `data_fingerprint`."""
        return data_fingerprint(self.rois)

    def describe(self) -> list[str]:
        """Return lines about the data, the patches, and the size of the network."""
        config, settings, machine = self.config, self.config.train, self.config.machine
        draws = len(of_role(self.rois, "train")) * config.sampling.patches_per_roi
        processes = machine.devices * machine.num_nodes
        together = settings.batch_size * processes
        steps = -(-draws // together)
        updates = -(-steps // settings.accumulate)
        filled = steps * together - draws
        more = f" and {filled} that fill up the last batch" if filled else ""
        side = config.sampling.patch_size
        learning, total = count_parameters(build_model(config, pretrained=False))
        return [
            *describe_rois(self.rois),
            f"patches per epoch: {draws} of {side}x{side} px{more}, {updates} updates;"
            f" {steps * together * settings.epochs} in all",
            f"model: {config.model.kind} on {config.model.backbone.kind}, {total / 1e6:.1f} M"
            f" parameters, {learning / 1e6:.1f} M of them learn",
        ]

    def open(self, device: torch.device) -> DetectionTask:
        """Decode the ROIs; errors as of `decode_rois`."""
        config = self.config
        side = cut_side(config.augment, config.sampling.patch_size)
        train, val = (
            decode_rois(of_role(self.rois, role), config.data, config.machine, side, device)
            for role in ("train", "val")
        )
        unlabelled = [roi for roi in self.rois if roi.split == "unlabelled"]
        return DetectionTask(config, train, val, device, unlabelled)


def read_detection_data(config: RunConfig, rois: Iterable[Roi] | None = None) -> DetectionData:
    """Read the ROIs of a training, or check those that are given.

    Raises:
        DataError: There is nothing to train on or to validate on, or an image is missing.
    """
    given = read_training_rois(config.data) if rois is None else list(rois)
    for role in ("train", "val"):
        of_role(given, role)
    check_sampling(config.sampling, of_role(given, "train"))
    return DetectionData(config, given)


def check_sampling(sampling: SamplingSettings, train: Sequence[Roi]) -> None:
    """Check that settings of sampling have something to work on.

    Raises:
        DataError: Draws are to be even over roi_types and no ROI states one, or some are to be in
            ROIs without figures and there are none.
    """
    if sampling.balance == "roi_type" and not any(roi.columns.get("roi_type") for roi in train):
        raise DataError(
            "no ROI of train states a roi_type, over which draws were to be even",
            "write the column into the split, or choose another {sampling.balance}",
            {"sampling.balance": None},
        )
    if sampling.p_figure_free and all(map(has_figures, train)):
        raise DataError(
            f"every ROI of train has a mitotic figure, and a share of {sampling.p_figure_free:g} of"
            " draws was to be in ROIs without",
            "add such ROIs, or leave {sampling.p_figure_free} out",
            {"sampling.p_figure_free": None},
        )


def read_training_rois(settings: DataSettings) -> list[Roi]:
    """Read the ROIs that `data` names; errors as of `read_detection_data`."""
    rois = read_rois(
        settings.dir,
        split=settings.split,
        annotations=settings.annotations,
        bbox=settings.bbox,
        classes=settings.classes,
        annotations_format=settings.annotations_format,
    )
    require_images([*of_role(rois, "train"), *of_role(rois, "val")])
    return rois


def of_role(rois: Sequence[Roi], role: str) -> list[Roi]:
    """Return the ROIs of one role of the split.

    Raises:
        DataError: There are none, or none of those in train or val has a mitotic figure.
    """
    chosen = [roi for roi in rois if roi.split == role]
    if not chosen:
        raise DataError(
            f"the split has no ROI of role {role}",
            "name another one in {data.split}, or make one with `midog splits make`",
            {"data.split": None},
        )
    if role == "train" and not any(map(has_figures, chosen)):
        raise DataError(
            "no training ROI has a mitotic figure", "check the annotations with `midog data check`"
        )
    if role == "val" and not any(map(has_figures, chosen)):
        raise DataError(
            "no ROI of val has a mitotic figure, to choose a model and its threshold by",
            "put ROIs with figures into val, or make another split with `midog splits make`",
        )
    return chosen


def describe_rois(rois: Sequence[Roi]) -> list[str]:
    """Return a line for every role of the split: ROIs by scanner, mitotic figures, imposters."""
    lines = []
    for role in ("train", "val", "test", "unlabelled"):
        chosen = [roi for roi in rois if roi.split == role]
        if not chosen:
            continue
        figures = sum(int((roi.boxes.labels == MITOTIC_FIGURE).sum()) for roi in chosen)
        imposters = sum(int((roi.boxes.labels == IMPOSTER).sum()) for roi in chosen)
        scanners = ", ".join(
            f"{sum(roi.scanner == name for roi in chosen)} {name}"
            for name in sorted({roi.scanner for roi in chosen})
        )
        lines.append(
            f"{role}: {len(chosen)} ROIs ({scanners}), {figures} mitotic figures, {imposters}"
            " imposters"
        )
    return lines
