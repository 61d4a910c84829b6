"""Detection files of one image: challenge JSON (written and read), CSV, COCO, and a picture with
frames."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes, Detections, centers_of
from midog.errors import DetectionsError
from midog.files import replace_text, replacing, to_json

FORMATS: dict[str, str] = {
    "challenge": ".json",
    "csv": ".csv",
    "coco": ".coco.json",
    "overlay": ".overlay.jpg",
}
"""Formats that can be written, and the ending of their files: 001.tiff gives 001.json, 001.csv,
…"""

FIGURE_NAME = "mitotic figure"
NON_FIGURE_NAME = "non-mitotic figure"
_LABELS = {MITOTIC_FIGURE: FIGURE_NAME, IMPOSTER: NON_FIGURE_NAME}


@dataclass(frozen=True, eq=False)
class FoundPoints:
    """The points of one challenge file, in its order.

    points_mm: (N, 2) float64, x y in mm. scores: (N,) float64 in [0, 1], NaN where the file gives
    no probability.
    is_figure: (N,) bool, the point is named 'mitotic figure' or, as in 2021's files, not named at
    all.
    """

    points_mm: NDArray[np.float64]
    scores: NDArray[np.float64]
    is_figure: NDArray[np.bool_]


def write_challenge(path: Path, detections: Detections, *, mpp: float, threshold: float) -> None:
    """Write class 1 as Grand Challenge's 'Multiple points', the MIDOG challenge's format, by
    falling score.

    Points are in millimetres, px * mpp / 1000. The name is 'mitotic figure' for a score >=
    threshold, else 'non-mitotic figure'; every point has its score as probability, in the fewest
    digits that name that float32. Same detections, same bytes. Raises DetectionsError where `path`
    cannot be written.
    """
    figures = detections.figures()
    figures = figures.select(np.argsort(-figures.scores, kind="stable"))
    above = figures.scores >= np.float32(threshold)  # as Detections.at_least
    points = [
        {
            "name": FIGURE_NAME if is_above else NON_FIGURE_NAME,
            "point": [x, y, 0],
            "probability": _shortest(score),
        }
        for (x, y), score, is_above in zip(
            (figures.centers * mpp / 1000).tolist(), figures.scores, above, strict=True
        )
    ]
    version = {"major": 1, "minor": 0}
    document = {
        "name": "Points of interest",
        "type": "Multiple points",
        "points": points,
        "version": version,
    }
    replace_text(path, to_json(document), DetectionsError, shared=True, parents=True)


def read_challenge(path: Path) -> FoundPoints:
    """Read a 'Multiple points' file, ours or anybody's: points of two or three numbers, in
    millimetres.

    As the challenge's own scorer does, a point without a name is a mitotic figure.
    Raises DetectionsError that names the file, and the point (counted from 1), where it is no such
    file.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DetectionsError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DetectionsError(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("points"), list):
        raise DetectionsError(
            f"{path} has no list `points`", "give Grand Challenge JSON of type 'Multiple points'"
        )
    if document.get("type", "Multiple points") != "Multiple points":
        raise DetectionsError(
            f"{path} is of type {document['type']!r}", "give JSON of type 'Multiple points'"
        )
    rows = [
        _read_point(point, f"{path} point {number}")
        for number, point in enumerate(document["points"], 1)
    ]
    return FoundPoints(
        points_mm=np.array([row[:2] for row in rows], np.float64).reshape(-1, 2),
        scores=np.array([row[2] for row in rows], np.float64),
        is_figure=np.array([row[3] for row in rows], bool),
    )


def write_csv(path: Path, detections: Detections, *, file_name: str) -> None:
    """Write both classes as file_name,x1,y1,x2,y2,x,y,label,score: corners and centre in level-0
    px.

    label is 'mitotic figure' or 'non-mitotic figure' (class 2). Raises DetectionsError where it
    cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file_name", "x1", "y1", "x2", "y2", "x", "y", "label", "score"])
    columns = (
        detections.boxes,
        detections.centers.tolist(),
        detections.labels.tolist(),
        detections.scores,
    )
    for box, center, label, score in zip(*columns, strict=True):
        table.writerow([file_name, *map(_shortest, box), *center, _LABELS[label], _shortest(score)])
    replace_text(path, text.getvalue(), DetectionsError, shared=True, parents=True)


def write_coco(
    path: Path, detections: Detections, *, file_name: str, width: int, height: int
) -> None:
    """Write both classes as a COCO file of one image, bbox as x y width height in px, with a
    `score` per annotation.

    `pycocotools.coco.COCO` reads it, and its `annotations` are what `loadRes` takes (image_id 1;
    category 1 mitotic figure, 2 non-mitotic figure). Raises DetectionsError where it cannot be
    written.
    """
    annotations = []
    columns = (
        detections.boxes.astype(np.float64).tolist(),
        detections.labels.tolist(),
        detections.scores,
    )
    for number, ((x1, y1, x2, y2), label, score) in enumerate(zip(*columns, strict=True), 1):
        width_px, height_px = x2 - x1, y2 - y1
        row = {
            "id": number,
            "image_id": 1,
            "category_id": label,
            "bbox": [x1, y1, width_px, height_px],
        }
        annotations.append(
            row | {"area": width_px * height_px, "iscrowd": 0, "score": _shortest(score)}
        )
    document = {
        "images": [{"id": 1, "file_name": file_name, "width": width, "height": height}],
        "categories": [{"id": label, "name": name} for label, name in _LABELS.items()],
        "annotations": annotations,
    }
    replace_text(path, to_json(document), DetectionsError, shared=True, parents=True)


def write_overlay(
    path: Path,
    image: NDArray[np.uint8],
    detections: Detections,
    *,
    mpp: float,
    threshold: float,
    truth: Boxes | None = None,
) -> None:
    """Write a picture of the image with a frame around each mitotic figure found, and a legend with
    counts below it.

    image: (H, W, 3) uint8 RGB. PNG or JPEG by the ending of `path`. Found figures (class 1, score
    >= threshold) have a green frame and their score. With `truth`, green are only the hits (matched
    as in scoring, within 7.5 um), red double frames are false alarms, yellow broken ones missed
    figures, and thin blue ones the imposters. Raises DetectionsError where `path` cannot be
    written.
    """
    assert image.dtype == np.uint8, image.dtype
    assert image.ndim == 3, image.shape
    marks = _marks(detections.figures().at_least(threshold), truth, mpp)
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for mark in marks:
        _draw_frame(draw, mark.kind, mark.box)
    for mark in marks:  # after all frames, so that none crosses a score
        _draw_score(draw, mark, picture.size)
    kinds = ["found"] if truth is None else ["hit", "false alarm", "missed", "imposter"]
    legend = [
        (kind, f"{sum(mark.kind == kind for mark in marks)} {_PLURAL[kind]}") for kind in kinds
    ]
    whole = _with_legend(picture, [*legend, ("", f"score of {threshold:.2f} or more")])
    with replacing(path, DetectionsError, shared=True, parents=True) as temporary:
        if path.suffix.lower() in (".jpg", ".jpeg"):
            whole.save(
                temporary, "JPEG", quality=92, subsampling=0
            )  # whole colour: thin frames stay crisp
        else:
            whole.save(temporary, "PNG", compress_level=3)


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


@dataclass(frozen=True)
class _Mark:
    kind: str
    box: tuple[float, float, float, float]
    score: float | None = None


def _marks(found: Detections, truth: Boxes | None, mpp: float) -> list[_Mark]:
    """What to draw, the important last, on top."""
    boxes = [tuple(box) for box in found.boxes.tolist()]
    if truth is None:
        return [
            _Mark("found", box, score)
            for box, score in zip(boxes, found.scores.tolist(), strict=True)
        ]
    from midog.metrics.matching import match_points  # with scipy, which only this asks for

    figures, imposters = truth.of_class(MITOTIC_FIGURE), truth.of_class(IMPOSTER)
    taken = match_points(
        centers_of(figures) * mpp / 1000, found.centers * mpp / 1000
    ).truth_to_found
    hits = set(taken.tolist())
    wider = imposters + np.array([-12, -12, 12, 12])  # to be seen around a false alarm on it
    marks = [_Mark("imposter", tuple(box)) for box in wider.tolist()]
    marks += [
        _Mark("missed", tuple(box))
        for box, at in zip(figures.tolist(), taken, strict=True)
        if at < 0
    ]
    for at, (box, score) in enumerate(zip(boxes, found.scores.tolist(), strict=True)):
        marks.append(_Mark("hit" if at in hits else "false alarm", box, score))
    return marks


def _draw_frame(
    draw: ImageDraw.ImageDraw, kind: str, box: tuple[float, float, float, float]
) -> None:
    """One frame: plain, double (false alarm), broken (missed) or thin (imposter), to be told apart
    without colour."""
    x1, y1, x2, y2 = (
        box[0] - _MARGIN_PX,
        box[1] - _MARGIN_PX,
        box[2] + _MARGIN_PX,
        box[3] + _MARGIN_PX,
    )
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


def _with_legend(picture: Image.Image, entries: list[tuple[str, str]]) -> Image.Image:
    """The picture on a white strip that explains the frames, in as many lines as its width asks
    for."""
    size = min(max(picture.width // 60, 16), 60)
    font = ImageFont.load_default(size=size)
    places, x, y = [], size, size
    for kind, text in entries:
        wide = int(font.getlength(text)) + (2 * size if kind else 0)
        if x > size and x + wide > picture.width:
            x, y = size, y + 2 * size
        places.append((x, y, kind, text))
        x += wide + 2 * size
    whole = Image.new("RGB", (picture.width, picture.height + y + 2 * size), (255, 255, 255))
    whole.paste(picture)
    draw = ImageDraw.Draw(whole)
    for x, y, kind, text in places:
        top = picture.height + y
        if kind:
            inner = (
                x + _MARGIN_PX,
                top + _MARGIN_PX,
                x + size - _MARGIN_PX,
                top + size - _MARGIN_PX,
            )
            _draw_frame(draw, kind, inner)
        draw.text((x + (2 * size if kind else 0), top - size // 8), text, (0, 0, 0), font)
    return whole


def _read_point(point: Any, where: str) -> tuple[float, float, float, bool]:
    """x mm, y mm, probability (NaN: none), is it a mitotic figure."""
    if not isinstance(point, dict):
        raise DetectionsError(f"{where} is {str(point)[:40]!r}", "write an object with `point`")
    place, score = point.get("point"), point.get("probability", math.nan)
    if not isinstance(place, list) or len(place) not in (2, 3) or not all(map(_is_number, place)):
        raise DetectionsError(
            f"{where}: `point` is {str(place)[:60]}", "write two or three numbers, in millimetres"
        )
    if "probability" in point and not (_is_number(score) and 0 <= score <= 1):
        raise DetectionsError(
            f"{where}: `probability` is {str(score)[:40]!r}", "write a number from 0 to 1"
        )
    return (
        float(place[0]),
        float(place[1]),
        float(score),
        point.get("name", FIGURE_NAME) == FIGURE_NAME,
    )


def _is_number(value: Any) -> bool:
    """A finite number that float() takes; neither true nor false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _shortest(value: np.float32) -> float:
    """The float whose decimal writing is the shortest that names this float32: 0.7, not
    0.699999988079071."""
    return float(str(value))
