"""Where decoded ROIs live while a run learns: on the device, in memory or on disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch

from midog.config.schema import RunConfig
from midog.data.roi import Roi
from midog.errors import ConfigError
from midog.images.image import scale_for

Residency = Literal["device", "memory", "disk"]


def resolve_residency(
    rois: Sequence[Roi], config: RunConfig, device: torch.device | None
) -> Residency:
    """Where `residency: auto` puts these ROIs: on a CUDA device if they take less than half of what
    is free there (and are to be augmented there), else in the cache folder (the system keeps what
    it has room for in memory), else, without a cache, in memory. A CPU's own memory is 'memory',
    unless patches are augmented as on a device.

    Raises ConfigError where ROIs are to live on a GPU and the CPU is to augment.
    """
    wanted, augment_on = config.machine.residency, config.machine.augment_on
    on_cpu = device is None or device.type == "cpu"
    if wanted == "device" and on_cpu and augment_on != "device":
        return "memory"
    if wanted == "device" and augment_on == "cpu":
        raise ConfigError(
            "machine.residency=device leaves no pixels for machine.augment_on=cpu",
            "set machine.residency=memory or disk",
        )
    if wanted != "auto":
        return wanted
    cuda = device is not None and device.type == "cuda" and augment_on != "cpu"
    if cuda and 2 * bytes_of(rois, config) < torch.cuda.mem_get_info(device)[0]:
        return "device"
    return "disk" if config.data.cache else "memory"


def bytes_of(rois: Sequence[Roi], config: RunConfig) -> float:
    """Of the pixels at the model's mpp, infinite where a size is not stated; where no mpp is, it is
    taken to fit."""
    scales = [scale_for(roi.mpp, config.data.mpp) if roi.mpp else 1.0 for roi in rois]
    sizes = [3 * roi.width * roi.height if roi.width and roi.height else math.inf for roi in rois]
    return sum(size * scale**2 for size, scale in zip(sizes, scales, strict=True))
