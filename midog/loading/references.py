"""What ops of augmentation take from the data: patches at fixed places of all scanners, figures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.draw import ops_with_references
from midog.augment.ops import OPS
from midog.boxes import MITOTIC_FIGURE, FloatArray
from midog.config.schema import AugmentSettings, DataSettings
from midog.data.roi import Roi
from midog.loading.cutting import cut_patch
from midog.loading.locations import SampledRoi
from midog.loading.rois import DecodedRois, decode_one
from midog.random_streams import number_of_file, seeded
from midog.stains import tissue_share

logger = logging.getLogger(__name__)

_PATCHES = 128
"""Reference patches of a scanner, shared out over its ROIs."""
_MOST_OF_ROI = 16
_CANDIDATES = 4  # places tried for each
_MIN_TISSUE = 0.5
_FIGURES = 1000
"""Most figures of a scanner that are kept for pasting; of more, every so-manieth."""
_CROP = 1.28
"""Side of a figure's crop for a side of its box: what is around it fades into its new place."""


def make_references(
    augment: AugmentSettings,
    train: DecodedRois,
    unlabelled: Sequence[Roi],
    data: DataSettings,
    side: int,
) -> dict[str, Any]:
    """Return what the ops that are on take from the data, by name; {} where they take nothing.

    They are the same for any seed, order and number of processes. ROIs without labels whose image
    is missing are left out, and a line says so.

    Args:
        augment: Which ops are on.
        train: ROIs to train on.
        unlabelled: ROIs of scanners without labels.
        data: um/px of the model, and whether there is a cache.
        side: Of the training patches, px.

    Raises:
        ImageError: The image of an ROI without labels cannot be read or has no mpp.
    """
    names = ops_with_references(augment)
    if not names:
        return {}
    missing = sum(roi.path is None for roi in unlabelled)
    if missing:
        logger.warning(
            "%d unlabelled ROIs have no image and are no reference of augmentation", missing
        )
    pixels = TrainingPixels(train, unlabelled, data, side)
    references = {
        name: op.references(pixels, getattr(augment, name))
        for name, op in OPS.items()
        if name in names and op.references is not None
    }
    for name, described in described_references(references).items():
        counts = described.get("patches") or described.get("figures") or {}
        shown = ", ".join(f"{scanner or 'unknown'} {count}" for scanner, count in counts.items())
        logger.info("augment.%s: references of %s", name, shown or "no scanner")
    return references


def described_references(references: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return references as plain values, those that are worth keeping with a model."""
    return {
        name: describe(taken)
        for name, taken in references.items()
        if (describe := OPS[name].describe) is not None
    }


class TrainingPixels:
    """The data of a training as ops see it; a `ReferencePixels`.

    Args:
        train: ROIs to train on.
        unlabelled: ROIs of scanners without labels; read when their turn comes.
        data: um/px of the model, and whether there is a cache.
        side: Of the training patches, px.
    """

    def __init__(
        self, train: DecodedRois, unlabelled: Sequence[Roi], data: DataSettings, side: int
    ) -> None:
        self._train, self._data, self._side = train, data, side
        self._unlabelled = [roi for roi in unlabelled if roi.path is not None]

    @property
    def side(self) -> int:
        """Side of a training patch, px."""
        return self._side

    def patches(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Yield patches at fixed places, those with tissue first, with their scanner."""
        names = [roi.scanner for roi in [*self._train.rois, *self._unlabelled]]
        for roi, image in self._images():
            count = min(-(-_PATCHES // names.count(roi.scanner)), _MOST_OF_ROI)
            for patch in _patches_of(image, roi.file_name, self._side, count):
                yield roi.scanner, patch

    def figures(self) -> Iterator[tuple[str, NDArray[np.uint8], FloatArray]]:
        """Yield the mitotic figures of train that are alone in their crop, with their scanner."""
        rois = self._train.sampled
        every = [box for roi in rois for box in roi.boxes.of_class(MITOTIC_FIGURE)]
        if not every:
            return
        longest = np.median([max(box[2:] - box[:2]) for box in every])
        side = 2 * int(np.ceil(_CROP * longest / 2))
        places: dict[str, list[tuple[int, FloatArray]]] = {}
        for number, roi in enumerate(rois):
            alone = _alone(roi, side)
            places.setdefault(roi.scanner, []).extend((number, box) for box in alone)
        for scanner, own in places.items():
            step = -(-len(own) // _FIGURES)
            for number, box in own[:: max(step, 1)]:
                x, y = _corner(box, side)
                moved = box - np.array([x, y, x, y], np.float32)
                yield scanner, _cut(self._train.images[number], x, y, side), moved

    def _images(self) -> Iterator[tuple[Roi, Any]]:
        yield from zip(self._train.rois, self._train.images, strict=True)
        for roi in self._unlabelled:
            yield roi, decode_one(roi, self._data)


def _patches_of(image: Any, name: str, side: int, count: int) -> list[NDArray[np.uint8]]:
    """Patches of an ROI at places that its name decides."""
    rng = seeded("references", number_of_file(0, name, "references"))
    with_tissue: list[NDArray[np.uint8]] = []
    others: list[NDArray[np.uint8]] = []
    for _ in range(_CANDIDATES * count):
        x, y = (
            int(rng.integers(max(extent - side, 0) + 1))
            for extent in (image.shape[1], image.shape[0])
        )
        patch = _cut(image, x, y, side)
        (with_tissue if tissue_share(patch[::4, ::4]) > _MIN_TISSUE else others).append(patch)
        if len(with_tissue) == count:
            break
    return [*with_tissue, *others][:count]


def _alone(roi: SampledRoi, side: int) -> list[FloatArray]:
    """Boxes of the mitotic figures whose crop lies in the ROI and touches no other box."""
    boxes = np.concatenate([roi.boxes.xyxy, roi.ignored])
    alone = []
    for box in roi.boxes.of_class(MITOTIC_FIGURE):
        x, y = _corner(box, side)
        inside = x >= 0 and y >= 0 and x + side <= roi.width and y + side <= roi.height
        touches = (boxes[:, :2] < [x + side, y + side]).all(axis=1)
        touches &= (boxes[:, 2:] > [x, y]).all(axis=1)
        if inside and touches.sum() == 1 and max(box[2:] - box[:2]) <= side:
            alone.append(box)
    return alone


def _corner(box: FloatArray, side: int) -> tuple[int, int]:
    """Of the crop around a box, px."""
    x, y = np.rint((box[:2] + box[2:]) / 2 - side / 2).astype(int).tolist()
    return x, y


def _cut(image: Any, x: int, y: int, side: int) -> NDArray[np.uint8]:
    out = np.empty((side, side, 3), np.uint8)
    if isinstance(image, Tensor):
        image = image[y : y + side, x : x + side].cpu().numpy()
        x = y = 0
    cut_patch(image, x, y, side, out)
    return out
