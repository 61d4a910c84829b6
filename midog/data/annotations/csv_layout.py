"""Where a CSV of figures holds their places: LAYOUTS, found by the names of its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from midog.data.columns import squeeze

LayoutKind = Literal["points", "corners", "sized", "centred"]

_WIDTH, _HEIGHT = (
    f"{side} box{side} bbox{side} {side[0]} box{side[0]} bbox{side[0]} {side}px {side[0]}px"
    for side in ("width", "height")
)
_LEFT, _TOP = (
    f"{axis}1 {axis}min min{axis} bbox{axis}1 box{axis}1 bbox{axis}min {axis}start start{axis}"
    f" {axis}{side} topleft{axis} {axis}topleft {side} {axis}tl"
    for axis, side in (("x", "left"), ("y", "top"))
)
_RIGHT, _BOTTOM = (
    f"{axis}2 {axis}max max{axis} bbox{axis}2 box{axis}2 bbox{axis}max {axis}end end{axis}"
    f" {axis}{side} bottomright{axis} {axis}bottomright {side} {axis}br"
    for axis, side in (("x", "right"), ("y", "bottom"))
)
_CENTRE = tuple(
    f"c{axis} center{axis} centre{axis} {axis}center {axis}centre {axis}c mid{axis} centroid{axis}"
    f" {axis}centroid bboxcenter{axis} centroid{axis}px center{axis}px centre{axis}px"
    for axis in "xy"
)
_POINT = tuple(
    f"{axis} {axis}px px{axis} coordinate{axis} {axis}coordinate coord{axis} {axis}coord"
    f" pos{axis} {axis}pos position{axis} {axis}position point{axis} {axis}point {axis}pixel"
    f" pixel{axis} loc{axis} location{axis} coordinate{axis}px {centre} {word}"
    for axis, centre, word in (("x", _CENTRE[0], "col column"), ("y", _CENTRE[1], "row line"))
)
_CORNER = tuple(f"{axis} bbox{axis} box{axis} {left}" for axis, left in (("x", _LEFT), ("y", _TOP)))


@dataclass(frozen=True)
class Layout:
    """One way in which the columns of a CSV hold the places of figures.

    kind: points; corners (x1 y1 x2 y2); sized (the upper left corner, width, height); centred
        (centre, width, height).
    ours: our names of its columns. spellings: of each, the squeezed names that it may bear.
    how: how figures are read, for the user.
    """

    kind: LayoutKind
    ours: tuple[str, ...]
    spellings: tuple[tuple[str, ...], ...]
    how: str

    def columns_in(self, header: Iterable[str]) -> dict[str, str] | None:
        """By our name, the column that holds it; None where one is lacking."""
        written = {squeeze(name): name for name in header}
        columns: dict[str, str] = {}
        for own, spellings in zip(self.ours, self.spellings, strict=True):
            column = next((written[word] for word in spellings if word in written), None)
            if column is None or column in columns.values():
                return None
            columns[own] = column
        return columns


def _layout(kind: LayoutKind, ours: str, spellings: Sequence[str], how: str) -> Layout:
    return Layout(kind, tuple(ours.split()), tuple(tuple(s.split()) for s in spellings), how)


LAYOUTS: tuple[Layout, ...] = (
    _layout("corners", "x1 y1 x2 y2", (_LEFT, _TOP, _RIGHT, _BOTTOM), "boxes as x1 y1 x2 y2"),
    _layout("corners", "x1 y1 x2 y2", ("x0", "y0", "x1", "y1"), "boxes as x1 y1 x2 y2"),
    _layout("centred", "x y width height", (*_CENTRE, _WIDTH, _HEIGHT), "boxes by their centre"),
    _layout("sized", "x y width height", (*_CORNER, _WIDTH, _HEIGHT), "boxes as x y width height"),
    _layout("points", "x y", _POINT, "points"),
)
"""The first of which a header has all columns is taken."""

_OTHER_UNIT = re.compile(
    r"(?:x|y|centroid[xy]|center[xy]|centre[xy]|coordinate[xy]|coord[xy]|[xy]coord)"
    r"(?:inum|um|mm|inmm|micron|microns|micrometer|micrometre|norm|normalized|normalised|rel"
    r"|relative|percent)"
)
_BOX_CELL = {"bbox", "box", "boundingbox", "coordinates", "coords", "geometry", "polygon", "point"}


def layout_of(header: Iterable[str]) -> tuple[Layout, dict[str, str]] | None:
    """The layout of a CSV with that header, and its columns by our name; None for no such CSV."""
    header = list(header)
    found = ((layout, layout.columns_in(header)) for layout in LAYOUTS)
    return next(((layout, columns) for layout, columns in found if columns), None)


def why_no_layout(header: Iterable[str]) -> str:
    """What keeps a CSV with that header from being read as figures, "" where nothing is seen."""
    header = list(header)
    for name in header:
        if _OTHER_UNIT.fullmatch(squeeze(name)):
            return f"its column {name!r} is not in px"
        if squeeze(name) in _BOX_CELL:
            return f"its column {name!r} holds several numbers in one cell"
    if header and sum(map(_is_number, header)) >= 2:
        return "it has no header"
    return ""


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?", text.strip()))
