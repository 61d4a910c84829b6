"""A classifier that exists made the verifier of a detector: its rule and threshold, from val."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from midog.config.schema import MachineSettings, RunConfig
from midog.data.candidates import FIGURE_LABEL
from midog.data.folder import data_fingerprint, require_images
from midog.data.roi import Roi
from midog.errors import WeightsError
from midog.evaluation.tuning import load_to_tune
from midog.inference.crop_logits import crop_logits
from midog.inference.detector import Detector
from midog.inference.ensemble_folder import is_ensemble
from midog.inference.model_card import CARD, read_any_card, read_card, read_task
from midog.inference.model_folder import find_folder
from midog.inference.patch_classifier import TASK as PATCHES
from midog.inference.patch_classifier import PatchClassifier
from midog.inference.score_rule import ScoreRule
from midog.inference.verified import identity_of
from midog.inference.verifier import TASK, VerifierCard, load_verifier, save_verifier
from midog.json_text import plain
from midog.loading.rois import decode_rois
from midog.metrics.counts import Counts, counts_at
from midog.models.classifiers.network import PatchNetwork
from midog.training.tasks.registry import PatchesSettings, VerifySettings
from midog.training.tasks.verify_crops import detect_in_val
from midog.training.tasks.verify_data import require_unseen
from midog.training.tasks.verify_scores import ValDetections, validation_of

logger = logging.getLogger(__name__)

OWN = "classifier"
"""Key in the model.json of a verifier that `fit_rule` wrote."""


@dataclass(frozen=True)
class Fitted:
    """A rule that was fitted on val, and what it is worth there.

    rule: joins both scores. threshold: in [0, 1], of the joint scores. counts: with it. alone: of
    the detector at its own threshold. auc: of the classifier alone, over the detections; NaN where
    all are figures or none is. figure: what the classifier's second class is called; it counts as
    mitotic figure. rois: number in val.
    """

    rule: ScoreRule
    threshold: float
    counts: Counts
    alone: Counts
    auc: float
    figure: str
    rois: int


def fit_rule(
    model: Path | str,
    classifier: Path | str,
    rois: Sequence[Roi],
    out: Path | str,
    *,
    other_data: bool = False,
    mpp: float | None = None,
    device: str = "auto",
) -> Fitted:
    """Write a verifier that looks by a classifier which exists at the detections of a detector.

    The rule is fitted to the detections in the val ROIs, and the threshold of the best F1 of the
    joint scores chosen there. The classifier's weights stay as they are.

    Args:
        model: The detector: folder of a model, a run or an ensemble.
        classifier: Folder of a model or a run of `midog patches train`, whose second class is the
            figure, or of a verifier of another detector.
        rois: All that `read_rois` gave.
        out: Folder of the verifier; one that was written here before is replaced.
        other_data: As of `tune`.
        mpp: um/px of the ROIs; None: each ROI's own, or that of its image.
        device: Where both run.

    Raises:
        MidogError: As of `tune`; DataError where the detector was trained on an ROI of val, or on
            another one of its patient; WeightsError where the classifier cannot be read, or `out`
            holds something else or cannot be written.
    """
    require_free(Path(out).expanduser())
    second = _read(Path(classifier).expanduser(), device)
    val, card, detector = load_to_tune(
        model, rois, other_data=other_data, orientations=1, device=device
    )
    if not is_ensemble(card.parent):
        require_unseen(read_card(card)[0], card.parent, rois)
    require_images(val)
    logger.warning(
        "nothing states which images %s was trained on: those of val must be none of them",
        classifier,
    )
    found = _detect(
        second, detector, val if mpp is None else [replace(roi, mpp=mpp) for roi in val]
    )
    crops = found.crops
    logits = crop_logits(second.network, crops.cut, len(crops), crops.side, detector.device)
    values = validation_of(found, logits).scalars
    rule = ScoreRule(*(values[f"val/rule_{name}"] for name in ("bias", "detector", "verifier")))
    task = second.settings.model_copy(update={"detector": card.parent})
    save_verifier(
        Path(out).expanduser(),
        second.network,
        second.config.model_copy(update={"task": task}),
        rule,
        threshold=values["val/threshold"],
        detector=identity_of(detector.settings()),
        info={"data": data_fingerprint(rois), "val": plain(values), OWN: str(classifier)},
    )
    scores = np.concatenate([own.scores for own in found.detections])
    return Fitted(
        rule,
        values["val/threshold"],
        counts_at(found.points(rule(scores, logits)), values["val/threshold"]),
        counts_at(found.points(), found.threshold),
        values["val/auc"],
        second.figure,
        len(val),
    )


def require_free(out: Path) -> None:
    """Require a folder to hold nothing but a verifier that `fit_rule` wrote.

    Raises:
        WeightsError: It holds something else, such as a model that was trained.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        card, _ = read_any_card(out / CARD, VerifierCard, TASK)
        is_own = OWN in (card.model_extra or {})
    except WeightsError:
        is_own = False
    if not is_own:
        raise WeightsError(
            f"{out} exists, and is no verifier that was fitted to a classifier",
            "name another folder with {out}",
            {"out": None},
        )


@dataclass(frozen=True, eq=False)
class _Second:
    """A classifier of crops, the settings of a verifier that looks by it, the config of its run,
    and what its second class is called."""

    network: PatchNetwork
    settings: VerifySettings
    config: RunConfig
    figure: str


def _read(path: Path, device: str) -> _Second:
    """Read a classifier of patches, or the classifier of a verifier."""
    folder = find_folder(path)
    if read_task(folder / CARD) != PATCHES:
        verifier = load_verifier(folder, device=device)
        _, config = read_any_card(folder / CARD, VerifierCard, TASK)
        settings = cast(VerifySettings, config.task)
        return _Second(verifier.network, settings, config, FIGURE_LABEL)
    own = PatchClassifier.load(folder, device=device)
    settings = VerifySettings(
        body="patches",
        crop=own.side,
        network=cast(PatchesSettings, own.config.task).network,
        classifier=folder,
    )
    return _Second(own.network, settings, own.config, own.classes[1])


def _detect(second: _Second, detector: Detector, val: Sequence[Roi]) -> ValDetections:
    """Detect in the ROIs of val, and cut around what is reported as the classifier sees it."""
    data = second.config.data.model_copy(update={"cache": False})
    machine = MachineSettings(residency="memory")
    decoded = decode_rois(val, data, machine, second.settings.crop)
    return detect_in_val(detector, decoded, second.settings)
