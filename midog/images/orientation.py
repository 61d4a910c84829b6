"""Pictures turned or mirrored as their orientation tag says, as viewers and labelling tools do."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np

from midog.images.opened_file import Level, OpenedFile, warn_once
from midog.images.pixels import Pixels

_TURNS = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
"""By the value of tag 274 of TIFF 6.0 and EXIF: whether rows become columns, and whether x and y
are then counted from the other edge."""


_BLOCK = 256
"""Side of the parts, px, that a damaged tile of a turned file spoils: its grid is turned too."""


def turned(path: Path, file: OpenedFile, orientation: object) -> OpenedFile:
    """A file shown as its orientation tag says; a warning states that boxes refer to that.

    Args:
        path: the file, for the warning.
        file: the file as its pixels are stored.
        orientation: the tag's value; all but 2 to 8 leave the file as it is.
    """
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    if turn is None:
        return file
    warn_once(
        f"{path} is shown turned, as its orientation tag ({orientation}) says: "
        "boxes refer to the turned picture"
    )
    levels = tuple(_turned_level(level, turn) for level in file.levels)
    mpp = file.mpp.swapped() if turn[0] else file.mpp
    return replace(file, levels=levels, mpp=mpp, mapped=None)


def _turned_level(level: Level, turn: tuple[bool, bool, bool]) -> Level:
    width, height = level.size[::-1] if turn[0] else level.size
    read_into = functools.partial(_read_into, level, (width, height), turn)
    tile = None if level.tile is None else (_BLOCK, _BLOCK)
    return Level((width, height), level.downsample, read_into, tile)


def _read_into(
    level: Level, size: tuple[int, int], turn: tuple[bool, bool, bool], x: int, y: int, out: Pixels
) -> None:
    swapped, mirror_x, mirror_y = turn
    height, width = out.shape[:2]
    x = size[0] - x - width if mirror_x else x
    y = size[1] - y - height if mirror_y else y
    stored = np.empty((width, height, 3) if swapped else (height, width, 3), np.uint8)
    level.read_into(*((y, x) if swapped else (x, y)), stored)
    shown = stored.swapaxes(0, 1) if swapped else stored
    out[:] = shown[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]
