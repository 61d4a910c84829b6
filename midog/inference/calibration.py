"""Scores moved, image by image, to where they lie in the images that a threshold was chosen on.

Another scanner, stain or focus moves the scores of all tissue, and a threshold does not move with
them. How far they moved is seen without labels, in what the network makes of ordinary tissue:

    level = median over fields of 32 um with tissue of log(s / (1 - s)),

s the highest score of a figure in the field. Detections of figures then count with the log odds of
their score plus the reference less the image's level. The median holds an image's many ordinary
nuclei; figures in a share f of its fields move it no further than to the quantile 0.5 / (1 - f) of
the others, so an image that is full of figures is not scored down for them.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from midog.boxes import MITOTIC_FIGURE
from midog.data.mpp import resampling
from midog.errors import WeightsError
from midog.files import replace_text
from midog.images.image import SlideImage
from midog.inference.member import Member
from midog.inference.opened_image import OpenedImage
from midog.inference.stored_threshold import Threshold, Tuning, plain_tuning
from midog.json_text import checked, read_json, to_json
from midog.models.protocol import Candidates
from midog.mpp import Mpp
from midog.stains import tissue_share
from midog.tiling import grid

logger = logging.getLogger(__name__)

CALIBRATED = "calibrated"
"""Key of what model.json holds of it."""

TILE_UM, FIELD_UM = 64.0, 32.0
"""Sides of what the network is shown, and of the parts of which the highest score is taken."""
LEAST_FIELDS = 32
"""Of an image with fewer fields of tissue the level is not known."""
_MOST_TILES, _MOST_READ = 64, 256
_LEAST_TISSUE = 0.25  # of a field
_LARGEST = 4.0  # shift of the log odds: what is farther off is no shift of a scanner
_LEAST_SCORE = 1e-6

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """The levels to which scores are moved.

    Attributes:
        references: Level of each network, by the digest of its weights: the median over the images
            on which the threshold was chosen.
    """

    references: Mapping[str, float]

    def shift_of(self, member: Member, image: SlideImage, mpp: Mpp) -> float:
        """Return what is added to the log odds of a network's scores in an image; 0 where its level
        is not known, with a warning.

        Raises:
            ImageError: The image cannot be read.
        """
        level = level_of(member, image, mpp)
        if math.isnan(level):
            text = "%s has too little tissue to calibrate scores by: they stay as they are"
            logger.warning(text, image.path)
            return 0.0
        shift = self.references[member.weights] - level
        return float(np.clip(shift, -_LARGEST, _LARGEST))


@dataclass(frozen=True)
class StoredCalibration:
    """What model.json holds under CALIBRATED.

    Attributes:
        references: As of Calibration.
        threshold: Chosen for scores that are moved so, in [0, 1].
        tuned: How it was chosen.
        orientations: In which images were shown then.
    """

    references: dict[str, float]
    threshold: float
    tuned: Tuning
    orientations: int

    @property
    def levels(self) -> Calibration:
        """The levels to which scores are moved."""
        return Calibration(self.references)

    def for_orientations(self, number: int) -> Threshold:
        """Return the threshold for images that are shown in so many orientations."""
        words = f"{self.tuned}, scores calibrated"
        words += f" in {self.orientations} orientations" if self.orientations > 1 else ""
        return Threshold(self.threshold, words, is_tuned=number == self.orientations)


def shifts_in(opened: OpenedImage, calibration: Calibration | None) -> Callable[[Member], float]:
    """Return what gives the shift of a network's scores in an image; always 0 without a
    calibration."""

    def shift_of(member: Member) -> float:
        if calibration is None:
            return 0.0
        assert isinstance(opened.image, SlideImage)
        return calibration.shift_of(member, opened.image, opened.mpp)

    return shift_of


def read_calibration(
    further: Mapping[str, Any], members: Sequence[Member], path: Path | str
) -> StoredCalibration:
    """Return the calibration that a model.json holds.

    Args:
        further: Its keys beside those of every model.
        members: The networks of the model.
        path: For errors.

    Raises:
        WeightsError: It holds none, or one of other weights.
    """
    fix = "make one with `midog tune --calibrate`; of several models make one ensemble first"
    if CALIBRATED not in further:
        raise WeightsError(f"{path} has no reference to calibrate scores by", fix)
    where = f"{path}: {CALIBRATED}"
    stored = checked(further[CALIBRATED], StoredCalibration, where, WeightsError, fix)
    numbers = [stored.threshold, *stored.references.values()]
    if not all(map(math.isfinite, numbers)) or not 0 <= stored.threshold <= 1:
        raise WeightsError(f"{where} holds a number out of range", fix)
    if not {member.weights for member in members} <= set(stored.references):
        raise WeightsError(f"{where} is of other weights", fix)
    return stored


def store_calibration(path: Path, stored: StoredCalibration) -> None:
    """Write a calibration into a model.json, in the place of one that is there.

    Raises:
        MidogError: The file cannot be read or written; it is then as it was.
    """
    tree: dict[str, Any] = read_json(path, WeightsError)
    tree[CALIBRATED] = {**vars(stored), "tuned": plain_tuning(stored.tuned)}
    replace_text(path, to_json(tree, ascii_only=False))


def level_of(member: Member, image: SlideImage, mpp: Mpp) -> float:
    """Measure the level of a network's scores in an image, in log odds; NaN where too few fields
    have tissue.

    At most 64 tiles of 64 um are looked at, spread evenly, the same ones each time.

    Args:
        member: The network.
        image: It.
        mpp: um/px of the image.

    Raises:
        ImageError: The image cannot be read.
    """
    side = max(64, round(TILE_UM / member.mpp / 32) * 32)
    fields = max(1, round(side * member.mpp / FIELD_UM))
    tiles = _tiles(member, image, mpp, side, fields)
    levels = []
    for pixels, tissue in tiles:
        candidates = member.candidates(torch.from_numpy(pixels[None]), 0.0)()
        best = highest_of_fields(candidates, side, fields)
        levels += best[tissue].tolist()
    if len(levels) < LEAST_FIELDS:
        return math.nan
    scores = np.clip(levels, _LEAST_SCORE, 1 - _LEAST_SCORE)
    return float(np.median(np.log(scores) - np.log1p(-scores)))


def highest_of_fields(candidates: Candidates, side: int, fields: int) -> Values:
    """The highest score of a figure in each field of a tile, by the centres of boxes.

    Args:
        candidates: Of one tile.
        side: Of the tile, px.
        fields: Of which the tile has so many along each side.

    Returns:
        (fields, fields) rows from the top; a field without a box has the tile's lowest score.
    """
    boxes, scores, labels = (column[0].double().cpu().numpy() for column in candidates)
    own = (labels == MITOTIC_FIGURE) & (scores > 0)
    boxes, scores = boxes[own], scores[own]
    best = np.full((fields, fields), scores.min(initial=1.0) if len(scores) else 0.0)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 * (fields / side)
    columns, rows = np.clip(centres.astype(np.int64), 0, fields - 1).T
    np.maximum.at(best, (rows, columns), scores)
    return best


def _tiles(
    member: Member, image: SlideImage, mpp: Mpp, side: int, fields: int
) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Tiles with tissue, spread evenly, and which of their fields have enough of it."""
    size = image.width, image.height
    scale = resampling(str(image.path), size, mpp, member.mpp)
    corners = grid(*image.scaled_size(scale), side, 0)
    chosen, level = list[tuple[NDArray[np.uint8], NDArray[np.bool_]]](), image.level_for(scale)
    for x, y in corners[_spread(len(corners), _MOST_READ)].tolist():
        pixels = image.read_scaled(x, y, side, side, scale, level)
        tissue = _with_tissue(pixels, fields)
        if tissue.any():
            chosen.append((pixels, tissue))
    return [chosen[number] for number in _spread(len(chosen), _MOST_TILES).tolist()]


def _with_tissue(pixels: NDArray[np.uint8], fields: int) -> NDArray[np.bool_]:
    edges = np.linspace(0, len(pixels), fields + 1).round().astype(int)
    spans = [slice(low, high) for low, high in itertools.pairwise(edges)]
    share = [[tissue_share(pixels[rows, columns]) for columns in spans] for rows in spans]
    return np.array(share) >= _LEAST_TISSUE


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of `count` numbers, evenly."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)
