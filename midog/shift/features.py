"""What is measured of scanners, in images and in the features of a backbone, and how far apart they
are."""

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
from midog.errors import DeviceError
from midog.inference.detector import Detector
from midog.inference.network import is_out_of_memory
from midog.shift.feature_distances import feature_distances
from midog.shift.halves import SLOW_DRAWS, halve
from midog.shift.images import IMAGE_DISTANCES, ImageStats, image_distances, image_stats
from midog.shift.patches import ScannerPatches, describe, fixed_patches

Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]
Distances = dict[str, float]
"""By the names of IMAGE_DISTANCES and FEATURE_DISTANCES."""

IMAGE_MPP = 0.25
"""um/px of the patches that image statistics are of."""


@dataclass(frozen=True, eq=False)
class ScannerFeatures:
    """What one model makes of patches. vectors: (P, D) by scanner. patients: (P,) of each patch, by
    scanner."""

    vectors: dict[str, Features]
    patients: dict[str, list[str]]


@dataclass(frozen=True, eq=False)
class MeasuredScanners:
    """What scanners look like.

    patches: at 0.25 um/px; stats: of these, by scanner. features: by model, of patches at its own
    mpp. words: how the patches were cut.
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
    """Cut patches of the ROIs, at 0.25 um/px and at that of each model that has another, and see
    what they look like.

    models: their folders by name. size_px: side of a patch at either mpp. Errors as of
    `fixed_patches`, `Detector.load` and `backbone_features`.
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
        features[name] = ScannerFeatures(
            {each.scanner: backbone_features(detector, each.images) for each in cuts[detector.mpp]},
            {each.scanner: each.patients for each in cuts[detector.mpp]},
        )
    words = describe(cuts[IMAGE_MPP], size_px=size_px, mpp=IMAGE_MPP, seed=seed)
    others = [f"{mpp:g}" for mpp in cuts if mpp != IMAGE_MPP]
    if others:
        words += (
            f"; cut again at {' and '.join(others)} um/px for features of models of that resolution"
        )
    stats = {each.scanner: image_stats(each.images) for each in cuts[IMAGE_MPP]}
    return MeasuredScanners(cuts[IMAGE_MPP], stats, features, words)


def distances_between(
    measured: MeasuredScanners, model: str, pairs: Sequence[tuple[str, str]], *, seed: int
) -> dict[tuple[str, str], Distances]:
    """Image and feature distances of pairs of scanners, the latter in the features of that
    model."""
    features = measured.features[model]
    by_features = feature_distances(features.vectors, features.patients, pairs, seed=seed)
    return {
        (a, b): image_distances(measured.stats[a], measured.stats[b]) | by_features[a, b]
        for a, b in pairs
    }


def distances_within(measured: MeasuredScanners, model: str, *, seed: int) -> dict[str, Distances]:
    """The baseline of each distance: that between halves of a scanner's patients, NaN where these
    are too few.

    Image distances are means over SLOW_DRAWS draws of halves; for the others see
    `feature_distances`.
    """
    features = measured.features[model]
    selves = [(each.scanner, each.scanner) for each in measured.patches]
    by_features = feature_distances(features.vectors, features.patients, selves, seed=seed)
    return {
        each.scanner: _image_baseline(each, seed) | by_features[each.scanner, each.scanner]
        for each in measured.patches
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
    return {name: float(np.mean([each[name] for each in draws])) for name in IMAGE_DISTANCES}


def backbone_features(detector: Detector, images: Pixels, batch_size: int = 16) -> Features:
    """The mean over each map that the backbone's body returns, joined from the finest map to the
    coarsest.

    images: (P, S, S, 3) uint8 RGB at the model's mpp. They are scaled, normalised and padded as the
    detector's tiles are, and shown in float32. The model is in eval mode meanwhile.
    batch_size: patches at a time; another one moves the features in the last digits only.
    Returns (P, D) float32, D the channels of all maps together.
    Raises DeviceError where the device runs out of memory.
    """
    assert images.dtype == np.uint8, images.dtype
    assert images.shape[3:] == (3,), images.shape
    model = detector.model
    parts: list[Tensor] = []
    try:
        with _evaluating(model), torch.inference_mode():
            # One batch at least: without patches, too, it tells how many features there are.
            for start in range(0, max(len(images), 1), batch_size):
                batch = torch.from_numpy(_filled(images[start : start + batch_size], batch_size))
                maps = model.features(to_float(batch.to(detector.device)))
                means = [level.float().mean(dim=(2, 3)) for level in maps]
                parts.append(torch.cat(means, dim=1).cpu())
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        what = (
            f"{detector.device} is out of memory with {batch_size} patches of {images.shape[1]} px"
            " at a time"
        )
        raise DeviceError(what, "close other programs, or use --device cpu") from error
    return torch.cat(parts)[: len(images)].numpy()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards every module is in the mode that it had, frozen ones too."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _filled(images: Pixels, size: int) -> Pixels:
    """`size` patches: the given ones, then white ones, so that all batches have one shape."""
    white = np.full((size - len(images), *images.shape[1:]), 255, dtype=np.uint8)
    return np.concatenate([images, white])
