"""From locations to uint8 batches: ROIs decoded once (to memory, disk or the device), patches cut
by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.on_cpu import Workbench, augment_patch, look_by_look, opencv_on_one_thread
from midog.augment.on_device import Looks, draw_numbers, looks_of, turns_of
from midog.boxes import Boxes
from midog.config.schema import RunConfig
from midog.data.roi import Roi
from midog.devices import machine_memory
from midog.errors import DataError, ImageError
from midog.images.decode import decode
from midog.images.image import open_image, scale_for
from midog.images.pixels import crop_on_white
from midog.images.tiff_mapped import AnyPixels, crop_into, warm
from midog.loading.box_targets import Targets, Taught, batch_targets, taught_by
from midog.loading.buffers import Ring, RingKind
from midog.loading.locations import (
    Field,
    Location,
    epoch_length,
    locations,
    roi_order,
    validation_locations,
)
from midog.loading.placement import Residency, bytes_of, resolve_residency
from midog.loading.rois_on_device import Resident, to_resident


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches of one step, valid until the next batch is asked for: then their memory is used again
    (see `Ring`).

    images: (B, S, S, 3) uint8, on the CPU, or on the device where the ROIs are. targets: on the
    CPU, turned already as the patches are or are to be. indices: their draws in the epoch. looks:
    the augmentation that the device is to do.
    """

    images: Tensor
    targets: Targets
    indices: list[int]
    looks: Looks | None = None

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, eq=False)
class Pixels:
    """ROIs in memory, on disk or on a device, in px of the model's mpp.

    images: uint8 (H, W, 3), arrays or (residency 'device') tensors. fields: the same ROIs as the
    sampler sees them.
    mpp: um/px of each of `images`. resident: the same pixels as one buffer, with residency
    'device'. rings: memory for batches, between one pass over the ROIs and the next.
    """

    images: list[Any]
    fields: list[Field]
    mpp: list[float]
    rois: list[Roi]
    resident: Resident | None = None
    rings: dict[RingKind, Ring] = field(default_factory=dict)


def roi_mpp(roi: Roi, found: float | None) -> float:
    """um/px of an ROI: what its split or annotation states, else what its file states (`found`)."""
    mpp = roi.mpp if roi.mpp is not None else found
    if mpp is None:
        raise ImageError(
            f"{roi.file_name}: no mpp is known", "add a column `mpp` (um/px) to the split"
        )
    return mpp


def load_pixels(
    rois: Sequence[Roi], config: RunConfig, device: torch.device | None = None
) -> Pixels:
    """Decode ROIs (once: later runs map the cache) and bring them to the model's mpp.

    Raises ImageError for a file that cannot be read or has no mpp, DataError where its size is not
    the annotated one.
    """
    residency = resolve_residency(rois, config, device)
    ahead = residency == "disk" and 2 * bytes_of(rois, config) < machine_memory()
    with ThreadPoolExecutor(max(config.machine.workers, 1)) as pool:
        loaded = list(pool.map(lambda roi: _load(roi, config, residency, ahead), rois))
    images: list[Any] = [image for image, _, _ in loaded]
    resident = None
    if residency == "device":
        resident = to_resident(images, config.sampling.patch_size, device or torch.device("cpu"))
        images = resident.images()
    return Pixels(
        images,
        [field for _, field, _ in loaded],
        [mpp for _, _, mpp in loaded],
        list(rois),
        resident,
    )


def _load(
    roi: Roi, config: RunConfig, residency: Residency, ahead: bool
) -> tuple[AnyPixels, Field, float]:
    if roi.path is None:
        raise DataError(
            f"{roi.file_name}: its image is missing", "put it into the data folder's images/"
        )
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
    elif ahead:
        warm(pixels)
    boxes = Boxes(roi.boxes.xyxy * np.float32(scale), roi.boxes.labels)
    return pixels, Field(pixels.shape[1], pixels.shape[0], boxes, roi.scanner), mpp / scale


def cut(image: AnyPixels, x: int, y: int, side: int, out: NDArray[np.uint8]) -> None:
    """Copy the patch at x, y into `out` (side, side, 3) uint8, white beyond the image's edge."""
    crop_on_white(
        (image.shape[1], image.shape[0]), partial(crop_into, image), x, y, out[:side, :side]
    )


def _seen(image: AnyPixels, x: int, y: int, spare: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The patch at x, y: a view of its ROI where that is possible, else cut into `spare` (side,
    side, 3)."""
    side = len(spare)
    inside = min(x, y) >= 0 and y + side <= image.shape[0] and x + side <= image.shape[1]
    if inside and isinstance(image, np.ndarray):
        return image[y : y + side, x : x + side]
    cut(image, x, y, side, spare)
    return spare


def batches_per_epoch(pixels: Pixels, config: RunConfig, world: int = 1) -> int:
    """Steps of an epoch on `world` ranks together; the last may hold fewer patches."""
    return -(-epoch_length(pixels.fields, config.sampling) // (config.train.batch_size * world))


def rank_indices(total: int, batch_size: int, step: int, rank: int, world: int) -> list[int]:
    """Draws that a rank takes at a step: together the ranks take `batch_size * world` draws in a
    row.

    In the last step a rank that would be left without one repeats the step's first, so that no rank
    waits for ever.
    """
    whole = range(step * batch_size * world, min((step + 1) * batch_size * world, total))
    return list(whole[rank::world]) or [whole[0]]


def augments_on_cpu(pixels: Pixels, config: RunConfig, device: torch.device | None) -> bool:
    """Whether the threads that cut patches also augment them: never where ROIs live on the
    device."""
    if pixels.resident is not None:
        return False
    wanted = config.machine.augment_on
    return wanted == "cpu" or (wanted == "auto" and (device is None or device.type == "cpu"))


def training_batches(
    pixels: Pixels,
    config: RunConfig,
    epoch: int,
    *,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
    device: torch.device | None = None,
) -> Iterator[Batch]:
    """Batches of one epoch from step `start` on, in order; the same for any number of
    `machine.workers`.

    device: where they are going; None: they stay on the CPU. A batch is valid until the next one is
    asked for.
    """
    total, size, seed = (
        epoch_length(pixels.fields, config.sampling),
        config.train.batch_size,
        config.train.seed,
    )
    order = roi_order(pixels.fields, config.sampling, seed, epoch)
    on_cpu = augments_on_cpu(pixels, config, device)
    cutter = _cutter(
        pixels, config, device, Workbench(config.sampling.patch_size) if on_cpu else None
    )

    def make(step: int) -> Batch:
        indices = rank_indices(total, size, step, rank, world)
        spots = locations(pixels.fields, config.sampling, seed, epoch, indices, order)
        return cutter.batch(step, spots, indices, draw_numbers(seed, epoch, indices))

    with opencv_on_one_thread() if on_cpu else nullcontext():
        yield from _ahead(
            make,
            range(start, batches_per_epoch(pixels, config, world)),
            config.machine.workers,
            cutter.ring,
        )
    cutter.give_back()


def validation_batches(
    pixels: Pixels, config: RunConfig, device: torch.device | None = None
) -> Iterator[Batch]:
    """Batches of the fixed validation patches, the same at every call, not augmented; else as
    `training_batches`."""
    spots = validation_locations(pixels.fields, config.sampling, config.train.seed)
    size, cutter = config.train.batch_size, _cutter(pixels, config, device, None)

    def make(step: int) -> Batch:
        part = range(step * size, min((step + 1) * size, len(spots)))
        return cutter.batch(step, [spots[i] for i in part], list(part), None)

    yield from _ahead(make, range(-(-len(spots) // size)), config.machine.workers, cutter.ring)
    cutter.give_back()


@dataclass(frozen=True, eq=False)
class _Cutter:
    """Makes batches, from any thread. ring: where to, if not on the device. bench: where patches
    are augmented."""

    pixels: Pixels
    config: RunConfig
    taught: Taught
    ring: Ring
    bench: Workbench | None

    def batch(
        self,
        step: int,
        spots: Sequence[Location],
        indices: list[int],
        numbers: NDArray[np.float32] | None,
    ) -> Batch:
        """The patches at `spots`; numbers: (B, DRAWS) of `draw_numbers`, None: they stay as they
        are."""
        sampling, settings, resident = (
            self.config.sampling,
            self.config.augment,
            self.pixels.resident,
        )
        turns = None if numbers is None else turns_of(numbers, settings)
        targets = batch_targets(self.taught, spots, sampling, turns)
        looks = None if numbers is None else looks_of(numbers, settings)
        if resident is not None:
            places, inside = resident.places(spots)
            # enqueued by this thread on the device's default stream, and so before whatever the
            # reader does there
            images = resident.gather(self.ring.pinned(places), inside)
        else:
            images = self.ring.slot(step)[: len(spots)]
            looks = self._cut(spots, images.numpy(), looks)
        boxes, labels, ignore = (
            self.ring.pinned(targets[key]) for key in ("boxes", "labels", "ignore")
        )
        return Batch(
            images,
            Targets(boxes=boxes, labels=labels, ignore=ignore),
            indices,
            looks and looks.moved(self.ring.pinned),
        )

    def _cut(
        self, spots: Sequence[Location], out: NDArray[np.uint8], looks: Looks | None
    ) -> Looks | None:
        """Cut the patches into `out`, augmented if there is a bench; returns what is left for the
        device to do."""
        side, images = self.config.sampling.patch_size, self.pixels.images
        if self.bench is None or looks is None:
            for spot, patch in zip(spots, out, strict=True):
                cut(images[spot.roi], spot.x, spot.y, side, patch)
            return looks
        for spot, patch, look in zip(spots, out, look_by_look(looks, len(spots)), strict=True):
            augment_patch(
                self.bench, look, _seen(images[spot.roi], spot.x, spot.y, self.bench.patch), patch
            )
        return None

    def give_back(self) -> None:
        """Keep the ring for the next pass; not where the reader stopped early, as it may still read
        its last batch."""
        self.pixels.rings[self.ring.kind] = self.ring


def _cutter(
    pixels: Pixels, config: RunConfig, device: torch.device | None, bench: Workbench | None
) -> _Cutter:
    # in use at once: the batch that is read, and the two of each thread that are made or waiting
    slots = 0 if pixels.resident is not None else 2 * config.machine.workers + 1
    side = config.sampling.patch_size
    kind = (slots, (config.train.batch_size, side, side, 3), device)
    ring = pixels.rings.pop(kind, None) or Ring(*kind)
    return _Cutter(pixels, config, taught_by(pixels.fields, config.sampling), ring, bench)


def _ahead(make: Callable[[int], Batch], steps: range, workers: int, ring: Ring) -> Iterator[Batch]:
    """make(step) for each step, in order; `workers` threads work up to two batches each ahead of
    the reader."""
    if workers == 0:
        for step in steps:
            yield make(step)
            ring.release(step)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[Batch]] = deque(
            pool.submit(make, step) for step in steps[: 2 * workers + 1]
        )
        for step in steps:
            yield waiting.popleft().result()
            ring.release(step)
            if step + 2 * workers + 1 < steps.stop:
                waiting.append(pool.submit(make, step + 2 * workers + 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
