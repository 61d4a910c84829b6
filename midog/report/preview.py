"""A contact sheet of what a network sees: patches of each scanner, a row for each augmentation."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from midog.augment.alone import alone, none, setting_words
from midog.augment.draw import cut_side
from midog.augment.ops import OPS
from midog.boxes import MITOTIC_FIGURE
from midog.config.schema import (
    AugmentSettings,
    DataSettings,
    MachineSettings,
    SamplingSettings,
    augment_settings,
)
from midog.data.roi import Roi
from midog.errors import MidogError
from midog.files import replace_bytes
from midog.formats.overlay import COLOURS
from midog.loading.locations import Location
from midog.loading.references import make_references
from midog.loading.rois import DecodedRois, decode_rois, training_source
from midog.loading.source import Batch
from midog.models.protocol import BoxTargets
from midog.report.pictures import png_of
from midog.training.tasks.detection_data import of_role, read_training_rois

MARK = "midog preview"
"""In every sheet, so that no other picture is replaced by one."""
_SIDE = 256
"""Patches are shown at most this large, px."""
_LABELS, _HEADER, _GAP = 210, 26, 4  # px
_IGNORED = (150, 150, 150)


@dataclass(frozen=True)
class Row:
    """A row of the sheet: its name, the settings of its op in words, and what is on in it."""

    name: str
    words: str
    augment: AugmentSettings


@dataclass(frozen=True, eq=False)
class TrainingRois:
    """What is previewed.

    train: ROIs to train on. unlabelled: ROIs of scanners without labels. data: um/px of the model.
    sampling: where to look. seed: of all draws.
    """

    train: DecodedRois
    unlabelled: Sequence[Roi]
    data: DataSettings
    sampling: SamplingSettings
    seed: int

    def chosen(self, per_scanner: int) -> dict[int, Location]:
        """Return draws of epoch 0 by index, scanner by scanner: those that request a figure, and
        one that does not."""
        source = training_source(self.train, self.sampling, augment_settings()(), on_cpu=True)
        indices = range(len(source))
        places = dict(zip(indices, source.locations(self.seed, 0)(indices), strict=True))
        chosen: dict[int, Location] = {}
        for scanner in sorted({roi.scanner for roi in self.train.sampled}):
            own = [n for n, place in places.items() if self.scanner(place) == scanner]
            figures = [n for n in own if places[n].requested == MITOTIC_FIGURE]
            others = [n for n in own if places[n].requested != MITOTIC_FIGURE]
            first = figures[: max(per_scanner - 1, 1)]
            for number in [*first, *others, *figures[len(first) :]][:per_scanner]:
                chosen[number] = places[number]
        return chosen

    def scanner(self, place: Location) -> str:
        """Return the scanner of a location."""
        return self.train.sampled[place.roi].scanner

    def pictures(self, augment: AugmentSettings, indices: list[int]) -> list[Image.Image]:
        """Return pictures of some draws under some augmentation, with their boxes."""
        side = self.sampling.patch_size
        references = make_references(augment, self.train, self.unlabelled, self.data, side)
        source = training_source(
            self.train, self.sampling, augment, on_cpu=True, references=references
        )
        places = source.locations(self.seed, 0)(indices)
        augmentation = source.augmentation(self.seed, 0, indices, places)
        targets = source.targets(places, augmentation)
        out = [
            torch.empty((len(indices), *shape), dtype=torch.uint8) for shape in source.view_shapes
        ]
        views, left = source.pixels(places, augmentation, out)
        assert left is None
        batch: Batch[BoxTargets] = Batch(views, targets, indices)
        return [_picture(batch, number) for number in range(len(batch))]


def draw_preview(
    path: Path,
    data: DataSettings,
    sampling: SamplingSettings,
    augment: AugmentSettings,
    *,
    seed: int = 0,
    per_scanner: int = 2,
) -> list[str]:
    """Write a contact sheet of training patches, with the sampler and the ops of the training.

    The rows are the patches as they are cut, then each op alone, then all that the settings switch
    on. An op is shown at its setting, or at a usual one where it is off; one that changes a share
    of the patches is shown on all. Boxes of mitotic figures are green, of imposters as a class
    blue, ignored ones grey.

    Args:
        path: The PNG to replace.
        data, sampling, augment: Settings of the training.
        seed: Of its draws; those of epoch 0 are shown.
        per_scanner: Patches of each scanner; figures are requested in all but the last.

    Returns:
        Names of the rows.

    Raises:
        MidogError: As of a training that reads its data, or the file cannot be written.
    """
    rois, kept = read_training_rois(data), MachineSettings()
    side = cut_side(augment, sampling.patch_size)
    train = decode_rois(of_role(rois, "train"), data, kept, side)
    unlabelled = [roi for roi in rois if roi.split == "unlabelled"]
    shown = TrainingRois(train, unlabelled, data, sampling, seed)
    chosen, rows = shown.chosen(per_scanner), sheet_rows(augment)
    lines = [shown.pictures(row.augment, list(chosen)) for row in rows]
    names = [shown.scanner(place) or "unknown" for place in chosen.values()]
    replace_bytes(path, png_of(_sheet(rows, lines, names), MARK), MidogError)
    return [row.name for row in rows]


def sheet_rows(augment: AugmentSettings) -> list[Row]:
    """Return the rows of a sheet for these settings."""
    rows = [Row("as cut", "no augmentation", none())]
    for name in OPS:
        own = alone(name, augment)
        words = setting_words(getattr(own, name)) + ("" if getattr(augment, name) else " (off)")
        rows.append(Row(name, words, own))
    on = [name for name in OPS if getattr(augment, name)]
    return [*rows, Row("all that is on", ", ".join(on) or "nothing", augment)]


def _picture(batch: Batch[BoxTargets], number: int) -> Image.Image:
    """A patch of a batch, made smaller where it is large, with its boxes."""
    pixels: NDArray[np.uint8] = batch.images[number].numpy()
    shown = min(len(pixels), _SIDE)
    picture = Image.fromarray(pixels).resize((shown, shown), Image.Resampling.BOX)
    draw = ImageDraw.Draw(picture)
    targets = batch.targets
    labels = targets["labels"][number].tolist()
    colours = [
        COLOURS["found"] if label == MITOTIC_FIGURE else COLOURS["imposter"] for label in labels
    ]
    rows = [
        *zip(targets["boxes"][number].tolist(), colours, strict=True),
        *((box, _IGNORED) for box in targets["ignore"][number].tolist()),
    ]
    for box, colour in rows:
        x1, y1, x2, y2 = (value * shown / len(pixels) for value in box)
        if x2 > x1 and y2 > y1:
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=colour, width=2)
    return picture


def _sheet(
    rows: Sequence[Row], lines: Sequence[Sequence[Image.Image]], names: Sequence[str]
) -> Image.Image:
    """The rows' pictures, with the rows' names to the left and the scanners' above."""
    step = lines[0][0].width + _GAP
    size = _LABELS + step * len(names), _HEADER + step * len(rows)
    sheet = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    bold, plain = ImageFont.load_default(size=17), ImageFont.load_default(size=12)
    for column, name in enumerate(names):
        draw.text((_LABELS + column * step, 3), name[:32], (0, 0, 0), bold)
    for number, (row, pictures) in enumerate(zip(rows, lines, strict=True)):
        top = _HEADER + number * step
        draw.text((6, top + 4), row.name, (0, 0, 0), bold)
        for line, words in enumerate(_wrapped(row.words)):
            draw.text((6, top + 30 + 15 * line), words, (80, 80, 80), plain)
        for column, picture in enumerate(pictures):
            sheet.paste(picture, (_LABELS + column * step, top))
    return sheet


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, 32)
