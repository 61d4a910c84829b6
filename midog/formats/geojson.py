"""Detections as GeoJSON that QuPath opens by drag and drop, written piece by piece."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from midog.boxes import MITOTIC_FIGURE, Detections
from midog.errors import DetectionsError
from midog.files import replacing
from midog.formats.atypical import ATYPICAL, NORMAL, AtypicalScores
from midog.formats.shared import FIGURE_NAME, NON_FIGURE_NAME, shortest

_KIND_NAMES = {"": FIGURE_NAME, **{kind: f"{kind} {FIGURE_NAME}" for kind in (NORMAL, ATYPICAL)}}
"""Name of the class of a figure by its kind; each is read back as a mitotic figure."""

GEOJSON_COLOURS = {
    FIGURE_NAME: (0, 215, 70),
    NON_FIGURE_NAME: (0, 110, 255),
    _KIND_NAMES[NORMAL]: (0, 215, 70),
    _KIND_NAMES[ATYPICAL]: (225, 0, 170),
}
"""Colour of a class in QuPath, RGB 0 to 255, by its name: as in the overlay pictures."""

_PIECE = 4096  # detections whose text is in memory at once
_DECIMALS = 2  # QuPath keeps no more of a px


def write_geojson(
    path: Path,
    parts: Iterable[Detections],
    *,
    threshold: float,
    origin: tuple[int, int] = (0, 0),
    atypical: AtypicalScores | None = None,
) -> None:
    """Write class 1 as a FeatureCollection of QuPath's detection objects, in their order.

    Each is its box as a polygon (a point where it is under 0.01 px wide or high), in px of level 0
    from QuPath's origin to 0.01 px, with its score as the measurement `probability` and a class of
    the name and colour of its side of the threshold, as in the challenge's files. QuPath's reader
    is `qupath.lib.io.QuPathTypeAdapters` (version 0.7). The same detections give the same bytes,
    and memory does not grow with their number.

    Args:
        path: The file to replace, compressed if it ends in .gz; missing folders on the way are
            made.
        parts: Boxes in level-0 px, in one or several parts.
        threshold: In [0, 1]; a score of it or more is a mitotic figure.
        origin: (x, y) of QuPath's px (0, 0) in level-0 px; QuPath cuts a slide to its bounds.
        atypical: What is known of the figures of all parts together: the class is then 'atypical
            mitotic figure' or 'normal mitotic figure', with the measurement `atypical_probability`;
            None: they are not told apart.

    Raises:
        DetectionsError: If the file cannot be written.
    """
    with replacing(path, DetectionsError, parents=True) as part, _writing(part, path) as file:
        file.write(b'{"type":"FeatureCollection","features":[')
        separator = "\n"
        for lines in _pieces(parts, threshold, origin, atypical):
            file.write((separator + ",\n".join(lines)).encode())
            separator = ",\n"
        file.write(b"\n]}\n")


@contextmanager
def _writing(part: Path, path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The file open for bytes; compressed without a time, so that equal bytes give equal bytes."""
    with part.open("wb") as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as compressed:
            yield compressed


def _pieces(
    parts: Iterable[Detections],
    threshold: float,
    origin: tuple[int, int],
    atypical: AtypicalScores | None,
) -> Iterator[list[str]]:
    """Features of a few detections at a time, never none."""
    before = 0
    for detections in parts:
        for start in range(0, len(detections), _PIECE):
            piece = slice(start, start + _PIECE)
            keep = detections.labels[piece] == MITOTIC_FIGURE
            boxes = detections.boxes[piece][keep].astype(np.float64) - (*origin, *origin)
            corners = (np.round(boxes, _DECIMALS) + 0.0).tolist()  # + 0.0: no -0.0
            scores = detections.scores[piece][keep]
            above = (scores >= np.float32(threshold)).tolist()  # as Detections.at_least
            told: Iterable[tuple[str, float | None]] = [("", None)] * len(scores)
            if atypical is not None:
                numbers = before + np.flatnonzero(keep) + start
                own = AtypicalScores(atypical.probabilities[numbers], atypical.threshold)
                told = zip(own.kinds, own.written, strict=True)
            rows = zip(corners, scores, above, told, strict=True)
            lines = [_feature(*row) for row in rows]
            if lines:
                yield lines
        before += len(detections)


def _feature(
    corners: list[float], score: np.float32, is_above: bool, told: tuple[str, float | None]
) -> str:
    """One detection object, on a line of its own."""
    name = _KIND_NAMES[told[0]] if is_above else NON_FIGURE_NAME
    colour = ",".join(map(str, GEOJSON_COLOURS[name]))
    also = "" if told[1] is None else f',"atypical_probability":{told[1]}'
    return (
        f'{{"type":"Feature","geometry":{_geometry(*corners)},"properties":{{'
        f'"objectType":"detection","classification":{{"name":"{name}","color":[{colour}]}},'
        f'"measurements":{{"probability":{shortest(score)}{also}}}}}}}'
    )


def _geometry(x1: float, y1: float, x2: float, y2: float) -> str:
    if x1 == x2 or y1 == y2:  # a polygon without area is none to QuPath
        return f'{{"type":"Point","coordinates":[{(x1 + x2) / 2},{(y1 + y2) / 2}]}}'
    ring = f"[{x1},{y1}],[{x2},{y1}],[{x2},{y2}],[{x1},{y2}],[{x1},{y1}]"
    return f'{{"type":"Polygon","coordinates":[[{ring}]]}}'
