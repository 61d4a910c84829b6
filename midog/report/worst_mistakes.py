"""The worst mistakes of an evaluation, by kind and by group, and crops of the images there."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from midog.data.roi import Roi
from midog.errors import ImageError
from midog.evaluation.groups import ALL
from midog.evaluation.result import Evaluation, Mistake
from midog.images.image import SlideImage, open_image
from midog.images.pixels import Pixels
from midog.metrics.mistakes import FALSE_ALARMS, MISSED_WHOLLY
from midog.mpp import Mpp
from midog.report.pictures import FALSE_ALARM, MISSED, crop_around

logger = logging.getLogger(__name__)

WORST = 8
"""Pictures of each sort of mistakes."""
MOST_GROUPS = 12
"""Groups of which pictures are shown."""


@dataclass(frozen=True)
class Worst:
    """The worst mistakes of a group.

    Attributes:
        group: Its name.
        is_alarms: They are false alarms, those of the highest score; else misses: figures that
            were not detected at all, then those whose detection has the lowest score.
        total: All such mistakes of the group.
        mistakes: The worst, in this order.
    """

    group: str
    is_alarms: bool
    total: int
    mistakes: tuple[Mistake, ...]

    @property
    def sort(self) -> str:
        """Of its mistakes, in words."""
        return "false alarms" if self.is_alarms else "missed figures"


def worst_by_group(result: Evaluation, most: int = WORST) -> list[Worst]:
    """Return the worst false alarms, then the worst misses, of each group.

    Groups of several columns are those of all columns together; of more than MOST_GROUPS the first
    ones are taken, see `left_out`.

    Args:
        result: The evaluation.
        most: Mistakes of each sort and group.
    """
    worst = []
    for name in _leaves(result)[:MOST_GROUPS]:
        keys = result.groups[name].keys
        own = [one for one in result.mistakes if _is_in(one.keys, keys)]
        alarms = [one for one in own if one.kind in FALSE_ALARMS]
        misses = [one for one in own if one.kind not in FALSE_ALARMS]
        alarms.sort(key=lambda one: -one.score)
        misses.sort(key=lambda one: (one.kind != MISSED_WHOLLY, _lowest_first(one.score)))
        worst.append(Worst(name, True, len(alarms), tuple(alarms[:most])))
        worst.append(Worst(name, False, len(misses), tuple(misses[:most])))
    return worst


def left_out(result: Evaluation) -> int:
    """Return the number of groups of which no pictures are shown."""
    return max(0, len(_leaves(result)) - MOST_GROUPS)


def crops_of(
    mistakes: Sequence[Mistake], result: Evaluation, rois: Sequence[Roi], *, boxes: bool
) -> Iterator[tuple[Mistake, Roi, Pixels | None]]:
    """Cut a ringed crop at each mistake, one at a time; every image is opened once.

    Args:
        mistakes: In any order.
        result: The evaluation that they are of.
        rois: Those that were scored.
        boxes: Draw the annotated boxes as well.

    Yields:
        Each mistake, ROI by ROI, its ROI, and the crop as `crop_around` gives it; None where the
        image does not exist or cannot be read (a warning says why).
    """
    by_name = {roi.file_name: roi for roi in rois}
    mpps = {roi.file_name: roi.mpp for roi in result.rois}
    for file_name in dict.fromkeys(mistake.file_name for mistake in mistakes):
        roi = by_name[file_name]
        own = [mistake for mistake in mistakes if mistake.file_name == file_name]
        crops = _crops(roi, own, mpps[file_name], boxes=boxes)
        for mistake, crop in zip(own, crops, strict=True):
            yield mistake, roi, crop


def _crops(
    roi: Roi, mistakes: Sequence[Mistake], mpp: Mpp | None, *, boxes: bool
) -> Iterator[Pixels | None]:
    done = 0
    if roi.path is not None and mpp is not None:
        try:
            with open_image(roi.path) as image:
                for mistake in mistakes:
                    yield _crop(image, roi, mistake, mpp, boxes=boxes)
                    done += 1
        except ImageError as error:
            logger.warning("no pictures of %s: %s", roi.file_name, error)
    yield from [None] * (len(mistakes) - done)


def _crop(image: SlideImage, roi: Roi, mistake: Mistake, mpp: Mpp, *, boxes: bool) -> Pixels | None:
    if math.isnan(mistake.x_px):
        return None
    ring = FALSE_ALARM if mistake.kind in FALSE_ALARMS else MISSED
    drawn = roi.boxes if boxes else None
    return crop_around(image, mistake.x_px, mistake.y_px, mpp=mpp, ring=ring, boxes=drawn)


def _leaves(result: Evaluation) -> list[str]:
    """Groups of all columns."""
    whole = [name for name, group in result.groups.items() if len(group.keys) == len(result.by)]
    return whole or [ALL]


def _is_in(keys: Mapping[str, str], group: Mapping[str, str]) -> bool:
    return all(keys[column] == value for column, value in group.items())


def _lowest_first(score: float) -> float:
    return -math.inf if math.isnan(score) else score
