"""A contact sheet of the worst false alarms and misses of each group, as one PNG."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from midog.data.roi import Roi
from midog.errors import MidogError
from midog.evaluation.result import Evaluation, Mistake
from midog.files import replace_bytes
from midog.metrics.mistakes import FALSE_ALARMS, MISSED_TAKEN
from midog.report.pictures import CROP_UM, png_of
from midog.report.worst_mistakes import WORST, Worst, crops_of, left_out, worst_by_group

MARK = "midog sheet of mistakes"
"""In every sheet, so that no other picture is replaced by one."""

MOST = 24
"""Most pictures in a row."""

_SIDE = 192
"""Side of a picture, px."""
_LABELS, _HEADER, _CAPTION, _GAP = 190, 44, 50, 8  # px
_LINE = 14  # px
_LEGEND = (
    f"Pictures are {CROP_UM:g} um wide. Red double ring: false alarm. Yellow broken ring: missed"
    " figure. Green box: annotated figure. Blue box: annotated imposter."
)


def write_mistake_sheet(
    path: Path, result: Evaluation, rois: Sequence[Roi], *, title: str, most: int = WORST
) -> None:
    """Write the worst mistakes as a contact sheet; the same input gives the same bytes.

    It has a row of false alarms, by falling score, and a row of misses for each group: figures
    that were not detected at all, then those whose detection has the lowest score. Under each
    picture stand its score, its ROI, its place in level-0 px and, for a false alarm, what lies
    there.

    Args:
        path: The PNG to replace.
        result: The evaluation.
        rois: Those that were scored; where an image is missing, its pictures are grey.
        title: Above the pictures.
        most: Pictures in a row, up to MOST.

    Raises:
        MidogError: If `path` cannot be written.
    """
    replace_bytes(path, png_of(draw_sheet(result, rois, title=title, most=most), MARK), MidogError)


def draw_sheet(
    result: Evaluation, rois: Sequence[Roi], *, title: str, most: int = WORST
) -> Image.Image:
    """Return the sheet that `write_mistake_sheet` writes; crops are pasted one at a time."""
    rows = worst_by_group(result, min(most, MOST))
    columns = max([len(row.mistakes) for row in rows] + [4])
    size = (
        _LABELS + columns * (_SIDE + _GAP),
        _HEADER + len(rows) * (_SIDE + _CAPTION + _GAP),
    )
    sheet = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    _text(draw, (6, 4), title, size[0] - 12, (0, 0, 0), 17)
    more = f" {left_out(result)} more groups are left out." if left_out(result) else ""
    _text(draw, (6, 26), _LEGEND + more, size[0] - 12, (80, 80, 80), 12)
    places = {}
    for number, row in enumerate(rows):
        top = _HEADER + number * (_SIDE + _CAPTION + _GAP)
        _label(draw, row, top)
        for column, mistake in enumerate(row.mistakes):
            places[id(mistake)] = _LABELS + column * (_SIDE + _GAP), top
    mistakes = [mistake for row in rows for mistake in row.mistakes]
    for mistake, roi, crop in crops_of(mistakes, result, rois, boxes=True):
        left, top = places[id(mistake)]
        if crop is None:
            draw.rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), (225, 225, 225))
            _text(draw, (left + 8, top + 8), "no image", _SIDE - 16, (80, 80, 80), 12)
        else:
            picture = Image.fromarray(crop).resize((_SIDE, _SIDE), Image.Resampling.BOX)
            sheet.paste(picture, (left, top))
        for line, words in enumerate(_caption(mistake, roi)):
            place = left, top + _SIDE + 2 + line * _LINE
            _text(draw, place, words, _SIDE, (0, 0, 0) if line == 0 else (80, 80, 80), 12)
    return sheet


def _label(draw: ImageDraw.ImageDraw, row: Worst, top: int) -> None:
    order = "highest scores" if row.is_alarms else "lowest scores"
    amount = f"{len(row.mistakes)} of {row.total}" if row.total else "none"
    _text(draw, (6, top), row.group, _LABELS - 14, (0, 0, 0), 15)
    _text(draw, (6, top + 22), row.sort, _LABELS - 14, (0, 0, 0), 13)
    _text(draw, (6, top + 40), f"{order}, {amount}", _LABELS - 14, (80, 80, 80), 12)


def _caption(mistake: Mistake, roi: Roi) -> list[str]:
    if math.isnan(mistake.score):
        score = "not detected"
    else:
        score = f"score {mistake.score:.3f}"
        score += f", {-mistake.to_threshold:.3f} short" if mistake.to_threshold < 0 else ""
        score += ", taken by another" if mistake.kind == MISSED_TAKEN else ""
    place = f"x {mistake.x_px:.0f} y {mistake.y_px:.0f}"
    lies_on = f", {mistake.kind}" if mistake.kind in FALSE_ALARMS else ""
    return [score, roi.file_name, place + lies_on]


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    words: str,
    width: int,
    colour: tuple[int, int, int],
    size: int,
) -> None:
    """Write a line, its middle left out where it is wider than `width` px."""
    font = ImageFont.load_default(size=size)

    def shortened(kept: int) -> str:
        return f"{words[: kept * 2 // 3]}…{words[len(words) - kept // 3 :]}"

    shown = words
    if len(words) > 4 and draw.textlength(words, font) > width:
        fitting = bisect_left(
            range(5, len(words)), True, key=lambda n: draw.textlength(shortened(n), font) > width
        )
        shown = shortened(4 + fitting)
    draw.text(place, shown, colour, font)
