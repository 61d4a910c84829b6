"""Patches through both forms of augmentation: OpenCV's, patch by patch, and the device's."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.draw import augmentation_of, draw_numbers, ops_with_references
from midog.augment.on_cpu import Scratch, augment_patch, patch_by_patch
from midog.augment.on_device import augment
from midog.augment.ops import OPS
from midog.config.schema import AugmentSettings, augment_settings
from tests.augment.reference_pixels import Painted


def usual(name: str) -> object:
    """A setting at which an op does something to most patches."""
    return {"flip": True, "stain": 0.3, "brightness": 0.2, "blur": 1.0}.get(name, OPS[name].example)


def only(name: str = "", setting: object = None) -> AugmentSettings:
    """All ops off but one, at a setting or at its usual one."""
    off = {other: False if OPS[other].setting is bool else 0 for other in ("flip", "stain")}
    settings = {**off, "brightness": 0, "blur": 0}
    if name:
        settings[name] = usual(name) if setting is None else setting
    return augment_settings()(**settings)


def references_for(settings: AugmentSettings, side: int = 64) -> dict[str, object]:
    """What the ops that are on take from two made-up scanners."""
    return {
        name: OPS[name].references(Painted(side), getattr(settings, name))
        for name in ops_with_references(settings)
    }


def colours(count: int, side: int = 64, seed: int = 1) -> torch.Tensor:
    """Patches of every colour, black and white among them."""
    images = torch.randint(
        0, 256, (count, side, side, 3), generator=torch.Generator().manual_seed(seed)
    )
    images[:, :4], images[:, 4:8] = 0, 255
    return images.to(torch.uint8)


def by_cpu(images, settings, numbers=None, references=None) -> np.ndarray:
    """(B, S, S, 3) uint8."""
    numbers = draw_numbers(0, 2, range(len(images))) if numbers is None else numbers
    scratch, out = Scratch(images.shape[1]), np.empty(images.shape, np.uint8)
    steps = patch_by_patch(augmentation_of(numbers, settings, references), len(images))
    for step, patch, place in zip(steps, images, out, strict=True):
        augment_patch(scratch, step, patch.numpy(), place)
    return out


def by_device(images, settings, numbers=None, references=None) -> np.ndarray:
    """(B, S, S, 3) float64 in grey levels, not rounded."""
    numbers = draw_numbers(0, 2, range(len(images))) if numbers is None else numbers
    light = augment(images, augmentation_of(numbers, settings, references))
    return 255 * light.permute(0, 2, 3, 1).double().numpy()
