"""The verify task: a classifier learns to tell figures from what a detector takes for figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from midog.augment.on_device import augment, to_float
from midog.boxes import FloatArray
from midog.config.schema import MachineSettings, RunConfig, TrainSettings
from midog.devices import copies_alone
from midog.inference.score_rule import ScoreRule
from midog.inference.verifier import build_classifier, crop_logits, save_verifier
from midog.loading.batches import Loader, require_memory
from midog.loading.crops import CropLocation, CropSource, CropTargets
from midog.loading.source import Batch
from midog.models.classifier import Classifier
from midog.training.ranks import gather
from midog.training.tasks.registry import VerifySettings
from midog.training.tasks.task import Validation
from midog.training.tasks.verify_scores import ValDetections, validation_of, worst_crops

CropBatch = Batch[CropTargets]


class VerifyTask:
    """Learns to verify detections; it is a `Task`.

    Args:
        config: Of the run.
        settings: Of the task, `backbone` as it is built.
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
        first_weights: Callable[[Classifier], None],
        crops: CropSource,
        names: list[str],
        val: ValDetections,
        detector: str,
        device: torch.device,
    ) -> None:
        self.config, self.settings, self.first_weights = config, settings, first_weights
        self.crops, self.names, self.val = crops, names, val
        self.detector, self.device = detector, device
        self.loader = _loader(crops, config.train, config.machine, device)

    def build(self, *, pretrained: bool) -> Classifier:
        """Build the classifier; errors as of `Task.build`."""
        network = build_classifier(self.settings)
        if pretrained:
            self.first_weights(network)
        return network.train()

    def compile(self, network: Classifier) -> None:
        """Have the backbone compiled."""
        network.compile_parts()

    def steps_per_epoch(self, world: int) -> int:
        """Return the number of batches of an epoch on each of `world` processes."""
        return self.loader.steps(world)

    def batches(self, epoch: int, *, start: int, rank: int, world: int) -> Iterator[CropBatch]:
        """Yield the batches of an epoch from step `start` on."""
        return self.loader.batches(epoch, start=start, rank=rank, world=world)

    def losses(self, network: Classifier, batch: CropBatch) -> dict[str, Tensor]:
        """Return the cross-entropy of a batch."""
        alone = copies_alone(self.device)
        images = batch.images.to(self.device, non_blocking=alone)
        labels = batch.targets["labels"].to(self.device, non_blocking=alone)
        drawn = batch.augmentation
        losses: dict[str, Tensor] = network(
            to_float(images) if drawn is None else augment(images, drawn), labels
        )
        return losses

    def validate(
        self, network: Classifier, fabric: Fabric, check: Callable[[], None]
    ) -> Validation:
        """Look at the detections of the val ROIs, fit the rule to them, score the joint scores.

        The crops are shared out over the processes. All is float32, as in `midog infer`.
        """
        rank, world, val = fabric.global_rank, fabric.world_size, self.val
        mine = range(rank, len(val.crops), world)
        scored = crop_logits(
            network.for_inference(),
            lambda number, out: val.crops.cut(mine[number], out),
            len(mine),
            self.settings.crop,
            self.device,
        )
        check()
        logits: FloatArray = np.empty(len(val.crops), np.float32)
        for first, share in enumerate(gather(fabric, scored)):
            logits[first::world] = share
        most = self.config.train.pictures if fabric.is_global_zero else 0
        return validation_of(val, logits, worst_crops(val, logits, most))

    def package(
        self,
        network: Classifier,
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

    def example(self, size: int) -> CropBatch:
        """Return black crops, every second one of a figure."""
        side = self.settings.crop
        numbers = torch.arange(size)
        images = torch.zeros((size, side, side, 3), dtype=torch.uint8)
        return Batch((images,), CropTargets(labels=numbers % 2, numbers=numbers), list(range(size)))

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        """Return the ROI of each crop, and its upper left corner in px of the model's mpp."""
        places = self.loader.locations(epoch, step, rank=rank, world=world)
        images = self.crops.places.images
        return [
            {"file_name": self.names[images[place.number]], "x": place.x, "y": place.y}
            for place in places
        ]


def _loader(
    crops: CropSource, train: TrainSettings, machine: MachineSettings, device: torch.device
) -> Loader[CropLocation, CropTargets]:
    require_memory(train.batch_size, crops.side, machine.workers, device)
    return Loader(crops, train.batch_size, machine.workers, train.seed, device, fill=True)
