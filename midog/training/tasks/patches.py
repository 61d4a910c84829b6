"""The patches task: a classifier learns to tell patches of two classes apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from midog.boxes import IntArray
from midog.config.schema import RunConfig
from midog.data.patches.patch_set import PatchSet
from midog.devices import copies_alone
from midog.inference.patch_classifier import CLASSES, save_patch_classifier
from midog.loading.crops import CropSource
from midog.models.classifiers.first_weights import load_first_weights
from midog.models.classifiers.losses import class_loss
from midog.models.classifiers.mask_losses import MaskTerms
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import OnBackboneSettings, build_patch_network
from midog.models.classifiers.two_towers import TwoTowers
from midog.training.tasks.crop_task import CropBatch, CropTask, logits_of_all, worst_crops
from midog.training.tasks.patches_scores import validate_patches
from midog.training.tasks.registry import PatchesSettings
from midog.training.tasks.task import Validation
from midog.training.tasks.verify_weights import take_weights


class PatchesTask(CropTask):
    """Learns to classify patches; it is a `Task`.

    Args:
        config: Of the run.
        settings: Of the task.
        train: What is known of the training patches.
        crops: The training patches.
        val: The patches of val, not augmented.
        classes: Names of labels 0 and 1.
        device: Of the training.
        terms: How masks count, where the network learns them.
    """

    def __init__(
        self,
        config: RunConfig,
        settings: PatchesSettings,
        train: PatchSet,
        crops: CropSource,
        val: CropSource,
        classes: tuple[str, str],
        device: torch.device,
        terms: MaskTerms | None = None,
    ) -> None:
        weights = class_weights(train.labels, device) if settings.balance == "loss" else None
        loss = class_loss(settings.loss, settings.focal_gamma, weights)
        super().__init__(crops, config.train, config.machine, device, loss)
        self.config, self.settings, self.train = config, settings, train
        self.val, self.classes, self.terms = val, classes, terms

    def build(self, *, pretrained: bool) -> PatchNetwork:
        """Build the classifier; errors as of `Task.build`."""
        network = build_patch_network(self.settings.network, CLASSES)
        filled, weights = self.settings.network.filled, self.settings.weights
        towers = network.towers if isinstance(network, TwoTowers) else [network]
        for part in cast(Iterable[PatchNetwork], towers if pretrained else []):
            if isinstance(filled, OnBackboneSettings):
                take_weights(part, backbone=filled, weights=weights)
            else:
                load_first_weights(part, filled, weights)
        return network.train()

    def further(self, batch: CropBatch) -> tuple[Any, ...]:
        """Return the masks of the patches and how they count, where the network learns them."""
        if self.terms is None:
            return ()
        alone = copies_alone(self.device)
        return batch.targets["masks"].to(self.device, non_blocking=alone), self.terms

    def example(self, size: int) -> CropBatch:
        """Return black patches, every second one of label 1 and all of it the second class."""
        batch = super().example(size)
        if self.terms is not None:
            masks = torch.zeros((size, self.crops.side, self.crops.side), dtype=torch.uint8)
            masks[1::2] = 1
            batch.targets["masks"] = masks
        return batch

    def validate(
        self, network: PatchNetwork, fabric: Fabric, check: Callable[[], None]
    ) -> Validation:
        """Score the patches of val, and choose the threshold on them."""
        logits = logits_of_all(network, self.val, self.device, fabric, check)
        most = self.config.train.pictures if fabric.is_global_zero else 0
        pictures = worst_crops(self.val, logits, most)
        return validate_patches(logits, self.val.places.labels, self.settings.score, pictures)

    def package(
        self,
        network: PatchNetwork,
        validation: Validation,
        folder: Path,
        info: Mapping[str, Any],
    ) -> None:
        """Write the classifier with the threshold of the validation."""
        save_patch_classifier(
            folder,
            network,
            self.config,
            classes=self.classes,
            side=self.crops.side,
            threshold=validation.scalars["val/threshold"],
            info=info,
        )

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        """Return the name of each patch, and how far it is shifted, px."""
        centre = self.crops.places.centres
        return [
            {
                "patch": self.train.names[place.number],
                "x": place.x + self.crops.side / 2 - float(centre[place.number, 0]),
                "y": place.y + self.crops.side / 2 - float(centre[place.number, 1]),
            }
            for place in self.loader.locations(epoch, step, rank=rank, world=world)
        ]


def class_weights(labels: IntArray, device: torch.device) -> Tensor:
    """Return weights by which both classes count alike, 1 on average over patches.

    Args:
        labels: (N,) int64, 0 or 1, both of them.
        device: Of the result.

    Returns:
        (2,) float32.
    """
    counts = torch.bincount(torch.from_numpy(labels), minlength=CLASSES)
    return (len(labels) / (CLASSES * counts)).to(device, torch.float32)
