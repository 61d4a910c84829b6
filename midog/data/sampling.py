"""Where to look: which patch of which ROI a draw takes, as a pure function of (seed, epoch, index).

An epoch is a list of draws. Who draws them (how many threads, ranks or restarts) changes nothing, since each draw has
random numbers of its own: Philox is counter-based (Salmon et al., 'Parallel random numbers: as easy as 1, 2, 3', SC
2011), so (stream, epoch, index) is simply its counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes
from midog.config import SamplingConfig

ANYWHERE = 0
"""What a draw sought: ANYWHERE, MITOTIC_FIGURE (1) or IMPOSTER (2)."""

Stream = Literal["order", "train", "validation", "augment"]
_STREAMS: dict[Stream, int] = {"order": 1, "train": 2, "validation": 3, "augment": 4}


@dataclass(frozen=True, eq=False)
class Field:
    """An ROI as the sampler sees it, in px of the model's mpp.

    width, height: px. boxes: figures, px. scanner: the domain it belongs to.
    """

    width: int
    height: int
    boxes: Boxes
    scanner: str = ""


@dataclass(frozen=True)
class Location:
    """One draw: patch of field `roi` with its upper left corner at x, y (px; negative where the ROI is smaller)."""

    roi: int
    x: int
    y: int
    sought: int


@dataclass(frozen=True, eq=False)
class Targets:
    """What a patch teaches, in px of the patch.

    boxes (N, 4) float32 clipped to the patch, labels (N,) int64: what the detector is to find.
    ignore (M, 4) float32, not clipped: figures too little of which is visible, neither taught nor counter-taught.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    ignore: NDArray[np.float32]


def random(seed: int, stream: Stream, epoch: int, index: int) -> np.random.Generator:
    """The generator that belongs to one draw, and to no other."""
    return np.random.Generator(np.random.Philox(key=[seed, _STREAMS[stream]], counter=[0, 0, epoch, index]))


def location(fields: Sequence[Field], config: SamplingConfig, seed: int, epoch: int, index: int) -> Location:
    """The training patch that draw `index` (0 to epoch_length - 1) of `epoch` takes.

    With probability p_mitotic it seeks a mitotic figure of its ROI (if it has any), with p_imposter an imposter (if
    the policy seeks them), else it looks anywhere. A sought figure is whole in the patch, as far as it is in the ROI.
    """
    return locations(fields, config, seed, epoch, [index])[0]


def locations(
    fields: Sequence[Field], config: SamplingConfig, seed: int, epoch: int, indices: Sequence[int]
) -> list[Location]:
    """`location` of several indices of one epoch."""
    order = roi_order(fields, config, seed, epoch)
    return [_draw(fields, int(order[i]), config, random(seed, "train", epoch, i)) for i in indices]


def validation_locations(fields: Sequence[Field], config: SamplingConfig, seed: int) -> list[Location]:
    """Uniform patches, `patches_per_roi` of each ROI, the same whenever they are asked for."""
    order = np.repeat(np.arange(len(fields)), config.patches_per_roi)
    return [
        _anywhere(fields, int(roi), config.patch_size, random(seed, "validation", 0, i)) for i, roi in enumerate(order)
    ]


def epoch_length(fields: Sequence[Field], config: SamplingConfig) -> int:
    """Number of draws in an epoch."""
    return len(fields) * config.patches_per_roi


def roi_order(fields: Sequence[Field], config: SamplingConfig, seed: int, epoch: int) -> NDArray[np.int64]:
    """ROI of each draw of an epoch, (epoch_length,) int64, shuffled.

    balance 'roi': exactly patches_per_roi of each ROI. balance 'scanner': as many in all; scanners differ by at most
    one draw, and so do the ROIs of one scanner.
    """
    rng = random(seed, "order", epoch, 0)
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


def targets_of(boxes: Boxes, x: int, y: int, config: SamplingConfig) -> Targets:
    """What the patch at x, y (px of the field) teaches, under the config's imposter policy and `min_visible`.

    Imposters are boxes of class 2 under 'second_class' and background otherwise.
    """
    side = config.patch_size
    taught = boxes.labels == MITOTIC_FIGURE
    if config.imposters == "second_class":
        taught |= boxes.labels == IMPOSTER
    shifted = boxes.xyxy[taught] - np.array([x, y, x, y], dtype=np.float32)
    clipped = shifted.clip(0, side)
    visible = _area(clipped) / np.maximum(_area(shifted), np.finfo(np.float32).tiny)
    keep = visible >= config.min_visible
    return Targets(clipped[keep], boxes.labels[taught][keep], shifted[(visible > 0) & ~keep])


def _draw(fields: Sequence[Field], roi: int, config: SamplingConfig, rng: np.random.Generator) -> Location:
    field, lot = fields[roi], rng.random()
    sought = ANYWHERE
    if lot < config.p_mitotic:
        sought = MITOTIC_FIGURE
    elif config.imposters != "ignore" and lot < config.p_mitotic + config.p_imposter:
        sought = IMPOSTER
    candidates = _in_image(field.boxes.of_class(sought), field)
    if not len(candidates):
        return _anywhere(fields, roi, config.patch_size, rng)
    box = candidates[rng.integers(len(candidates))].astype(np.float64)
    shift = rng.uniform(-1.0, 1.0, size=2)
    x, y = (
        _origin(box[axis], box[axis + 2], shift[axis], (field.width, field.height)[axis], config) for axis in (0, 1)
    )
    return Location(roi, x, y, sought)


def _origin(low: float, high: float, shift: float, extent: int, config: SamplingConfig) -> int:
    """Where the patch starts on one axis, so that low..high lies in it after a shift (-1..1 of the jitter)."""
    side = config.patch_size
    room = max((side - (high - low)) / 2, 0.0)
    jitter = room if config.jitter is None else min(config.jitter, room)
    origin = int(np.rint((low + high) / 2 + shift * jitter - side / 2))
    if high - low <= side:  # rounding must not cut the figure
        origin = min(max(origin, int(np.ceil(high - side))), int(np.floor(low)))
    return min(max(origin, min(0, extent - side)), max(0, extent - side))


def _anywhere(fields: Sequence[Field], roi: int, side: int, rng: np.random.Generator) -> Location:
    field = fields[roi]
    x, y = (
        int(rng.integers(min(0, extent - side), max(0, extent - side) + 1)) for extent in (field.width, field.height)
    )
    return Location(roi, x, y, ANYWHERE)


def _in_image(boxes: NDArray[np.float32], field: Field) -> NDArray[np.float32]:
    """Boxes of which something lies in the image, cut to it: what lies beyond cannot be shown."""
    cut = boxes.clip(0, np.array([field.width, field.height] * 2, dtype=np.float32))
    return cut[_area(cut) > 0]


def _area(boxes: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
