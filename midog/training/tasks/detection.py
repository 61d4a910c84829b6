"""The detection task: a detector learns mitotic figures from patches, is scored on whole ROIs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.draw import ops_with_references
from midog.augment.on_device import augment, to_float
from midog.boxes import Detections
from midog.config.schema import Imposters, RunConfig
from midog.data.roi import Roi
from midog.data.seen import TRAINED_ON
from midog.devices import copies_alone
from midog.inference.detector import Detector
from midog.loading.batches import Loader, require_memory
from midog.loading.locations import Location
from midog.loading.mined_alarms import MinedAlarms
from midog.loading.references import described_references, make_references
from midog.loading.rois import (
    DecodedRois,
    RoiSource,
    augments_on_cpu,
    training_source,
    validation_source,
)
from midog.loading.source import Batch
from midog.metrics.ignored import without_ignored
from midog.metrics.points import RoiPoints, points_from_boxes
from midog.models.build import build_model
from midog.models.protocol import BoxTargets, DetectionNetwork, example_targets
from midog.training.ranks import gather, share_buffers
from midog.training.tasks.detection_pictures import draw_pictures
from midog.training.tasks.detection_scores import score
from midog.training.tasks.mining import counted, line_of, mine, mined_of_state, mined_state
from midog.training.tasks.task import Validation
from midog.training.tasks.unlabelled_images import images_state, require_same_images

logger = logging.getLogger(__name__)

RoiLoader = Loader[Location, BoxTargets]
RoiBatch = Batch[BoxTargets]


class DetectionTask:
    """Learns to detect mitotic figures; it is a `Task` and a `StatefulTask`.

    Args:
        config: Of the run.
        train: ROIs to train on, decoded.
        val: ROIs to validate on, decoded.
        device: Of the training.
        unlabelled: ROIs of scanners without labels, of which augmentation may take references.
    """

    def __init__(
        self,
        config: RunConfig,
        train: DecodedRois,
        val: DecodedRois,
        device: torch.device,
        unlabelled: Sequence[Roi] = (),
    ) -> None:
        self.config, self.device = config, device
        self.train, self.val = train, val
        side, workers = config.sampling.patch_size, config.machine.workers
        require_memory(config.train.batch_size, side, workers, device)
        on_cpu = augments_on_cpu(train, config.machine.augment_on, device)
        augment, sampling = config.augment, config.sampling
        self.references = make_references(augment, train, unlabelled, config.data, side)
        self.unlabelled = list(unlabelled)
        self.source = training_source(
            train, sampling, augment, on_cpu=on_cpu, references=self.references
        )
        self.patches = self._loader(self.source, fill=True)
        self.fixed_patches = self._loader(validation_source(val, config.sampling), fill=False)

    def build(self, *, pretrained: bool) -> DetectionNetwork:
        """Build the detector that `model` describes."""
        return build_model(self.config, pretrained=pretrained)

    def compile(self, network: DetectionNetwork) -> None:
        """Have the parts compiled that the detector names."""
        network.compile_parts()

    def steps_per_epoch(self, world: int) -> int:
        """Return the number of batches of an epoch on each of `world` processes."""
        return self.patches.steps(world)

    def batches(self, epoch: int, *, start: int, rank: int, world: int) -> Iterator[RoiBatch]:
        """Yield the batches of an epoch from step `start` on."""
        return self.patches.batches(epoch, start=start, rank=rank, world=world)

    def losses(self, network: DetectionNetwork, batch: RoiBatch) -> dict[str, Tensor]:
        """Return the losses of a batch by name, each a scalar."""
        images, targets = prepare(batch, self.device)
        losses: dict[str, Tensor] = network(images, targets)
        return losses

    def validate(
        self, network: DetectionNetwork, fabric: Fabric, check: Callable[[], None]
    ) -> Validation:
        """Take the loss on the fixed patches, and score detections in whole ROIs.

        ROIs are shared out over the processes. Detection runs at the precision of `midog infer`,
        as the threshold that is chosen here is used there.
        """
        detector = self._detector(network)
        with fabric.autocast():
            losses = self._validation_losses(network)
        own = range(fabric.global_rank, len(self.val.images), fabric.world_size)
        shares = gather(fabric, detect_points(detector, self.val, own, check))
        points = {number: roi for share in shares for number, roi in share.items()}
        validation = score(
            [points[number] for number in sorted(points)],
            [roi.scanner for roi in self.val.sampled],
            losses,
        )
        if not fabric.is_global_zero or not self.config.train.pictures:
            return validation
        return replace(validation, pictures=self._pictures(network, validation))

    def between_epochs(
        self, epoch: int, network: DetectionNetwork, fabric: Fabric, check: Callable[[], None]
    ) -> dict[str, float]:
        """Mine false alarms in the training ROIs, every `sampling.mine_every` epochs."""
        sampling, rois = self.config.sampling, self.train.sampled
        if not sampling.mine_every or (epoch + 1) % sampling.mine_every:
            return {}
        began = time.perf_counter()
        share_buffers(fabric, network)
        detector = self._detector(network)

        def detect(number: int) -> Detections:
            return detect_in(detector, self.train, number)

        seed = self.config.train.seed
        mined = mine(detect, rois, self.train.mpp, sampling, seed, fabric, check)
        self._request(mined)
        seconds = time.perf_counter() - began
        if fabric.is_global_zero:
            logger.info("%s", line_of(mined, rois, seconds))
        return counted(mined, rois, seconds)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the false alarms that are requested, and which images are references."""
        return mined_state(self.source.mined) | images_state(self._of_references)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` returned; ValueError where it is of other ROIs."""
        require_same_images(state, self._of_references)
        sampling, seed = self.config.sampling, self.config.train.seed
        self._request(mined_of_state(state, self.train.sampled, sampling, seed))

    @property
    def _of_references(self) -> list[Roi]:
        return self.unlabelled if ops_with_references(self.config.augment) else []

    def package(
        self,
        network: DetectionNetwork,
        validation: Validation,
        folder: Path,
        info: Mapping[str, Any],
    ) -> None:
        """Write the detector with the threshold that was best in validation."""
        detector = Detector(
            network,
            self.config,
            class_names=class_names(self.config.sampling.imposters),
            threshold=validation.scalars["val/threshold"],
            device=str(self.device),
            info={**info, **self._facts()},
        )
        detector.save(folder)

    def example(self, size: int) -> RoiBatch:
        """Return black patches with one figure each."""
        side = self.config.sampling.patch_size
        targets = example_targets(size, torch.device("cpu"))
        images = torch.zeros((size, side, side, 3), dtype=torch.uint8)
        return Batch((images,), targets, list(range(size)))

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        """Return the ROI of each patch, and its upper left corner in px of the model's mpp."""
        places = self.patches.locations(epoch, step, rank=rank, world=world)
        return [
            {"file_name": self.train.rois[place.roi].file_name, "x": place.x, "y": place.y}
            for place in places
        ]

    def _facts(self) -> dict[str, Any]:
        """What model.json states of the data: the ROIs trained on, and what references are of."""
        facts: dict[str, Any] = {TRAINED_ON: [roi.file_name for roi in self.train.rois]}
        if self.references:
            facts["references"] = described_references(self.references)
        return facts

    def _request(self, mined: MinedAlarms | None) -> None:
        """Have the batches to come request these false alarms."""
        self.source = replace(self.source, mined=mined)
        self.patches = replace(self.patches, source=self.source)

    def _detector(self, network: DetectionNetwork) -> Detector:
        """A detector of the weights of now, at the precision of `midog infer`."""
        workers = self.config.machine.workers
        return Detector(network, self.config, device=str(self.device), workers=workers)

    def _loader(self, source: RoiSource, *, fill: bool) -> RoiLoader:
        settings, workers = self.config.train, self.config.machine.workers
        return Loader(source, settings.batch_size, workers, settings.seed, self.device, fill)

    @torch.no_grad()
    def _validation_losses(self, network: DetectionNetwork) -> dict[str, float]:
        """Mean loss by name over the fixed validation patches, not augmented."""
        network.eval()
        batches: list[tuple[int, dict[str, Tensor]]] = [
            (len(batch), self.losses(network, batch)) for batch in self.fixed_patches.batches()
        ]
        count = sum(size for size, _ in batches)
        sums: dict[str, float] = {}
        for size, losses in batches:  # only now, so that the device never waits for the next batch
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value) * size
        means = {f"loss_{name}": value / count for name, value in sums.items()}
        return {"loss": sum(means.values()), **means}

    def _pictures(
        self, network: DetectionNetwork, validation: Validation
    ) -> list[NDArray[np.uint8]]:
        count, threshold = self.config.train.pictures, validation.scalars["val/threshold"]
        return draw_pictures(network, self.fixed_patches.batches(), self.device, count, threshold)


def prepare(batch: RoiBatch, device: torch.device) -> tuple[Tensor, BoxTargets]:
    """Bring a batch to the device, and augment it there where that is left to do.

    Returns:
        Images (B, 3, S, S) float32 in [0, 1], and their targets.
    """
    alone = copies_alone(device)
    images = batch.images.to(device, non_blocking=alone)
    targets = BoxTargets(
        boxes=batch.targets["boxes"].to(device, non_blocking=alone),
        labels=batch.targets["labels"].to(device, non_blocking=alone),
        ignore=batch.targets["ignore"].to(device, non_blocking=alone),
    )
    light = to_float(images) if batch.augmentation is None else augment(images, batch.augmentation)
    return light, targets


def detect_points(
    detector: Detector, decoded: DecodedRois, numbers: Sequence[int], check: Callable[[], None]
) -> dict[int, RoiPoints]:
    """Detect in some ROIs; return their true and detected mitotic figures, mm, by number.

    Args:
        detector: To be validated.
        decoded: ROIs in px of the model's mpp.
        numbers: Of the ROIs to take.
        check: Called after every ROI; may raise.
    """
    points = {}
    for number in numbers:
        roi, mpp = decoded.sampled[number], decoded.mpp[number]
        all_points = points_from_boxes(roi.boxes, detect_in(detector, decoded, number), mpp)
        points[number] = without_ignored(all_points, roi.ignored, mpp)
        check()
    return points


def detect_in(detector: Detector, decoded: DecodedRois, number: int) -> Detections:
    """Detect in one decoded ROI; boxes are in px of the model's mpp."""
    image = decoded.images[number]
    if isinstance(image, Tensor):
        return detector.detect_resident(image)
    # in px of the model's mpp already: nothing is resampled
    return detector(np.asarray(image), mpp=detector.mpp)


def class_names(imposters: Imposters) -> tuple[str, ...]:
    """Return the names of labels 1, 2, … as the challenge writes them."""
    both = imposters == "second_class"
    return ("mitotic figure", "non-mitotic figure") if both else ("mitotic figure",)
