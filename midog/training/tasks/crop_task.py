"""What the tasks share that learn from crops and patches: their batches, and how val is scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from midog.augment.on_device import augment, to_float
from midog.boxes import FloatArray
from midog.config.schema import MachineSettings, TrainSettings
from midog.devices import copies_alone
from midog.inference.crop_logits import crop_logits
from midog.loading.batches import Loader, require_memory
from midog.loading.crops import CropSource, CropTargets
from midog.loading.source import Batch
from midog.models.classifiers.network import Loss, PatchNetwork
from midog.training.ranks import gather

CropBatch = Batch[CropTargets]


class CropTask:
    """The part of a `Task` that does not depend on what crops are of.

    Args:
        crops: Of the training.
        train: Size of batches and seed.
        machine: Threads.
        device: Of the training.
        loss: Of logits and labels.
    """

    def __init__(
        self,
        crops: CropSource,
        train: TrainSettings,
        machine: MachineSettings,
        device: torch.device,
        loss: Loss = F.cross_entropy,
    ) -> None:
        require_memory(train.batch_size, crops.side, machine.workers, device)
        self.crops, self.device, self.loss = crops, device, loss
        self.loader = Loader(
            crops, train.batch_size, machine.workers, train.seed, device, fill=True
        )

    def compile(self, network: PatchNetwork) -> None:
        """Have the costly parts compiled."""
        network.compile_parts()

    def steps_per_epoch(self, world: int) -> int:
        """Return the number of batches of an epoch on each of `world` processes."""
        return self.loader.steps(world)

    def batches(self, epoch: int, *, start: int, rank: int, world: int) -> Iterator[CropBatch]:
        """Yield the batches of an epoch from step `start` on."""
        return self.loader.batches(epoch, start=start, rank=rank, world=world)

    def losses(self, network: PatchNetwork, batch: CropBatch) -> dict[str, Tensor]:
        """Return the loss of a batch."""
        alone = copies_alone(self.device)
        images = batch.images.to(self.device, non_blocking=alone)
        labels = batch.targets["labels"].to(self.device, non_blocking=alone)
        drawn = batch.augmentation
        shown = to_float(images) if drawn is None else augment(images, drawn)
        losses: dict[str, Tensor] = network(shown, labels, self.loss, *self.further(batch))
        return losses

    def further(self, batch: CropBatch) -> tuple[Any, ...]:
        """Return what the network learns from beside labels, as its forward takes it."""
        return ()

    def example(self, size: int) -> CropBatch:
        """Return black crops, every second one of label 1."""
        side = self.crops.side
        numbers = torch.arange(size)
        images = torch.zeros((size, side, side, 3), dtype=torch.uint8)
        return Batch((images,), CropTargets(labels=numbers % 2, numbers=numbers), list(range(size)))


def logits_of_all(
    network: PatchNetwork,
    crops: CropSource,
    device: torch.device,
    fabric: Fabric,
    check: Callable[[], None],
) -> FloatArray:
    """Score all crops of val, shared out over the processes; float32, as in use.

    Args:
        network: On `device`; it stays as it is.
        crops: N of them, not augmented.
        device: Where the network runs.
        fabric: Of the training.
        check: To be called; raises Interrupted where a stop was requested.

    Returns:
        (N,) float32, log odds of the last class.
    """
    rank, world = fabric.global_rank, fabric.world_size
    mine = range(rank, len(crops), world)
    scored = crop_logits(
        network.for_inference(),
        lambda number, out: crops.cut(mine[number], out),
        len(mine),
        crops.side,
        device,
    )
    check()
    logits: FloatArray = np.empty(len(crops), np.float32)
    for first, share in enumerate(gather(fabric, scored)):
        logits[first::world] = share
    return logits


def worst_crops(crops: CropSource, logits: FloatArray, count: int) -> list[NDArray[np.uint8]]:
    """Return the crops that a classifier is most wrong about, the worst first.

    Args:
        crops: N of them, labelled 1, 0 or less: those are left out.
        logits: (N,) float32, log odds of label 1.
        count: Most crops.

    Returns:
        (S, S, 3) uint8 each, a frame of 2 px around it: green around label 1, red around 0.
    """
    labels = crops.places.labels
    wrong = np.where(labels == 1, -logits, logits)
    order = np.argsort(-wrong, kind="stable")
    pictures = []
    for number in order[labels[order] >= 0][:count].tolist():
        picture = np.empty((crops.side, crops.side, 3), np.uint8)
        crops.cut(number, picture)
        inner = picture[2:-2, 2:-2].copy()
        picture[:] = (0, 255, 0) if labels[number] == 1 else (255, 0, 0)
        picture[2:-2, 2:-2] = inner
        pictures.append(picture)
    return pictures
