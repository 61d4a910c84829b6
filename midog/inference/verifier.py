"""Verifier: a classifier of crops around detections, with the rule that joins both scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import nn

from midog.boxes import FloatArray
from midog.config.schema import RunConfig
from midog.data.candidates import FIGURE_LABEL, OTHER_LABEL
from midog.devices import pick_device
from midog.errors import WeightsError
from midog.images.image import SlideImage
from midog.inference.crop_logits import crop_logits
from midog.inference.model_card import CARD, AnyCard, read_any_card, read_task
from midog.inference.model_folder import (
    WEIGHTS,
    find_folder,
    load_weights,
    weights_digest,
    weights_of,
    write_model,
)
from midog.inference.patch_classifier import TASK as PATCHES
from midog.inference.point_crops import point_crops
from midog.inference.score_rule import ScoreRule
from midog.loading.crops import Border
from midog.models.build import without_first_weights
from midog.models.classifier import Classifier
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import build_patch_network
from midog.models.registry import build_backbone
from midog.mpp import Mpp
from midog.training.tasks.registry import VerifySettings

TASK = "verify"
CLASSES = (OTHER_LABEL, FIGURE_LABEL)


class RuleCard(BaseModel):
    """The weights of a ScoreRule in model.json."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    bias: float
    detector: float
    verifier: float


class VerifierCard(AnyCard):
    """model.json of a verifier. detector: which detector its rule and threshold are for."""

    task: Literal["verify"]
    rule: RuleCard
    detector: str


@dataclass(frozen=True, eq=False)
class Verifier:
    """Looks at detections a second time.

    network: in eval mode, float32, on `device`. side, border: of its crops. mpp: um/px that it
    sees. rule: joins its score and the detector's. threshold: in [0, 1], of the joint score.
    detector: which detector rule and threshold are for, see `identity_of`. device: where it runs.
    detector_folder: the model of that detector, as it was named in training; None where there is no
    such folder.
    """

    network: PatchNetwork
    side: int
    border: Border
    mpp: float
    rule: ScoreRule
    threshold: float
    detector: str
    device: torch.device
    detector_folder: Path | None = None

    def logits(self, image: SlideImage, mpp: Mpp, centres: NDArray[np.float64]) -> FloatArray:
        """Score what is at some points of an image.

        Args:
            image: Open.
            mpp: um/px of the image.
            centres: (N, 2) x y, level-0 px.

        Returns:
            (N,) float32, log odds that it is a mitotic figure.

        Raises:
            ImageError: Pixels cannot be read.
            DeviceError: Memory runs out.
        """
        cut = point_crops(
            image, mpp, centres, side=self.side, border=self.border, model_mpp=self.mpp
        )
        return crop_logits(self.network, cut, len(centres), self.side, self.device)

    def settings(self) -> dict[str, Any]:
        """What decides its scores, as plain JSON values; weights as a digest."""
        return {
            "weights": weights_digest(weights_of(self.network)),
            "rule": asdict(self.rule),
            "crop": self.side,
            "border": self.border,
            "mpp": self.mpp,
        }


def build_classifier(settings: VerifySettings) -> PatchNetwork:
    """Build the network of a verifier with random weights, as settings of `own` or `patches` say.

    Raises:
        ConfigError: It needs a package that is not installed.
    """
    if settings.body == "patches":
        return build_patch_network(settings.network, len(CLASSES))
    return Classifier(build_backbone(settings.backbone, settings.maps), len(CLASSES))


def save_verifier(
    folder: Path,
    network: nn.Module,
    config: RunConfig,
    rule: ScoreRule,
    *,
    threshold: float,
    detector: str,
    info: Mapping[str, Any],
) -> None:
    """Write a verifier's model.safetensors and model.json, both or neither.

    Args:
        folder: Where; a model that is there is replaced.
        network: As it was trained.
        config: Of its run; its backbone as it is built, see `build_classifier`.
        rule: Joins its score and the detector's.
        threshold: In [0, 1], of the joint score.
        detector: Which detector these are for.
        info: Further plain values for model.json.

    Raises:
        WeightsError: The folder holds other files or cannot be written.
    """
    own = {"rule": asdict(rule), "detector": detector}
    write_model(
        folder,
        weights_of(network),
        config,
        class_names=CLASSES,
        threshold=threshold,
        info={**info, **own},
        task=TASK,
    )


def load_verifier(path: Path | str, *, device: str = "auto") -> Verifier:
    """Load the verifier of a model folder, or of the `best` in a run's folder.

    Raises:
        WeightsError: The folder is missing or damaged, or its model is of another task.
        DeviceError: The device does not exist.
    """
    folder, where = find_folder(Path(path).expanduser()), pick_device(device)
    if read_task(folder / CARD) == PATCHES:
        raise WeightsError(
            f"{path} is a classifier of patches, and no rule joins its score with a detector's",
            f"fit one on val with `midog tune --verifier {path} --out FOLDER`, and name FOLDER",
        )
    card, config = read_any_card(folder / CARD, VerifierCard, TASK)
    settings = cast(VerifySettings, config.task)
    with without_first_weights():
        network = build_classifier(settings)
    load_weights(network, folder / WEIGHTS, card.class_names, card.weights_sha256)
    return Verifier(
        network.for_inference().to(where),
        settings.crop,
        settings.border,
        config.data.mpp,
        ScoreRule(**card.rule.model_dump()),
        card.threshold,
        card.detector,
        where,
        settings.detector if settings.detector and settings.detector.is_dir() else None,
    )
