"""PatchClassifier: a trained classifier of patches, and its model folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from pydantic import Field
from torch import nn

from midog.boxes import FloatArray
from midog.config.schema import RunConfig
from midog.devices import pick_device
from midog.errors import DataError, WeightsError
from midog.images.pixels import Pixels
from midog.inference.crop_logits import crop_logits, crop_maps
from midog.inference.model_card import CARD, AnyCard, read_any_card
from midog.inference.model_folder import WEIGHTS, find_folder, load_weights, weights_of, write_model
from midog.loading.crops import CropSource
from midog.metrics.points import Values
from midog.models.build import without_first_weights
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import build_patch_network
from midog.training.tasks.registry import PatchesSettings

TASK = "patches"
CLASSES = 2


class PatchCard(AnyCard):
    """model.json of a classifier of patches. side: of the patches, px."""

    task: Literal["patches"]
    class_names: tuple[str, str]
    side: int = Field(ge=8, le=1024)


@dataclass(frozen=True, eq=False)
class PatchClassifier:
    """Tells patches of two classes apart; see `load`.

    network: in eval mode, float32, on `device`. classes: names of labels 0 and 1. side: of its
    patches, px. mpp: um/px that they have. threshold: in [0, 1], the least probability of
    `classes[1]` at which a patch counts as such, chosen on val. folder: of the model. config: of
    its run.
    """

    network: PatchNetwork
    classes: tuple[str, str]
    side: int
    mpp: float
    threshold: float
    device: torch.device
    folder: Path
    config: RunConfig

    @classmethod
    def load(cls, path: Path | str, *, device: str = "auto") -> Self:
        """Load the classifier of a model folder, or of the `best` in a run's folder.

        Raises:
            WeightsError: The folder is missing or damaged, or its model is of another task.
            DeviceError: The device does not exist.
        """
        folder, where = find_folder(Path(path).expanduser()), pick_device(device)
        card, config = read_any_card(folder / CARD, PatchCard, TASK)
        settings = cast(PatchesSettings, config.task)
        with without_first_weights():
            network = build_patch_network(settings.network, CLASSES)
        if card.side < network.smallest:
            raise WeightsError(
                f"{folder / CARD} contradicts itself: its network sees no {card.side} px",
                "copy the model's folder again",
            )
        load_weights(network, folder / WEIGHTS, card.class_names, card.weights_sha256)
        return cls(
            network.for_inference().to(where),
            card.class_names,
            card.side,
            card.mpp,
            card.threshold,
            where,
            folder,
            config,
        )

    def predict(self, patches: ArrayLike) -> FloatArray:
        """Return the probability of each class of patches.

        Args:
            patches: (N, S, S, 3) uint8 RGB, with S = `side` and `mpp` um/px.

        Returns:
            (N, 2) float32, each row 1 in all, in the order of `classes`.

        Raises:
            DataError: They have another shape or type.
            DeviceError: Memory runs out.
        """
        pixels = self._checked(patches)

        def cut(number: int, out: Pixels) -> None:
            out[:] = pixels[number]

        logits = crop_logits(self.network, cut, len(pixels), self.side, self.device)
        second = probabilities_of(logits)
        return np.stack([1 - second, second], axis=1).astype(np.float32)

    def masks(self, patches: ArrayLike) -> FloatArray:
        """Return the probability that each px of patches is of `classes[1]`.

        Args:
            patches: As of `predict`.

        Returns:
            (N, S, S) float32 in [0, 1].

        Raises:
            DataError: The network learned no masks; and as of `predict`.
            DeviceError: Memory runs out.
        """
        if not self.network.needs_masks:
            raise DataError(
                f"{self.folder} scores whole patches, and none of their px",
                "give a model of a network that learns masks (unet)",
            )
        pixels = self._checked(patches)
        return crop_maps(self.network, pixels, self.device)

    def _checked(self, patches: ArrayLike) -> Pixels:
        """The patches, as they must be."""
        pixels = np.asarray(patches)
        shape = (self.side, self.side, 3)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != shape:
            raise DataError(
                f"patches are {pixels.dtype} of shape {pixels.shape}",
                f"give (N, {self.side}, {self.side}, 3) uint8",
            )
        return pixels

    def logits(self, crops: CropSource) -> FloatArray:
        """Return the log odds of `classes[1]`, (N,) float32, of all crops of a source."""
        return crop_logits(self.network, crops.cut, len(crops), self.side, self.device)


def probabilities_of(logits: FloatArray) -> Values:
    """Return the probabilities of log odds, (N,) float64 in [0, 1]."""
    return np.asarray(np.exp(-np.logaddexp(0, -logits.astype(np.float64))))


def save_patch_classifier(
    folder: Path,
    network: nn.Module,
    config: RunConfig,
    *,
    classes: tuple[str, str],
    side: int,
    threshold: float,
    info: Mapping[str, Any],
) -> None:
    """Write a classifier's model.safetensors and model.json, both or neither.

    Args:
        folder: Where; a model that is there is replaced.
        network: As it was trained.
        config: Of its run.
        classes: Names of labels 0 and 1.
        side: Of its patches, px.
        threshold: In [0, 1], of the probability of the second class.
        info: Further plain values for model.json.

    Raises:
        WeightsError: The folder holds other files or cannot be written.
    """
    write_model(
        folder,
        weights_of(network),
        config,
        class_names=classes,
        threshold=threshold,
        info={**info, "side": side},
        task=TASK,
    )
