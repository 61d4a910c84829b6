"""From locations to uint8 batches: ROIs decoded once (to memory, disk or the device), patches cut by threads."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.boxes import Boxes
from midog.config import RunConfig, SamplingConfig
from midog.data.annotations import Roi
from midog.data.augment import Target
from midog.data.sampling import Field, Location, epoch_length, locations, targets_of, validation_locations
from midog.data.slides import decode, open_image, scale_for
from midog.errors import DataError, ImageError

Residency = Literal["device", "memory", "disk"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches of one step.

    images: (B, S, S, 3) uint8. targets: one per patch, on the CPU. locations: where they were cut.
    indices: their draws in the epoch, from which the augmentation takes its random numbers.
    """

    images: Tensor
    targets: list[Target]
    locations: list[Location]
    indices: list[int]


@dataclass(frozen=True, eq=False)
class Pixels:
    """ROIs in memory, on disk or on a device, in px of the model's mpp.

    images: uint8 (H, W, 3), arrays or (residency 'device') tensors. fields: the same ROIs as the sampler sees them.
    mpp: um/px of each of `images`.
    """

    images: list[Any]
    fields: list[Field]
    mpp: list[float]
    rois: list[Roi]


def roi_mpp(roi: Roi, found: float | None) -> float:
    """um/px of an ROI: what its split or annotation states, else what its file states (`found`)."""
    mpp = roi.mpp if roi.mpp is not None else found
    if mpp is None:
        raise ImageError(f"{roi.file_name}: no mpp is known", "add a column `mpp` (um/px) to the split")
    return mpp


def load_pixels(rois: Sequence[Roi], config: RunConfig, device: torch.device | None = None) -> Pixels:
    """Decode ROIs (once: later runs map the cache) and bring them to the model's mpp.

    Raises ImageError for a file that cannot be read or has no mpp, DataError where its size is not the annotated one.
    """
    residency = resolve_residency(rois, config, device)
    with ThreadPoolExecutor(max(config.train.workers, 1)) as pool:
        loaded = list(pool.map(lambda roi: _load(roi, config, residency), rois))
    images = [image if residency != "device" else torch.from_numpy(image.copy()).to(device) for image, _, _ in loaded]
    return Pixels(images, [field for _, field, _ in loaded], [mpp for _, _, mpp in loaded], list(rois))


def resolve_residency(rois: Sequence[Roi], config: RunConfig, device: torch.device | None) -> Residency:
    """Where `residency: auto` puts these ROIs: on a CUDA device if they take less than half of what is free there,
    else in the cache folder (the system keeps what it has room for in memory), else, without a cache, in memory."""
    wanted = config.train.residency
    if wanted != "auto":
        return wanted
    need = sum(3 * roi.width * roi.height if roi.width and roi.height else math.inf for roi in rois)
    if device is not None and device.type == "cuda" and 2 * need < torch.cuda.mem_get_info(device)[0]:
        return "device"
    return "disk" if config.data.cache else "memory"


def _load(roi: Roi, config: RunConfig, residency: Residency) -> tuple[NDArray[np.uint8], Field, float]:
    if roi.path is None:
        raise DataError(f"{roi.file_name}: its image is missing", "put it into the data folder's images/")
    with open_image(roi.path) as image:
        width, height, found = image.width, image.height, image.mpp
    if roi.width is not None and (roi.width, roi.height) != (width, height):
        raise DataError(
            f"{roi.file_name} is {width}x{height} px, its annotation says {roi.width}x{roi.height}",
            "get the image that the annotation belongs to; `midog data check` lists all of them",
        )
    mpp = roi_mpp(roi, found)
    scale = scale_for(mpp, config.data.mpp)
    pixels = decode(roi.path, scale=scale, cache=config.data.cache)
    if residency == "memory":
        pixels = np.array(pixels)
    boxes = Boxes(roi.boxes.xyxy * np.float32(scale), roi.boxes.labels)
    return pixels, Field(pixels.shape[1], pixels.shape[0], boxes, roi.scanner), mpp / scale


def cut(image: Any, x: int, y: int, side: int, out: Any) -> None:
    """Copy the patch at x, y into `out` (side, side, 3) uint8, white beyond the image's edge."""
    height, width = image.shape[:2]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if (right - left, bottom - top) != (side, side):
        out[:] = 255
    if right > left and bottom > top:
        out[top - y : bottom - y, left - x : right - x] = image[top:bottom, left:right]


def cut_batch(pixels: Pixels, spots: Sequence[Location], indices: Sequence[int], config: SamplingConfig) -> Batch:
    """The patches and targets of some locations."""
    side = config.patch_size
    on_device = bool(pixels.images) and isinstance(pixels.images[0], Tensor)
    device = pixels.images[0].device if on_device else None
    images = torch.empty((len(spots), side, side, 3), dtype=torch.uint8, device=device)
    view = images if on_device else images.numpy()
    for patch, spot in zip(view, spots, strict=True):
        cut(pixels.images[spot.roi], spot.x, spot.y, side, patch)
    found = [targets_of(pixels.fields[spot.roi].boxes, spot.x, spot.y, config) for spot in spots]
    targets = [
        Target(boxes=torch.from_numpy(t.boxes), labels=torch.from_numpy(t.labels), ignore=torch.from_numpy(t.ignore))
        for t in found
    ]
    return Batch(images, targets, list(spots), list(indices))


def batches_per_epoch(pixels: Pixels, config: RunConfig, world: int = 1) -> int:
    """Steps of an epoch on `world` ranks together; the last may hold fewer patches."""
    return -(-epoch_length(pixels.fields, config.sampling) // (config.train.batch_size * world))


def rank_indices(total: int, batch_size: int, step: int, rank: int, world: int) -> list[int]:
    """Draws that a rank takes at a step: together the ranks take `batch_size * world` draws in a row.

    In the last step a rank that would be left without one repeats the step's first, so that no rank waits for ever.
    """
    whole = range(step * batch_size * world, min((step + 1) * batch_size * world, total))
    return list(whole[rank::world]) or [whole[0]]


def training_batches(
    pixels: Pixels, config: RunConfig, epoch: int, *, start: int = 0, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """Batches of one epoch from step `start` on, in order; the same for any number of `train.workers`."""
    total = epoch_length(pixels.fields, config.sampling)
    size, seed = config.train.batch_size, config.train.seed

    def make(step: int) -> Batch:
        indices = rank_indices(total, size, step, rank, world)
        spots = locations(pixels.fields, config.sampling, seed, epoch, indices)
        return cut_batch(pixels, spots, indices, config.sampling)

    yield from _ahead(make, range(start, batches_per_epoch(pixels, config, world)), config.train.workers)


def validation_batches(pixels: Pixels, config: RunConfig) -> Iterator[Batch]:
    """Batches of the fixed validation patches, the same at every call."""
    spots = validation_locations(pixels.fields, config.sampling, config.train.seed)
    size = config.train.batch_size

    def make(step: int) -> Batch:
        part = range(step * size, min((step + 1) * size, len(spots)))
        return cut_batch(pixels, [spots[i] for i in part], part, config.sampling)

    yield from _ahead(make, range(-(-len(spots) // size)), config.train.workers)


def _ahead(make: Any, steps: range, workers: int) -> Iterator[Batch]:
    """make(step) for each step, in order; `workers` threads work up to two batches each ahead of the reader."""
    if workers == 0:
        yield from map(make, steps)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[Batch]] = deque()
        for step in steps:
            waiting.append(pool.submit(make, step))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
