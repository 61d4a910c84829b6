"""The verify task: a classifier learns to tell figures from what a detector takes for figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from midog.config.schema import RunConfig
from midog.inference.score_rule import ScoreRule
from midog.inference.verifier import build_classifier, save_verifier
from midog.loading.crops import CropSource
from midog.models.classifiers.network import PatchNetwork
from midog.training.tasks.crop_task import CropTask, logits_of_all, worst_crops
from midog.training.tasks.registry import VerifySettings
from midog.training.tasks.task import Validation
from midog.training.tasks.verify_scores import ValDetections, validation_of


class VerifyTask(CropTask):
    """Learns to verify detections; it is a `Task`.

    Args:
        config: Of the run.
        settings: Of the task, `backbone` or `network` as it is built.
        first_weights: Fills a new network with the weights that it starts from.
        crops: Of the training.
        names: File names of the images that training crops are of.
        val: The detections of the val ROIs.
        detector: Which detector they are of.
        device: Of the training.
    """

    def __init__(
        self,
        config: RunConfig,
        settings: VerifySettings,
        first_weights: Callable[[PatchNetwork], None],
        crops: CropSource,
        names: list[str],
        val: ValDetections,
        detector: str,
        device: torch.device,
    ) -> None:
        super().__init__(crops, config.train, config.machine, device)
        self.config, self.settings, self.first_weights = config, settings, first_weights
        self.names, self.val, self.detector = names, val, detector

    def build(self, *, pretrained: bool) -> PatchNetwork:
        """Build the classifier; errors as of `Task.build`."""
        network = build_classifier(self.settings)
        if pretrained:
            self.first_weights(network)
        return network.train()

    def validate(
        self, network: PatchNetwork, fabric: Fabric, check: Callable[[], None]
    ) -> Validation:
        """Look at the detections of the val ROIs, fit the rule to them, score the joint scores."""
        val = self.val
        logits = logits_of_all(network, val.crops, self.device, fabric, check)
        most = self.config.train.pictures if fabric.is_global_zero else 0
        return validation_of(val, logits, worst_crops(val.crops, logits, most))

    def package(
        self,
        network: PatchNetwork,
        validation: Validation,
        folder: Path,
        info: Mapping[str, Any],
    ) -> None:
        """Write the verifier with the rule and the threshold of the validation."""
        names = ("bias", "detector", "verifier")
        rule = ScoreRule(*(validation.scalars[f"val/rule_{name}"] for name in names))
        save_verifier(
            folder,
            network,
            self.config.model_copy(update={"task": self.settings}),
            rule,
            threshold=validation.scalars["val/threshold"],
            detector=self.detector,
            info=info,
        )

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        """Return the ROI of each crop, and its upper left corner in px of the model's mpp."""
        places = self.loader.locations(epoch, step, rank=rank, world=world)
        images = self.crops.places.images
        return [
            {"file_name": self.names[images[place.number]], "x": place.x, "y": place.y}
            for place in places
        ]
