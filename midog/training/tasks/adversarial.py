"""The adversarial task: a detector learns from labelled ROIs, and to hide which scanner it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from midog.config.schema import SamplingSettings
from midog.loading.batches import Loader
from midog.loading.locations import SampledRoi
from midog.loading.rois import (
    DecodedRois,
    RoiSource,
    augments_on_cpu,
    training_source,
    validation_source,
)
from midog.models.adversary import AdversarialNetwork, strength_at
from midog.random_streams import seed_of_names
from midog.training.tasks.detection import DetectionTask, RoiBatch, RoiLoader, prepare
from midog.training.tasks.registry import AdversarialSettings
from midog.training.tasks.task import Validation
from midog.training.tasks.unlabelled_images import images_state, require_same_images

_PATCHES_TO_TELL = 2
"""Of each ROI, by which a validation says how well domains are told apart."""


@dataclass(frozen=True, eq=False)
class AdversarialBatch:
    """Patches of one step; `Batch` says how long they are valid.

    labelled: those that the detector learns from. unlabelled: of other ROIs; None: there are none.
    domains: (B + U,) int64, numbers of their scanners. strength: of the reversed gradient.
    """

    labelled: RoiBatch
    unlabelled: RoiBatch | None
    domains: Tensor
    strength: float

    def __len__(self) -> int:
        return len(self.domains)


class AdversarialTask:
    """Learns to detect, and to mislead a classifier of scanners; it is a `Task`, a `StatefulTask`.

    Args:
        settings: The section `task` of the run.
        detection: What is learned from the labelled ROIs.
        unlabelled: ROIs of which nothing but the scanner is looked at; None: there are none.
    """

    def __init__(
        self,
        settings: AdversarialSettings,
        detection: DetectionTask,
        unlabelled: DecodedRois | None,
    ) -> None:
        self.config, self.settings, self.device = detection.config, settings, detection.device
        self.detection, self.unlabelled = detection, unlabelled
        self._source: RoiSource | None = None
        if unlabelled is not None:
            machine, augment = self.config.machine, self.config.augment
            on_cpu = augments_on_cpu(unlabelled, machine.augment_on, self.device)
            self._source = training_source(
                unlabelled,
                self._sampling(1),
                augment,
                on_cpu=on_cpu,
                references=detection.references,
            )
        sampled = detection.train.sampled + ([] if unlabelled is None else unlabelled.sampled)
        self.scanners = scanners_of(sampled)
        self.to_tell = [
            (own.sampled, self._loader(validation_source(own, self._sampling(_PATCHES_TO_TELL))))
            for own in (detection.val, unlabelled)
            if own is not None
        ]

    def build(self, *, pretrained: bool) -> AdversarialNetwork:
        """Build the detector that `model` describes, and then a classifier of its features."""
        return AdversarialNetwork(self.detection.build(pretrained=pretrained), len(self.scanners))

    def compile(self, network: AdversarialNetwork) -> None:
        """Have the parts compiled that the detector names."""
        network.detector.compile_parts()

    def steps_per_epoch(self, world: int) -> int:
        """Return the number of batches of an epoch on each of `world` processes."""
        return self.detection.steps_per_epoch(world)

    def batches(
        self, epoch: int, *, start: int, rank: int, world: int
    ) -> Iterator[AdversarialBatch]:
        """Yield the batches of an epoch from step `start` on; labelled patches are those of
        detection alone."""
        where, loader = {"start": start, "rank": rank, "world": world}, self._others(world)
        with ExitStack() as stack:
            # the first to begin is the last to end: both set OpenCV's number of threads
            unlabelled: Iterator[RoiBatch | None] = repeat(None)
            if loader is not None:
                unlabelled = stack.enter_context(closing(loader.batches(epoch, **where)))
            patches = self.detection.patches
            labelled = stack.enter_context(closing(patches.batches(epoch, **where)))
            for step, (other, batch) in enumerate(zip(unlabelled, labelled, strict=False), start):
                domains = self._domains(epoch, step, rank, world)
                yield AdversarialBatch(batch, other, domains, self._strength(epoch, step, world))

    def losses(self, network: AdversarialNetwork, batch: AdversarialBatch) -> dict[str, Tensor]:
        """Return the detector's losses of the labelled patches, and "domain" of all patches."""
        images, targets = prepare(batch.labelled, self.device)
        others = None if batch.unlabelled is None else prepare(batch.unlabelled, self.device)[0]
        domains = batch.domains.to(self.device)
        losses: dict[str, Tensor] = network(images, targets, others, domains, batch.strength)
        return losses

    def validate(
        self, network: AdversarialNetwork, fabric: Fabric, check: Callable[[], None]
    ) -> Validation:
        """Validate the detector, and report how well the classifier tells scanners apart."""
        validation = self.detection.validate(network.detector, fabric, check)
        with fabric.autocast():
            shares = self._told_apart(network)
        mean = sum(shares.values()) / max(len(shares), 1)
        scalars = {"val/domain_accuracy": mean}
        scalars |= {f"val/domain_accuracy/{name}": share for name, share in shares.items()}
        chance = 1 / len(self.scanners)
        return replace(
            validation,
            scalars={**validation.scalars, **scalars},
            line=f"{validation.line}  scanner told {mean:.2f} (chance {chance:.2f})",
        )

    def package(
        self,
        network: AdversarialNetwork,
        validation: Validation,
        folder: Path,
        info: Mapping[str, Any],
    ) -> None:
        """Write the detector alone, as the detection task does."""
        self.detection.package(network.detector, validation, folder, info)

    def example(self, size: int) -> AdversarialBatch:
        """Return black patches, as many of them unlabelled as beside so many labelled ones."""
        others = 0 if self.unlabelled is None else beside(size, self.settings.unlabelled_share)
        return AdversarialBatch(
            self.detection.example(size),
            self.detection.example(others) if others else None,
            torch.zeros(size + others, dtype=torch.int64),
            self.settings.weight,
        )

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        """Return ROI and corner of each patch, the labelled ones first."""
        places = self.detection.locations(epoch, step, rank=rank, world=world)
        loader = self._others(world)
        if loader is not None and self.unlabelled is not None:
            names = [roi.file_name for roi in self.unlabelled.rois]
            places += [
                {"file_name": names[place.roi], "x": place.x, "y": place.y}
                for place in loader.locations(epoch, step, rank=rank, world=world)
            ]
        return places

    def between_epochs(
        self, epoch: int, network: AdversarialNetwork, fabric: Fabric, check: Callable[[], None]
    ) -> dict[str, float]:
        """Do what the detection task does."""
        return self.detection.between_epochs(epoch, network.detector, fabric, check)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the detection task's, and which images are unlabelled."""
        return self.detection.state_dict() | images_state(self.detection.unlabelled)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` returned; ValueError where it is of other ROIs."""
        require_same_images(state, self.detection.unlabelled)
        self.detection.load_state_dict(state)

    def _sampling(self, patches_per_roi: int) -> SamplingSettings:
        """Draws of ROIs whose figures are not known, as many of each scanner."""
        changed = {"patches_per_roi": patches_per_roi, "balance": "scanner", "mine_every": 0}
        return self.config.sampling.model_copy(update=changed)

    def _others(self, world: int) -> RoiLoader | None:
        """Batches of unlabelled patches, more of them than an epoch has steps."""
        if self._source is None:
            return None
        size = beside(self.config.train.batch_size, self.settings.unlabelled_share)
        draws = (self.steps_per_epoch(world) + 1) * size * world
        rois = len(self._source.decoded.rois)
        source = replace(self._source, sampling=self._sampling(-(-draws // rois)))
        # numbers of their own: patches of one index would be cut and augmented alike
        seed = seed_of_names(self.config.train.seed, ["unlabelled"])
        workers = self.config.machine.workers
        return Loader(source, size, workers, seed, self.device, fill=True)

    def _loader(self, source: RoiSource) -> RoiLoader:
        settings, workers = self.config.train, self.config.machine.workers
        return Loader(source, settings.batch_size, workers, settings.seed, self.device)

    def _domains(self, epoch: int, step: int, rank: int, world: int) -> Tensor:
        """(B + U,) int64, the scanners of a batch's patches."""
        labelled = self.detection.patches.locations(epoch, step, rank=rank, world=world)
        names = [self.detection.train.sampled[place.roi].scanner for place in labelled]
        loader = self._others(world)
        if loader is not None and self.unlabelled is not None:
            places = loader.locations(epoch, step, rank=rank, world=world)
            names += [self.unlabelled.sampled[place.roi].scanner for place in places]
        return torch.tensor([self.scanners.index(name) for name in names])

    def _strength(self, epoch: int, step: int, world: int) -> float:
        """lambda at a step, which depends on how much of the training is done."""
        steps = self.steps_per_epoch(world)
        progress = (epoch * steps + step) / (self.config.train.epochs * steps)
        return strength_at(progress, self.settings.weight, self.settings.ramp)

    @torch.no_grad()
    def _told_apart(self, network: AdversarialNetwork) -> dict[str, float]:
        """Share of fixed patches whose scanner the classifier names, by scanner."""
        network.eval()
        answers: dict[str, list[Tensor]] = {}
        for sampled, loader in self.to_tell:
            for step, batch in enumerate(loader.batches()):
                images, _ = prepare(batch, self.device)
                chosen = network.domain_logits(images).argmax(dim=1).cpu()
                for place, number in zip(loader.locations(0, step), chosen, strict=True):
                    answers.setdefault(sampled[place.roi].scanner, []).append(number)
        return {
            name: float((torch.stack(answers[name]) == number).float().mean())
            for number, name in enumerate(self.scanners)
            if name in answers
        }


def scanners_of(rois: Sequence[SampledRoi]) -> list[str]:
    """Return the scanners of ROIs in alphabetical order; their places are the domains' numbers."""
    return sorted({roi.scanner for roi in rois})


def beside(labelled: int, share: float) -> int:
    """Return how many unlabelled patches a batch has beside its labelled ones, at least 1."""
    return max(1, round(labelled * share))
