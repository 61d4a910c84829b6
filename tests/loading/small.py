"""ROIs whose pixels say where they are, and loaders over them."""

from __future__ import annotations

import numpy as np
import torch

from midog.boxes import Boxes
from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.data.roi import Roi
from midog.loading.batches import Loader
from midog.loading.locations import SampledRoi
from midog.loading.references import make_references
from midog.loading.rois import (
    DecodedRois,
    augments_on_cpu,
    decode_rois,
    training_source,
    validation_source,
)


def rois_of(*sizes: tuple[int, int]) -> DecodedRois:
    """ROIs whose pixels say where they are: red = x, green = y, blue = number."""
    images, sampled, rois = [], [], []
    for number, (width, height) in enumerate(sizes):
        y, x = np.mgrid[:height, :width]
        images.append(
            np.stack([x % 256, y % 256, np.full_like(x, number)], axis=-1).astype(np.uint8)
        )
        boxes = Boxes([[20, 30, 70, 80]], [1])
        sampled.append(SampledRoi(width, height, boxes, "A"))
        rois.append(Roi(f"{number}.tiff", width, height, boxes))
    return DecodedRois(images, sampled, [0.25] * len(sizes), rois)


def config(*overrides: str) -> RunConfig:
    base = [
        "sampling.patch_size=64",
        "sampling.patches_per_roi=7",
        "train.batch_size=4",
        "machine.workers=0",
    ]
    return load_config(None, [*base, *overrides])


def decoded(rois: list[Roi], settings: RunConfig, device: torch.device | None = None):
    return decode_rois(rois, settings.data, settings.machine, settings.sampling.patch_size, device)


def training(rois: DecodedRois, settings: RunConfig, device: torch.device | None = None) -> Loader:
    on_cpu = augments_on_cpu(rois, settings.machine.augment_on, device)
    references = make_references(
        settings.augment, rois, (), settings.data, settings.sampling.patch_size
    )
    source = training_source(
        rois, settings.sampling, settings.augment, on_cpu=on_cpu, references=references
    )
    return _loader(source, settings, device, fill=True)


def validation(rois: DecodedRois, settings: RunConfig) -> Loader:
    return _loader(validation_source(rois, settings.sampling), settings, None, fill=False)


def _loader(source, settings: RunConfig, device: torch.device | None, *, fill: bool) -> Loader:
    train, workers = settings.train, settings.machine.workers
    return Loader(source, train.batch_size, workers, train.seed, device, fill)


def everything(batches) -> list[tuple[int, bytes, list, list, list]]:
    """All that batches hold, patch by patch, taken while each is valid."""
    return [
        (
            index,
            images.numpy().tobytes(),
            boxes[boxes.any(1)].tolist(),
            labels.tolist()[:1],
            ignore.any(1).tolist(),
        )
        for batch in batches
        for index, images, boxes, labels, ignore in zip(
            batch.indices, batch.images, *batch.targets.values(), strict=True
        )
    ]
