"""Where decoded ROIs live during a training: on the device, in memory or on disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch

from midog.config.schema import DataSettings, MachineSettings
from midog.data.roi import Roi
from midog.errors import ConfigError
from midog.mpp import as_mpp, scale_for

Placement = Literal["device", "memory", "disk"]


def choose_placement(
    rois: Sequence[Roi], data: DataSettings, machine: MachineSettings, device: torch.device | None
) -> Placement:
    """Choose where ROIs live.

    `residency: auto` puts them on a CUDA device if they take less than half of what is free there
    (and are to be augmented there), else into the cache folder (the system keeps what it has room
    for in memory), else, without a cache, into memory. A CPU's own memory is 'memory', unless
    patches are augmented as on a device.

    Args:
        rois: Not decoded yet.
        data: mpp of the model, and whether there is a cache.
        machine: What is requested.
        device: Of the training; None: the CPU.

    Raises:
        ConfigError: ROIs are to live on a GPU and the CPU is to augment.
    """
    requested, augment_on = machine.residency, machine.augment_on
    on_cpu = device is None or device.type == "cpu"
    if requested == "device" and on_cpu and augment_on != "device":
        return "memory"
    if requested == "device" and augment_on == "cpu":
        raise ConfigError(
            "machine.residency=device leaves no pixels for machine.augment_on=cpu",
            "set {machine.residency} or disk",
            {"machine.residency": "memory"},
        )
    if requested != "auto":
        return requested
    cuda = device is not None and device.type == "cuda" and augment_on != "cpu"
    if cuda and 2 * bytes_of(rois, data.mpp) < torch.cuda.mem_get_info(device)[0]:
        return "device"
    return "disk" if data.cache else "memory"


def bytes_of(rois: Sequence[Roi], mpp: float) -> float:
    """Return the bytes that the pixels of ROIs take at a model's mpp.

    Infinite where a size is not stated; an ROI without an mpp is taken to be of the model's.
    """
    stated = [as_mpp(roi.mpp) for roi in rois]
    scales = [(1.0, 1.0) if own is None else scale_for(own, mpp) for own in stated]
    sizes = [3 * roi.width * roi.height if roi.width and roi.height else math.inf for roi in rois]
    return sum(size * scale[0] * scale[1] for size, scale in zip(sizes, scales, strict=True))
