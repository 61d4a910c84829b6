"""A picture of the image with a frame around each figure, and a legend below."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes, Detections
from midog.errors import DetectionsError
from midog.files import replace_bytes
from midog.metrics.points import centres_mm, mm_of_px
from midog.mpp import MppLike

COLOURS = {
    "found": (0, 215, 70),
    "hit": (0, 215, 70),
    "false alarm": (240, 20, 20),
    "missed": (255, 225, 0),
    "imposter": (0, 110, 255),
}
"""Frames in overlay pictures, and rings in reports, RGB 0 to 255."""
_PLURAL = {
    "found": "mitotic figures found",
    "hit": "mitotic figures found",
    "false alarm": "false alarms",
    "missed": "missed",
    "imposter": "look-alikes (imposters)",
}
_MARGIN_PX = 6  # between a figure's box and its frame, so that the cell is seen whole


_LARGEST_SIDE = 65_500
"""JPEG bears no longer side, px."""
_LEGEND_ROOM = 1000
"""The legend below is lower, px."""
_MOST_PX = 1 << 27
"""A larger picture is made smaller: these take 0.5 GB in memory."""

Rows = Callable[[float], Iterator[tuple[int, NDArray[np.uint8]]]]
"""Reads an image resampled by a factor: bands (h, w, 3) uint8 RGB with the number of their first
row, from the top down."""


def overlay_scale(width: int, height: int) -> float:
    """Return px of the overlay for a px of an image: 1, or less for one that is too large.

    Args:
        width, height: Of the image, px.
    """
    longest = min(_LARGEST_SIDE / width, (_LARGEST_SIDE - _LEGEND_ROOM) / height)
    return float(min(1.0, longest, math.sqrt(_MOST_PX / (width * height))))


def reduction(width: int, height: int) -> str:
    """Say how much smaller than its image an overlay is; "" where it is as large.

    Args:
        width, height: Of the image, px.
    """
    scale = overlay_scale(width, height)
    if scale == 1:
        return ""
    smaller = " x ".join(f"{math.ceil(side * scale - 1e-9):,}" for side in (width, height))
    return (
        f"the overlay is made {1 / scale:.3g} times smaller than the image, {smaller} px of"
        f" {width:,} x {height:,} (at most {_LARGEST_SIDE:,} px a side, as in a JPEG, and"
        f" {_MOST_PX / 1e6:.0f} megapixels)"
    )


def write_overlay(
    path: Path,
    size: tuple[int, int],
    rows: Rows,
    detections: Detections,
    *,
    mpp: MppLike,
    threshold: float,
    truth: Boxes | None = None,
) -> None:
    """Write the image with frames around the mitotic figures and a legend with their counts.

    Detected figures (class 1, score >= threshold) have a green frame and their score. With `truth`,
    only hits (matched as in scoring, within 7.5 um) are green; false alarms have red double frames,
    missed figures yellow broken ones, imposters thin blue ones. The overlay of a large image is
    smaller, see `overlay_scale`.

    Args:
        path: The file to replace, PNG or JPEG by its ending; missing folders on the way are made.
        size: (width, height) of the image, level-0 px.
        rows: Reads the image.
        detections: Boxes in level-0 px.
        mpp: um/px of level 0, or those along x and y.
        threshold: In [0, 1].
        truth: The annotated boxes in level-0 px, if the image is labelled.

    Raises:
        DetectionsError: If the file cannot be written.
    """
    scale = overlay_scale(*size)
    marks = [
        mark.resized(scale) for mark in _marks(detections.figures().at_least(threshold), truth, mpp)
    ]
    kinds = ["found"] if truth is None else ["hit", "false alarm", "missed", "imposter"]
    legend = [
        (kind, f"{sum(mark.kind == kind for mark in marks)} {_PLURAL[kind]}") for kind in kinds
    ]
    legend.append(("", f"score of {threshold:.2f} or more"))
    if scale < 1:
        legend.append(("", f"{1 / scale:.3g} times smaller than the image"))
    width, height = (math.ceil(side * scale - 1e-9) for side in size)
    lines = _Legend.of(width, legend)
    picture = Image.new("RGB", (width, height + lines.height), (255, 255, 255))
    for y, band in rows(scale):
        picture.paste(Image.fromarray(np.ascontiguousarray(band)), (0, y))
    draw = ImageDraw.Draw(picture)
    for mark in marks:
        _draw_frame(draw, mark.kind, mark.box)
    for mark in marks:  # after all frames, so that none crosses a score
        _draw_score(draw, mark, (width, height))
    lines.draw(draw, width, height)
    # in memory first: Pillow does not notice a file that the disk cuts short
    file = io.BytesIO()
    if path.suffix.lower() in (".jpg", ".jpeg"):  # in full colour, so that frames stay crisp
        picture.save(file, "JPEG", quality=92, subsampling=0)
    else:
        picture.save(file, "PNG", compress_level=3)
    replace_bytes(path, file.getvalue(), DetectionsError, parents=True)


@dataclass(frozen=True)
class _Mark:
    kind: str
    box: tuple[float, float, float, float]
    score: float | None = None

    def resized(self, scale: float) -> _Mark:
        x1, y1, x2, y2 = (side * scale for side in self.box)
        return _Mark(self.kind, (x1, y1, x2, y2), self.score)


def _marks(detected: Detections, truth: Boxes | None, mpp: MppLike) -> list[_Mark]:
    """What to draw, the important last, on top."""
    boxes = [tuple(box) for box in detected.boxes.tolist()]
    scores = detected.scores.tolist()
    if truth is None:
        return [_Mark("found", box, score) for box, score in zip(boxes, scores, strict=True)]
    from midog.metrics.matching import match_points

    figures, imposters = truth.of_class(MITOTIC_FIGURE), truth.of_class(IMPOSTER)
    taken = match_points(
        centres_mm(figures, mpp), mm_of_px(detected.centers, mpp)
    ).truth_to_detection
    hits = set(taken.tolist())
    wider = imposters + np.array([-12, -12, 12, 12])  # to be seen around a false alarm on it
    marks = [_Mark("imposter", tuple(box)) for box in wider.tolist()]
    marks += [
        _Mark("missed", tuple(box))
        for box, at in zip(figures.tolist(), taken, strict=True)
        if at < 0
    ]
    for at, (box, score) in enumerate(zip(boxes, scores, strict=True)):
        marks.append(_Mark("hit" if at in hits else "false alarm", box, score))
    return marks


def _draw_frame(
    draw: ImageDraw.ImageDraw, kind: str, box: tuple[float, float, float, float]
) -> None:
    """Draw a frame that can be told from the others without colour as well.

    It is plain, double (false alarm), broken (missed) or thin (imposter).
    """
    x1, y1 = box[0] - _MARGIN_PX, box[1] - _MARGIN_PX
    x2, y2 = box[2] + _MARGIN_PX, box[3] + _MARGIN_PX
    colour = COLOURS[kind]
    if kind == "imposter":
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=2)
    elif kind == "missed":
        for start in np.arange(0, x2 - x1, 16):
            for y in (y1, y2):
                draw.line((x1 + start, y, min(x1 + start + 10, x2), y), fill=colour, width=3)
        for start in np.arange(0, y2 - y1, 16):
            for x in (x1, x2):
                draw.line((x, y1 + start, x, min(y1 + start + 10, y2)), fill=colour, width=3)
    else:
        draw.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=(0, 0, 0), width=5)
        draw.rectangle((x1, y1, x2, y2), outline=colour, width=3)
        if kind == "false alarm":
            draw.rectangle((x1 - 6, y1 - 6, x2 + 6, y2 + 6), outline=colour, width=2)


def _draw_score(draw: ImageDraw.ImageDraw, mark: _Mark, size: tuple[int, int]) -> None:
    if mark.score is None:
        return
    font, text = ImageFont.load_default(size=17), f"{mark.score:.2f}"
    x = min(max(mark.box[0] - _MARGIN_PX - 1, 0), size[0] - 42)
    above = mark.box[1] - _MARGIN_PX - 28
    y = above if above >= 0 else mark.box[3] + _MARGIN_PX + 9
    draw.rectangle((x, y, x + 41, y + 18), fill=COLOURS[mark.kind])
    draw.text(
        (x + 21, y + 9),
        text,
        (255, 255, 255) if mark.kind == "false alarm" else (0, 0, 0),
        font,
        anchor="mm",
    )


@dataclass(frozen=True)
class _Legend:
    """Explains the frames on a white strip below the picture, in as many lines as needed.

    Attributes:
        size: Of the letters, px.
        places: x, y within the strip, kind of the frame ("": none) and text of the entries.
        height: Of the strip, px.
    """

    size: int
    places: tuple[tuple[int, int, str, str], ...]
    height: int

    @classmethod
    def of(cls, width: int, entries: Sequence[tuple[str, str]]) -> _Legend:
        """The legend of kinds and texts below a picture of that width."""
        size = min(max(width // 60, 16), 60)
        font = ImageFont.load_default(size=size)
        places, x, y = [], size, size
        for kind, text in entries:
            wide = int(font.getlength(text)) + (2 * size if kind else 0)
            if x > size and x + wide > width:
                x, y = size, y + 2 * size
            places.append((x, y, kind, text))
            x += wide + 2 * size
        return cls(size, tuple(places), y + 2 * size)

    def draw(self, draw: ImageDraw.ImageDraw, width: int, top: int) -> None:
        """Draw the strip at `top`, over frames that reach into it."""
        draw.rectangle((0, top, width, top + self.height), fill=(255, 255, 255))
        font, size = ImageFont.load_default(size=self.size), self.size
        for x, y, kind, text in self.places:
            if kind:
                inner = (
                    x + _MARGIN_PX,
                    top + y + _MARGIN_PX,
                    x + size - _MARGIN_PX,
                    top + y + size - _MARGIN_PX,
                )
                _draw_frame(draw, kind, inner)
            at = x + (2 * size if kind else 0), top + y - size // 8
            draw.text(at, text, (0, 0, 0), font)
