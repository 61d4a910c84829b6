"""What is measured of scanners, in images and in a network's features, and their distances."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from midog.augment.on_device import to_float
from midog.data.roi import Roi
from midog.devices import is_out_of_memory
from midog.errors import DeviceError
from midog.images.pixels import Pixels
from midog.inference.detector import Detector
from midog.shift.feature_distances import feature_distances
from midog.shift.halves import SLOW_DRAWS, halve
from midog.shift.images import IMAGE_DISTANCES, ImageStats, image_distances, image_stats
from midog.shift.patches import ScannerPatches, describe, fixed_patches

Features = NDArray[np.float32]
Distances = dict[str, float]
"""By the names of IMAGE_DISTANCES and FEATURE_DISTANCES."""

IMAGE_MPP = 0.25
"""um/px of the patches that image statistics are of."""


@dataclass(frozen=True, eq=False)
class ScannerFeatures:
    """The features of patches in one model.

    Attributes:
        vectors: (P, D) float32 by scanner.
        patients: (P,) of the patches, by scanner.
    """

    vectors: dict[str, Features]
    patients: dict[str, list[str]]


@dataclass(frozen=True, eq=False)
class MeasuredScanners:
    """What is measured of the patches of all scanners.

    Attributes:
        patches: at IMAGE_MPP, an entry per scanner.
        stats: of these patches, by scanner.
        features: by model, of patches at the model's own mpp.
        words: how the patches were cut.
    """

    patches: list[ScannerPatches]
    stats: dict[str, ImageStats]
    features: dict[str, ScannerFeatures]
    words: str


def measure_scanners(
    rois: Sequence[Roi],
    models: Mapping[str, Path],
    *,
    size_px: int,
    per_roi: int,
    seed: int,
    device: str,
) -> MeasuredScanners:
    """Cut patches of the ROIs, at IMAGE_MPP and at every other mpp of a model, and measure them.

    Args:
        rois: to cut patches of.
        models: folders of models by name.
        size_px: side of a patch, px at any mpp.
        per_roi: patches per ROI.
        seed: of the patches' places.
        device: where the models run.

    Raises:
        MidogError: as `fixed_patches`, `Detector.load` and `backbone_features` do.
    """
    cuts = {
        IMAGE_MPP: fixed_patches(rois, size_px=size_px, per_roi=per_roi, mpp=IMAGE_MPP, seed=seed)
    }
    features = {}
    for name, folder in models.items():
        detector = Detector.load(folder, device=device)
        if detector.mpp not in cuts:
            cuts[detector.mpp] = fixed_patches(
                rois, size_px=size_px, per_roi=per_roi, mpp=detector.mpp, seed=seed
            )
        own = cuts[detector.mpp]
        features[name] = ScannerFeatures(
            {patches.scanner: backbone_features(detector, patches.images) for patches in own},
            {patches.scanner: patches.patients for patches in own},
        )
    words = describe(cuts[IMAGE_MPP], size_px=size_px, mpp=IMAGE_MPP, seed=seed)
    others = [f"{mpp:g}" for mpp in cuts if mpp != IMAGE_MPP]
    if others:
        words += (
            f"; cut again at {' and '.join(others)} um/px for features of models of that resolution"
        )
    stats = {patches.scanner: image_stats(patches.images) for patches in cuts[IMAGE_MPP]}
    return MeasuredScanners(cuts[IMAGE_MPP], stats, features, words)


def distances_between(
    measured: MeasuredScanners, model: str, pairs: Sequence[tuple[str, str]], *, seed: int
) -> dict[tuple[str, str], Distances]:
    """Image and feature distances of pairs of scanners, the latter in the features of `model`."""
    features = measured.features[model]
    by_features = feature_distances(features.vectors, features.patients, pairs, seed=seed)
    return {
        (a, b): image_distances(measured.stats[a], measured.stats[b]) | by_features[a, b]
        for a, b in pairs
    }


def distances_within(measured: MeasuredScanners, model: str, *, seed: int) -> dict[str, Distances]:
    """The baseline of every distance: that between halves of a scanner's patients.

    Image distances are means over SLOW_DRAWS draws of halves; for the others see
    `feature_distances`. Where there are too few patients they are NaN.

    Returns:
        Distances by scanner.
    """
    features = measured.features[model]
    selves = [(patches.scanner, patches.scanner) for patches in measured.patches]
    by_features = feature_distances(features.vectors, features.patients, selves, seed=seed)
    return {
        patches.scanner: _image_baseline(patches, seed)
        | by_features[patches.scanner, patches.scanner]
        for patches in measured.patches
    }


def _image_baseline(patches: ScannerPatches, seed: int) -> Distances:
    if len(set(patches.patients)) < 2:
        return dict.fromkeys(IMAGE_DISTANCES, math.nan)
    draws = []
    for draw in range(SLOW_DRAWS):
        one, other = halve({"": patches.patients}, draw, seed)[""]
        draws.append(
            image_distances(image_stats(patches.images[one]), image_stats(patches.images[other]))
        )
    return {
        name: float(np.mean([distances[name] for distances in draws])) for name in IMAGE_DISTANCES
    }


def backbone_features(detector: Detector, images: Pixels, batch_size: int = 16) -> Features:
    """Compute the means over a network's feature maps, joined from the finest map to the coarsest.

    The network is in eval mode and in float32 meanwhile, and left as it was.

    Args:
        detector: whose network.
        images: (P, S, S, 3) uint8 RGB at the detector's mpp, shown as its tiles are.
        batch_size: patches at a time; another one moves the features in the last digits only.

    Returns:
        (P, D) float32, D the channels of all maps together.

    Raises:
        DeviceError: where the device runs out of memory.
    """
    assert images.dtype == np.uint8, images.dtype
    assert images.shape[3:] == (3,), images.shape
    model = detector.model
    parts: list[Tensor] = []
    try:
        with _evaluating(model), torch.inference_mode():
            # at least one batch: it decides the number of features even where there are no patches
            for start in range(0, max(len(images), 1), batch_size):
                batch = torch.from_numpy(_filled(images[start : start + batch_size], batch_size))
                maps = model.features(to_float(batch.to(detector.device)))
                means = [level.float().mean(dim=(2, 3)) for level in maps]
                parts.append(torch.cat(means, dim=1).cpu())
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        what = (
            f"{detector.device} is out of memory with {batch_size} patches of {images.shape[1]} px"
            " at a time"
        )
        raise DeviceError(
            what, "close other programs, or use {device}", {"device": "cpu"}
        ) from error
    return torch.cat(parts)[: len(images)].numpy()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """A context in eval mode; afterwards every module, frozen ones too, is in its former mode."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _filled(images: Pixels, size: int) -> Pixels:
    """The patches filled up with white ones to `size`, so that all batches have one shape."""
    white = np.full((size - len(images), *images.shape[1:]), 255, dtype=np.uint8)
    return np.concatenate([images, white])
