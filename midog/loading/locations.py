"""Where to look: which patch of which ROI a draw takes, as a pure function of (seed, epoch, index).

An epoch is a list of draws. Who draws them (how many threads, ranks or restarts) changes nothing,
since each draw has random numbers of its own: Philox is counter-based (Salmon et al., 'Parallel
random numbers: as easy as 1, 2, 3', SC 2011), so (stream, epoch, index) is simply its counter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes
from midog.config.schema import SamplingSettings
from midog.random_streams import generator, generators

ANYWHERE = 0
"""What a draw sought: ANYWHERE, MITOTIC_FIGURE (1) or IMPOSTER (2)."""


@dataclass(frozen=True, eq=False)
class Field:
    """An ROI as the sampler sees it, in px of the model's mpp.

    width, height: px. boxes: figures, px. scanner: the domain it belongs to.
    """

    width: int
    height: int
    boxes: Boxes
    scanner: str = ""

    @cached_property
    def sights(self) -> dict[int, list[list[float]]]:
        """By class, the boxes of which something lies in the image, cut to it: what lies beyond
        cannot be shown."""
        cut = self.boxes.xyxy.clip(0, np.array([self.width, self.height] * 2, dtype=np.float32))
        seen = (cut[:, 2] - cut[:, 0]) * (cut[:, 3] - cut[:, 1]) > 0
        return {
            kind: cut[seen & (self.boxes.labels == kind)].tolist()
            for kind in (MITOTIC_FIGURE, IMPOSTER)
        }


class Location(NamedTuple):
    """One draw: patch of field `roi` with its upper left corner at x, y (px; negative where the ROI
    is smaller)."""

    roi: int
    x: int
    y: int
    sought: int


def location(
    fields: Sequence[Field], config: SamplingSettings, seed: int, epoch: int, index: int
) -> Location:
    """The training patch that draw `index` (0 to epoch_length - 1) of `epoch` takes.

    With probability p_mitotic it seeks a mitotic figure of its ROI (if it has any), with p_imposter
    an imposter (if the policy seeks them), else it looks anywhere. A sought figure is whole in the
    patch, as far as it is in the ROI.
    """
    return locations(fields, config, seed, epoch, [index])[0]


def locations(
    fields: Sequence[Field],
    config: SamplingSettings,
    seed: int,
    epoch: int,
    indices: Sequence[int],
    order: NDArray[np.int64] | None = None,
) -> list[Location]:
    """`location` of several indices of one epoch. order: its `roi_order`, where that is at hand."""
    order = roi_order(fields, config, seed, epoch) if order is None else order
    draws = zip(order[indices].tolist(), generators(seed, "train", epoch, indices), strict=True)
    return [_draw(fields, roi, config, rng) for roi, rng in draws]


def validation_locations(
    fields: Sequence[Field], config: SamplingSettings, seed: int
) -> list[Location]:
    """Uniform patches, `patches_per_roi` of each ROI, the same whenever they are asked for."""
    total = epoch_length(fields, config)
    draws = enumerate(generators(seed, "validation", 0, range(total)))
    return [
        _anywhere(fields, i // config.patches_per_roi, config.patch_size, rng) for i, rng in draws
    ]


def epoch_length(fields: Sequence[Field], config: SamplingSettings) -> int:
    """Number of draws in an epoch."""
    return len(fields) * config.patches_per_roi


def roi_order(
    fields: Sequence[Field], config: SamplingSettings, seed: int, epoch: int
) -> NDArray[np.int64]:
    """ROI of each draw of an epoch, (epoch_length,) int64, shuffled.

    balance 'roi': exactly patches_per_roi of each ROI. balance 'scanner': as many in all; scanners
    differ by at most one draw, and so do the ROIs of one scanner.
    """
    rng = generator(seed, "order", epoch, 0)
    total = epoch_length(fields, config)
    if config.balance == "roi":
        order = np.repeat(np.arange(len(fields)), config.patches_per_roi)
        return rng.permutation(order)
    scanners = sorted({field.scanner for field in fields})
    # which scanners get the odd draws changes from epoch to epoch
    turn = rng.permutation(len(scanners))[np.arange(total) % len(scanners)]
    order = np.empty(total, dtype=np.int64)
    for number, scanner in enumerate(scanners):
        rois = rng.permutation([i for i, field in enumerate(fields) if field.scanner == scanner])
        places = np.flatnonzero(turn == number)
        order[places] = rois[np.arange(len(places)) % len(rois)]
    return rng.permutation(order)


def _draw(
    fields: Sequence[Field], roi: int, config: SamplingSettings, rng: np.random.Generator
) -> Location:
    field, lot, side = fields[roi], rng.random(), config.patch_size
    sought = ANYWHERE
    if lot < config.p_mitotic:
        sought = MITOTIC_FIGURE
    elif config.imposters != "ignore" and lot < config.p_mitotic + config.p_imposter:
        sought = IMPOSTER
    candidates = field.sights.get(sought)
    if not candidates:
        return _anywhere(fields, roi, side, rng)
    x1, y1, x2, y2 = candidates[rng.integers(len(candidates))]
    x = _origin(x1, x2, 2 * rng.random() - 1, field.width, side, config.jitter)
    y = _origin(y1, y2, 2 * rng.random() - 1, field.height, side, config.jitter)
    return Location(roi, x, y, sought)


def _origin(
    low: float, high: float, shift: float, extent: int, side: int, jitter: float | None
) -> int:
    """Where the patch starts on one axis, so that low..high lies in it after a shift (-1..1 of the
    jitter)."""
    room = max((side - (high - low)) / 2, 0.0)
    reach = room if jitter is None else min(jitter, room)
    origin = round((low + high) / 2 + shift * reach - side / 2)
    if high - low <= side:  # rounding must not cut the figure
        origin = min(max(origin, math.ceil(high - side)), math.floor(low))
    return min(max(origin, min(0, extent - side)), max(0, extent - side))


def _anywhere(fields: Sequence[Field], roi: int, side: int, rng: np.random.Generator) -> Location:
    field = fields[roi]
    x, y = (
        int(rng.integers(min(0, extent - side), max(0, extent - side) + 1))
        for extent in (field.width, field.height)
    )
    return Location(roi, x, y, ANYWHERE)
