"""Where to look: which patch of which ROI a draw takes, as a pure function of (seed, epoch, index).

An epoch is a list of draws. Who draws them (how many threads, ranks or restarts) changes nothing,
since each draw has random numbers of its own (see `midog.random_streams`). Draws beyond the epoch's
length fill up its last batch: they take the epoch's ROIs from the first one on, with new numbers.
Where false alarms are mined, it is a pure function of them as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes, FloatArray
from midog.config.schema import SamplingSettings
from midog.loading.mined_alarms import MinedAlarms
from midog.random_streams import generator, generators

ANYWHERE, ALARM = 0, -1
"""What a draw requests: ANYWHERE, MITOTIC_FIGURE (1), IMPOSTER (2) or a mined false ALARM."""

_DOMAINS: dict[str, Callable[[SampledRoi], str]] = {
    "scanner": lambda roi: roi.scanner,
    "roi_type": lambda roi: roi.roi_type,
}
"""By the balance that makes draws even over them: the domain of an ROI."""

_REQUESTED = ("hard_negative", "second_class")
"""Policies under which imposters are requested."""


@dataclass(frozen=True, eq=False)
class SampledRoi:
    """An ROI as sampling sees it, in px of the model's mpp.

    width, height: px. boxes: figures, px. scanner: the domain it belongs to. ignored: (N, 4)
    float32 px, boxes that are neither targets nor background. roi_type: how it was chosen, "" where
    nothing states it.
    """

    width: int
    height: int
    boxes: Boxes
    scanner: str = ""
    ignored: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    roi_type: str = ""

    @cached_property
    def visible_boxes(self) -> dict[int, list[list[float]]]:
        """By class, the boxes that lie in the image at least in part, cut to it."""
        cut = self.boxes.xyxy.clip(0, np.array([self.width, self.height] * 2, dtype=np.float32))
        visible = (cut[:, 2] - cut[:, 0]) * (cut[:, 3] - cut[:, 1]) > 0
        return {
            label: cut[visible & (self.boxes.labels == label)].tolist()
            for label in (MITOTIC_FIGURE, IMPOSTER)
        }


class Location(NamedTuple):
    """One draw: the patch of ROI `roi` with its upper left corner at x, y.

    roi: its number. x, y: px; negative where the ROI is smaller than the patch. requested:
    ANYWHERE, MITOTIC_FIGURE, IMPOSTER or ALARM. window: side of what is cut and resampled to the
    patch, px; None: that of a patch.
    """

    roi: int
    x: int
    y: int
    requested: int
    window: int | None = None


def location(
    rois: Sequence[SampledRoi],
    sampling: SamplingSettings,
    seed: int,
    epoch: int,
    index: int,
    mined: MinedAlarms | None = None,
) -> Location:
    """Return the training patch that a draw takes.

    With probability p_mitotic it requests a mitotic figure of its ROI (if it has any) or of the one
    that `figure_shares` chooses, with p_imposter an imposter (if the policy requests them), with
    p_mined a mined false alarm in some ROI of the same scanner, else it is anywhere. What is
    requested is whole in the patch, as far as it is in the ROI.

    Args:
        rois: To draw from.
        sampling: Probabilities, policy and size of the patches.
        seed: Of the training.
        epoch: From 0.
        index: 0 to epoch_length - 1, or beyond, to fill up the last batch.
        mined: False alarms; None: none are requested.
    """
    return locations(rois, sampling, seed, epoch, [index], mined=mined)[0]


def locations(
    rois: Sequence[SampledRoi],
    sampling: SamplingSettings,
    seed: int,
    epoch: int,
    indices: Sequence[int],
    order: NDArray[np.int64] | None = None,
    mined: MinedAlarms | None = None,
    windows: NDArray[np.int64] | None = None,
) -> list[Location]:
    """Return `location` of several indices of one epoch.

    Args:
        rois, sampling, seed, epoch, indices: As of `location`.
        order: `roi_order` of the epoch, if at hand.
        mined: False alarms; None: none are requested.
        windows: Sides of what is cut, px; a requested figure is whole in its window.
    """
    order = roi_order(rois, sampling, seed, epoch) if order is None else order
    roi_of_draw = order[np.asarray(indices, np.int64) % len(order)].tolist()
    shares = figure_shares(rois, sampling)
    sides = [None] * len(indices) if windows is None else windows.tolist()
    draws = zip(roi_of_draw, generators(seed, "train", epoch, indices), sides, strict=True)
    return [_draw(rois, roi, sampling, shares, rng, mined, side) for roi, rng, side in draws]


def validation_locations(
    rois: Sequence[SampledRoi], sampling: SamplingSettings, seed: int
) -> list[Location]:
    """Return uniform patches, `patches_per_roi` of each ROI, the same at every call."""
    total = epoch_length(rois, sampling)
    draws = enumerate(generators(seed, "validation", 0, range(total)))
    return [
        _anywhere(rois, index // sampling.patches_per_roi, sampling.patch_size, rng)
        for index, rng in draws
    ]


def epoch_length(rois: Sequence[SampledRoi], sampling: SamplingSettings) -> int:
    """Return the number of draws in an epoch."""
    return len(rois) * sampling.patches_per_roi


def roi_order(
    rois: Sequence[SampledRoi], sampling: SamplingSettings, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Return the ROI of each draw of an epoch, (epoch_length,) int64, shuffled.

    balance 'scanner' or 'roi_type': scanners (types) differ by at most one draw, and so do the ROIs
    of one of them. Otherwise exactly patches_per_roi of each ROI; see `figure_shares` for those on
    a figure. With p_figure_free exactly that share is of ROIs without a mitotic figure, and these,
    like the others among themselves, are balanced so.
    """
    rng = generator(seed, "order", epoch, 0)
    total, share = epoch_length(rois, sampling), sampling.p_figure_free
    free = np.array([not roi.visible_boxes[MITOTIC_FIGURE] for roi in rois], bool)
    if share is not None and free.any() and not free.all():
        count = round(share * total)
        parts = ((np.flatnonzero(free), count), (np.flatnonzero(~free), total - count))
        orders = [_balanced(rois, numbers, draws, sampling, rng) for numbers, draws in parts]
        return rng.permutation(np.concatenate(orders))
    if sampling.balance not in _DOMAINS:
        order = np.repeat(np.arange(len(rois)), sampling.patches_per_roi)
        return rng.permutation(order)
    return _balanced(rois, np.arange(len(rois)), total, sampling, rng)


def _one_domain(roi: SampledRoi) -> str:
    return ""


def _balanced(
    rois: Sequence[SampledRoi],
    numbers: NDArray[np.int64],
    draws: int,
    sampling: SamplingSettings,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """So many draws (draws,) of these ROIs, shuffled, even over their domains and within each."""
    domain_of = _DOMAINS.get(sampling.balance, _one_domain)
    domains = sorted({domain_of(rois[number]) for number in numbers})
    # which domains get the odd draws changes from epoch to epoch
    turn = rng.permutation(len(domains))[np.arange(draws) % len(domains)]
    order = np.empty(draws, dtype=np.int64)
    for number, domain in enumerate(domains):
        own = rng.permutation([i for i in numbers if domain_of(rois[i]) == domain])
        places = np.flatnonzero(turn == number)
        order[places] = own[np.arange(len(places)) % len(own)]
    return rng.permutation(order)


def figure_shares(rois: Sequence[SampledRoi], sampling: SamplingSettings) -> FloatArray | None:
    """Return by what shares ROIs are chosen for draws that request a mitotic figure.

    balance 'figure': by their numbers of figures, so that every figure is drawn equally often;
    'sqrt_figure': by the square roots of these, as Mahajan et al. 2018 (arXiv:1805.00932) balance
    classes.

    Returns:
        (ROIs,) the shares added up; None where a draw keeps the ROI that it has.
    """
    if sampling.balance not in ("figure", "sqrt_figure"):
        return None
    figures = np.array([len(roi.visible_boxes[MITOTIC_FIGURE]) for roi in rois], np.float64)
    shares = np.cumsum(figures if sampling.balance == "figure" else np.sqrt(figures))
    return shares if shares[-1] > 0 else None


def _draw(
    rois: Sequence[SampledRoi],
    number: int,
    sampling: SamplingSettings,
    shares: FloatArray | None,
    rng: np.random.Generator,
    mined: MinedAlarms | None,
    window: int | None,
) -> Location:
    draw, side = rng.random(), window or sampling.patch_size
    requested = ANYWHERE
    if draw < sampling.p_mitotic:
        requested = MITOTIC_FIGURE
    elif sampling.imposters in _REQUESTED and draw < sampling.p_mitotic + sampling.p_imposter:
        requested = IMPOSTER
    elif mined is not None and draw >= 1 - sampling.p_mined:
        alarm = mined.draw(rois[number].scanner, rng)
        if alarm is not None:
            number, box = int(mined.alarms.rois[alarm]), mined.alarms.boxes[alarm].tolist()
            return _around(rois, number, box, sampling, rng, ALARM, window)
    stays = sampling.p_figure_free is not None and not rois[number].visible_boxes[MITOTIC_FIGURE]
    if requested == MITOTIC_FIGURE and shares is not None and not stays:
        number = int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))
    roi = rois[number]
    boxes = roi.visible_boxes.get(requested)
    if not boxes:
        return _anywhere(rois, number, side, rng)._replace(window=window)
    box = boxes[rng.integers(len(boxes))]
    return _around(rois, number, box, sampling, rng, requested, window)


def _around(
    rois: Sequence[SampledRoi],
    number: int,
    box: Sequence[float],
    sampling: SamplingSettings,
    rng: np.random.Generator,
    requested: int,
    window: int | None,
) -> Location:
    """The patch of an ROI in which a box is, shifted at random."""
    roi, side, (x1, y1, x2, y2) = rois[number], window or sampling.patch_size, box
    x = _origin(x1, x2, 2 * rng.random() - 1, roi.width, side, sampling.jitter)
    y = _origin(y1, y2, 2 * rng.random() - 1, roi.height, side, sampling.jitter)
    return Location(number, x, y, requested, window)


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


def _anywhere(
    rois: Sequence[SampledRoi], number: int, side: int, rng: np.random.Generator
) -> Location:
    x, y = (
        int(rng.integers(min(0, extent - side), max(0, extent - side) + 1))
        for extent in (rois[number].width, rois[number].height)
    )
    return Location(number, x, y, ANYWHERE)
