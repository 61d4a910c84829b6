"""The data of a verifier: figures, imposters and false alarms of train, detections of val."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import torch

from midog.augment.draw import of_pixels_alone
from midog.augment.on_cpu import Scratch
from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.config.schema import MachineSettings, RunConfig
from midog.data.candidates import FIGURE_LABEL, Candidate, read_candidates, require_rois
from midog.data.folder import data_fingerprint
from midog.data.roi import Roi
from midog.data.seen import TRAINED_ON, seen_by
from midog.data.split_file import compact_names
from midog.errors import DataError
from midog.evaluation.labelled_detections import candidates_of
from midog.inference.detector import Detector
from midog.inference.ensemble_folder import is_ensemble
from midog.inference.model_card import CARD, Card, read_card
from midog.inference.model_folder import find_folder
from midog.inference.verified import identity_of
from midog.loading.rois import DecodedRois, augments_on_cpu, decode_rois
from midog.models.classifiers.network import PatchNetwork
from midog.training.tasks.detection_data import describe_rois, of_role, read_detection_data
from midog.training.tasks.registry import VerifySettings
from midog.training.tasks.verify import VerifyTask
from midog.training.tasks.verify_crops import detect_in_val, training_crops, with_alarms
from midog.training.tasks.verify_weights import (
    card_of_classifier,
    network_of,
    take_body,
    take_classifier,
    take_weights,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class VerifyData:
    """The data of a verifier's training; it is a `TaskData`.

    config: of the run. rois: with a `split` each. alarms: false alarms of a detector in train ROIs.
    folder, card: of the detector whose detections will be verified.
    """

    config: RunConfig
    rois: Sequence[Roi]
    alarms: Sequence[Candidate]
    folder: Path
    card: Card

    @property
    def settings(self) -> VerifySettings:
        """Of the task."""
        return cast(VerifySettings, self.config.task)

    @property
    def fingerprint(self) -> str:
        """Digest of ROIs, false alarms and the detector's weights."""
        rows = sorted(repr(alarm) for alarm in self.alarms)
        parts = [data_fingerprint(self.rois), self.card.weights_sha256, *rows]
        if self.settings.classifier is not None:
            parts.append(card_of_classifier(self.settings.classifier)[1].weights_sha256)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def describe(self) -> list[str]:
        """Return lines about ROIs, crops and the detector."""
        train, settings = of_role(self.rois, "train"), self.settings
        figures, imposters = (
            sum(int((roi.boxes.labels == label).sum()) for roi in train)
            for label in (MITOTIC_FIGURE, IMPOSTER)
        )
        origins = Counter(alarm.origin for alarm in self.alarms)
        of = ", ".join(f"{count} {origin}" for origin, count in sorted(origins.items()))
        epochs, side = self.config.train.epochs, settings.crop
        return [
            *describe_rois(self.rois),
            f"crops to train on: {figures} figures, {imposters} imposters,"
            f" {len(self.alarms)} false alarms" + (f" ({of})" if of else ""),
            f"crops per epoch: {settings.crops_per_epoch} of {side}x{side} px at"
            f" {self.config.data.mpp:g} um per px; {settings.crops_per_epoch * epochs} in all",
            f"detections to verify: those of {self.folder}",
            f"network: {self._network()}",
        ]

    def open(self, device: torch.device) -> VerifyTask:
        """Decode the ROIs, and detect in those of val.

        Raises:
            DataError: There is nothing to tell figures from; and as of `decode_rois`.
            ImageError: As of `decode_rois`.
            WeightsError: The detector or the first weights cannot be read.
        """
        config, settings = self.config, self._built()
        train = self._decoded(with_alarms(of_role(self.rois, "train"), self.alarms))
        val = self._decoded(of_role(self.rois, "val"))
        crops = training_crops(train, settings)
        if augments_on_cpu(train, config.machine.augment_on, device):
            crops = replace(crops, scratch=Scratch(settings.crop))
        augment = of_pixels_alone(config.augment)
        if left_out := [name for name, value in augment if value != getattr(config.augment, name)]:
            logger.warning("augment.%s: not for crops, and left out", ", ".join(left_out))
        crops = replace(crops, augment=augment)
        detector = Detector.load(self.folder, device=str(device), workers=config.machine.workers)
        return VerifyTask(
            config,
            settings,
            self._first_weights(),
            crops,
            [roi.file_name for roi in train.rois],
            detect_in_val(detector, val, settings),
            identity_of(detector.settings()),
            device,
        )

    def _built(self) -> VerifySettings:
        """The settings with the backbone, or the classifier, that is built."""
        settings = self.settings
        if settings.body == "patches":
            network = network_of(settings, self.config.data.mpp)
            return settings.model_copy(update={"network": network})
        if settings.body == "own":
            return settings
        _, config = read_card(self.folder / CARD)
        return settings.model_copy(update={"backbone": config.model.backbone, "body": "own"})

    def _network(self) -> str:
        """The network and its first weights, in words."""
        settings, built = self.settings, self._built()
        if settings.body == "patches":
            return f"{built.network.kind}, {settings.classifier or 'from random weights'}"
        first = "of the detector" if settings.body == "detector" else settings.weights
        return f"{built.backbone.kind}, {settings.maps} of its maps, {first}"

    def _decoded(self, rois: Sequence[Roi]) -> DecodedRois:
        machine: MachineSettings = self.config.machine
        if machine.residency == "device":  # crops are small: they are cut in memory
            machine = machine.model_copy(update={"residency": "memory"})
        return decode_rois(rois, self.config.data, machine, self.settings.crop, None)

    def _first_weights(self) -> Callable[[PatchNetwork], None]:
        """What fills the weights that a new network starts from."""
        settings = self.settings
        if settings.body == "detector":
            return partial(take_body, folder=self.folder)
        if settings.body == "patches":
            return partial(take_classifier, classifier=settings.classifier)
        return partial(take_weights, backbone=settings.backbone, weights=settings.weights)


def read_verify_data(config: RunConfig, rois: Iterable[Roi] | None = None) -> VerifyData:
    """Read what a verifier is trained on, or check the ROIs that are given.

    Raises:
        DataError: There is nothing to train on, no detector is named, the false alarms are of other
            ROIs, or the detector was trained on val ROIs.
        WeightsError: The detector cannot be read.
    """
    settings = cast(VerifySettings, config.task)
    data = read_detection_data(config, rois).rois
    if settings.detector is None:
        raise DataError(
            "a verifier is of one detector, and none is named",
            "name its run with {task.detector}",
            {"task.detector": None},
        )
    folder = find_folder(settings.detector.expanduser())
    if is_ensemble(folder):
        raise DataError(
            f"{folder} is an ensemble, and a verifier is of one detector",
            "name one of its models with {task.detector}",
            {"task.detector": None},
        )
    card, _ = read_card(folder / CARD)
    require_unseen(card, folder, data)
    return VerifyData(config, data, _false_alarms(settings.candidates, data), folder, card)


def require_unseen(card: Card, folder: Path, rois: Sequence[Roi]) -> None:
    """Require a detector not to have trained on val, where rule and threshold are chosen.

    Args:
        card: Of the detector.
        folder: Of its model.
        rois: All of the data.

    Raises:
        DataError: It has.
    """
    extra = card.model_extra or {}
    trained_on = extra.get(TRAINED_ON)
    if not isinstance(trained_on, list):
        if extra.get("data") != data_fingerprint(rois):
            logger.warning(
                "%s does not state what the detector was trained on: val must be none of it", folder
            )
        return
    seen = zip(rois, seen_by(rois, trained_on), strict=True)
    wrong = [roi.file_name for roi, is_seen in seen if is_seen and roi.split == "val"]
    if wrong:
        raise DataError(
            f"the detector {folder} was trained on {len(wrong)} val ROIs ({compact_names(wrong)}):"
            " there its scores say nothing of new images",
            "give a detector of this split",
        )


def _false_alarms(path: Path | None, rois: Sequence[Roi]) -> list[Candidate]:
    """The false alarms in train ROIs that a file, or a folder of detections, holds."""
    train = of_role(rois, "train")
    if path is None:
        logger.warning(
            "no candidates are given: the verifier sees figures and imposters alone, and no false"
            " alarm; `midog alarms` makes some out of fold"
        )
        return []
    if path.is_dir():
        listed = candidates_of(path, train, rois)
    else:
        listed = read_candidates(path)
        require_rois(listed, (roi.file_name for roi in rois), path)
    names = {roi.file_name for roi in train}
    others = [one for one in listed if one.label != FIGURE_LABEL]
    alarms = [one for one in others if one.file_name in names]
    if len(alarms) < len(others):
        count = len(others) - len(alarms)
        logger.warning("%s: %d candidates outside the train ROIs are left out", path, count)
    _report_origins(path, alarms)
    return alarms


def _report_origins(path: Path, alarms: Sequence[Candidate]) -> None:
    """Say where false alarms are not out of fold, a line for each kind."""
    words = {
        "in-fold": "in-fold: their detector was trained on these ROIs, and errs there less",
        "unknown": "of a detector of which nothing says that it was not trained on these ROIs",
    }
    for origin, why in words.items():
        if count := sum(one.origin == origin for one in alarms):
            logger.warning(
                "%s: %d of %d false alarms are %s; `midog alarms` makes some out of fold",
                path,
                count,
                len(alarms),
                why,
            )
