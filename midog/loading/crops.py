"""Crops around points as a source of batches: the network sees what is at a place, not where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple, NotRequired, Protocol, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.draw import Augmentation, augmentation_of, draw_numbers, of_pixels_alone
from midog.augment.on_cpu import Scratch, augment_patch, opencv_on_one_thread, patch_by_patch
from midog.augment.on_device import turn_images
from midog.boxes import IntArray
from midog.config.schema import AugmentSettings
from midog.images.pixels import Pixels, crop_mirrored, crop_on_white
from midog.images.tiff_mapped import AnyPixels, crop_into
from midog.random_streams import generator, generators

Border = Literal["mirrored", "white"]
"""What a crop shows beyond the image's edge."""


class CropTargets(TypedDict):
    """Targets of B crops.

    labels: (B,) int64, the class, from 0. numbers: (B,) int64, which place of the source it is.
    masks: (B, side, side) uint8, 0 or 1, where the source has masks.
    """

    labels: Tensor
    numbers: Tensor
    masks: NotRequired[Tensor]


class CropLocation(NamedTuple):
    """The crop of place `number` with its upper left corner at x, y, px of the resampled image."""

    number: int
    x: int
    y: int


@dataclass(frozen=True, eq=False)
class Places:
    """Where crops are cut.

    images: (N,) int64, number of the image of each. centres: (N, 2) float64 x y, px of the images
    as they are cut from. labels: (N,) int64, the class of each, from 0.
    """

    images: IntArray
    centres: NDArray[np.float64]
    labels: IntArray

    def __len__(self) -> int:
        return len(self.images)


class Drawn(NamedTuple):
    """The crop of place `number`, shifted by `across` and `down`, px."""

    number: int
    across: float
    down: float


class Drawing(Protocol):
    """How the crops of an epoch are drawn.

    length: draws of an epoch.
    """

    @property
    def length(self) -> int: ...

    def drawn(self, seed: int, epoch: int, indices: Sequence[int]) -> Iterator[Drawn]:
        """Yield the place of each draw of an epoch, and how far its crop is shifted."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Places drawn with replacement from groups; a `Drawing`.

    groups: numbers of places, none empty. shares: of the draws that fall on each group, 1 together.
    length: draws of an epoch. jitter: largest shift of a crop's centre along x and y, px.
    """

    groups: Sequence[IntArray]
    shares: Sequence[float]
    length: int
    jitter: float

    def drawn(self, seed: int, epoch: int, indices: Sequence[int]) -> Iterator[Drawn]:
        """Yield the place of each draw of an epoch, and how far its crop is shifted."""
        bounds = np.cumsum(self.shares)[:-1]
        for rng in generators(seed, "train", epoch, indices):
            group = self.groups[int(np.searchsorted(bounds, rng.random(), side="right"))]
            number = int(group[rng.integers(len(group))])
            across, down = (self.jitter * (2 * rng.random(2) - 1)).tolist()
            yield Drawn(number, across, down)


@dataclass(frozen=True, eq=False)
class Passes:
    """All places in random order, pass after pass; a `Drawing`.

    No place comes again before all others have come. Each epoch begins a pass.

    count: of the places. length: draws of an epoch. jitter: as of `Draws`.
    """

    count: int
    length: int
    jitter: float
    _orders: dict[tuple[int, int, int], IntArray] = field(default_factory=dict, repr=False)

    def drawn(self, seed: int, epoch: int, indices: Sequence[int]) -> Iterator[Drawn]:
        """Yield the place of each draw of an epoch, and how far its crop is shifted."""
        if not self.jitter:
            yield from (Drawn(self._place(seed, epoch, index), 0, 0) for index in indices)
            return
        for index, rng in zip(indices, generators(seed, "train", epoch, indices), strict=True):
            across, down = (self.jitter * (2 * rng.random(2) - 1)).tolist()
            yield Drawn(self._place(seed, epoch, index), across, down)

    def _place(self, seed: int, epoch: int, index: int) -> int:
        key = seed, epoch, index // self.count
        order = self._orders.get(key)
        if order is None:
            order = generator(seed, "order", epoch, key[2]).permutation(self.count)
            for other in [one for one in list(self._orders) if one[:2] != key[:2]]:
                self._orders.pop(other, None)  # of an epoch that is over
            self._orders[key] = order
        return int(order[index % self.count])


@dataclass(frozen=True, eq=False)
class CropSource:
    """Square crops of images, centred on places; a `Source`.

    images: (H, W, 3) uint8 each. places: where they are cut. side: px. border: beyond the edges.
    draws: how an epoch draws from the places; None: every place once, in order, as it is. augment:
    what is done to the crops that are drawn, of the ops that need a crop's pixels alone. scratch:
    where threads augment the crops that they cut; None: it is left to the device. masks: (H, W, 1)
    uint8, 0 or 1, of each image; None: targets have none.
    """

    images: Sequence[AnyPixels]
    places: Places
    side: int
    border: Border
    draws: Drawing | None = None
    augment: AugmentSettings | None = None
    scratch: Scratch | None = None
    masks: Sequence[Pixels] | None = None

    @property
    def view_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of a crop."""
        return ((self.side, self.side, 3),)

    def __len__(self) -> int:
        return len(self.places) if self.draws is None else self.draws.length

    def locations(self, seed: int, epoch: int) -> Callable[[Sequence[int]], list[CropLocation]]:
        """Return the function from an epoch's draws to locations."""
        draws = self.draws
        if draws is None:
            return lambda indices: [self._at(index, 0, 0) for index in indices]
        return lambda indices: [self._at(*one) for one in draws.drawn(seed, epoch, indices)]

    def augmentation(
        self, seed: int, epoch: int, indices: Sequence[int], locations: Sequence[CropLocation]
    ) -> Augmentation | None:
        """Return what is done to the crops of some draws."""
        if self.augment is None:
            return None
        numbers = draw_numbers(seed, epoch, indices)
        return augmentation_of(numbers, of_pixels_alone(self.augment))

    def pixels(
        self,
        locations: Sequence[CropLocation],
        augmentation: Augmentation | None,
        out: Sequence[Tensor],
    ) -> tuple[tuple[Tensor, ...], Augmentation | None]:
        """Cut crops; augment them where that is done by threads."""
        crops = out[0].numpy()
        if self.scratch is None or augmentation is None:
            for place, crop in zip(locations, crops, strict=True):
                self._cut(place, crop)
            return (out[0],), augmentation
        steps = patch_by_patch(augmentation, len(locations))
        for place, crop, step in zip(locations, crops, steps, strict=True):
            self._cut(place, self.scratch.patch)
            augment_patch(self.scratch, step, self.scratch.patch, crop)
        return (out[0],), None

    def targets(
        self, locations: Sequence[CropLocation], augmentation: Augmentation | None
    ) -> CropTargets:
        """Return the classes of crops, which no augmentation changes, and their masks."""
        numbers = np.array([place.number for place in locations], np.int64)
        labels = self.places.labels[numbers]
        targets = CropTargets(labels=torch.from_numpy(labels), numbers=torch.from_numpy(numbers))
        if self.masks is not None:
            targets["masks"] = self._masks_at(self.masks, locations, augmentation)
        return targets

    def cutting(self) -> AbstractContextManager[object]:
        """Keep OpenCV to the threads that cut crops, where they use it."""
        return nullcontext() if self.scratch is None else opencv_on_one_thread()

    def cut(self, number: int, out: Pixels) -> None:
        """Write the crop around a place into `out` (side, side, 3) uint8, as it is."""
        self._cut(self._at(number, 0, 0), out)

    def _at(self, number: int, across: float, down: float) -> CropLocation:
        x, y = self.places.centres[number].tolist()
        corner = crop_corner(x + across, y + down, self.side)
        return CropLocation(number, *corner)

    def _masks_at(
        self,
        masks: Sequence[Pixels],
        locations: Sequence[CropLocation],
        augmentation: Augmentation | None,
    ) -> Tensor:
        """The masks of crops, (B, side, side) uint8, moved as their crops are."""
        cut = np.empty((len(locations), self.side, self.side, 1), np.uint8)
        for place, out in zip(locations, cut, strict=True):
            self._cut_mask(masks, place, out)
        moved = torch.from_numpy(cut)
        if augmentation is not None and augmentation.flips is not None:
            moved = turn_images(moved, augmentation.flips)
        for op, parameters in () if augmentation is None else augmentation.steps:
            if op.move_boxes is not None and op.on_device is not None:
                # what such an op moves is light, and beyond the edge there is nothing but light
                light = op.on_device(1 - moved.permute(0, 3, 1, 2).float(), parameters)
                moved = (light < 0.5).permute(0, 2, 3, 1)
        return moved[..., 0].to(torch.uint8).contiguous()

    def _cut_mask(self, masks: Sequence[Pixels], place: CropLocation, out: Pixels) -> None:
        mask = masks[self.places.images[place.number]]
        size = mask.shape[1], mask.shape[0]
        crop_mirrored(size, partial(crop_into, mask), place.x, place.y, out)

    def _cut(self, place: CropLocation, out: Pixels) -> None:
        image = self.images[self.places.images[place.number]]
        size = image.shape[1], image.shape[0]
        cut_crop(size, partial(crop_into, image), place.x, place.y, self.border, out)


def crop_corner(x: float, y: float, side: int) -> tuple[int, int]:
    """Return the upper left corner of a crop whose centre is nearest to a point.

    Args:
        x, y: The point; a px reaches from its number to the next.
        side: Of the crop, px.

    Returns:
        Whole px, so that corner + side / 2 is at most half a px from the point; of two that are as
        near, the one to the right or below.
    """
    return math.floor(x - side / 2 + 0.5), math.floor(y - side / 2 + 0.5)


def cut_crop(
    size: tuple[int, int],
    read_into: Callable[[int, int, Pixels], None],
    x: int,
    y: int,
    border: Border,
    out: Pixels,
) -> None:
    """Fill `out` with a crop anywhere in or beyond an image.

    Args:
        size, read_into, x, y: As of `crop_on_white`.
        border: What is beyond the image's edges.
        out: (side, side, 3) uint8, overwritten.
    """
    cut = crop_mirrored if border == "mirrored" else crop_on_white
    cut(size, read_into, x, y, out)
