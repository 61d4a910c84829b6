"""Damaged tiles of a slide: an error on reading, or white with a warning that says where."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from midog.errors import ImageError
from midog.images.opened_file import Level, OpenedFile, damaged
from midog.images.pixels import Piece, Pixels, pieces

logger = logging.getLogger(__name__)

_MOST_WARNINGS = 5  # of one image; the others are counted

_UNREAD, _SOUND, _DAMAGED = range(3)


class DamagedTiles:
    """What is damaged of an image, as far as it was read.

    Args:
        path: The file, for messages.
        is_white: A damaged tile is read as white, with a warning; else it is an error.
    """

    def __init__(self, path: Path, *, is_white: bool) -> None:
        self.path, self.is_white = path, is_white
        self._levels: list[_WatchedLevel] = []
        self._lock = threading.Lock()
        self.count, self.first = 0, ""

    def watched(self, file: OpenedFile) -> OpenedFile:
        """The file with levels that heed damage of their tiles, also such as reading passes over.

        Those that can only be decoded as a whole are as they were: their damage is an error.
        """
        levels = list[Level]()
        for number, level in enumerate(file.levels):
            if level.tile is not None and (self.is_white or level.damage_of is not None):
                reader = _WatchedLevel(self, number, level, level.tile)
                self._levels.append(reader)
                level = replace(level, read_into=reader.read_into)
            levels.append(level)
        return replace(file, levels=tuple(levels))

    def report(self) -> None:
        """State how many tiles are damaged, if there are more than were named.

        Raises:
            ImageError: Where all that was read is damaged.
        """
        if self.count and not any((level.states == _SOUND).any() for level in self._levels):
            raise damaged(self.path, self.first)
        if self.count > _MOST_WARNINGS:
            logger.warning("%s: %d damaged tiles in all are read as white", self.path, self.count)

    def all_sound(self) -> None:
        """Take all of level 0 for sound, which was looked through."""
        for level in self._levels:
            if level.number == 0:
                level.states[:] = _SOUND

    def note(self, place: str, reason: str) -> None:
        """Warn of a damaged tile, the first few of them by their place."""
        with self._lock:
            self.count += 1
            self.first = self.first or reason
            if self.count <= _MOST_WARNINGS:
                text = "%s: the tile at %s is damaged and read as white (%.200s)"
                logger.warning(text, self.path, place, reason)


class _WatchedLevel:
    """A level of whose tiles damage is heeded.

    Args:
        image: What is known of the image.
        number: Of the level.
        level: It.
        tile: (width, height) of its tiles, px.
    """

    def __init__(
        self, image: DamagedTiles, number: int, level: Level, tile: tuple[int, int]
    ) -> None:
        self._image, self.number, self._level, self._tile = image, number, level, tile
        self._lock = threading.Lock()
        width, height = level.size
        # a byte for each tile, as a slide has a hundred thousand
        self.states = np.zeros((-(-height // tile[1]), -(-width // tile[0])), np.uint8)

    def read_into(self, x: int, y: int, out: Pixels) -> None:
        """As `Level.read_into`; a damaged tile is white, or an error."""
        parts = list(pieces((x, y), out.shape, self._tile[::-1]))
        self._look_for_damage([(row, column) for row, column, _, _ in parts])
        states = [self.states[row, column] for row, column, _, _ in parts]
        if _DAMAGED not in states:
            try:
                self._level.read_into(x, y, out)
            except ImageError:
                if not self._image.is_white:
                    raise
                # one of the tiles: which, reading them one by one tells
            else:
                for row, column, _, _ in parts:
                    self.states[row, column] = _SOUND
                return
        for part in parts:
            self._read_part(part, out)

    def _read_part(self, piece: Piece, out: Pixels) -> None:
        """Read what a region shows of one tile."""
        row, column, inside, place = piece
        if self.states[row, column] != _DAMAGED:
            region = np.empty_like(out[place])
            left, top = (
                column * self._tile[0] + inside[1].start,
                row * self._tile[1] + inside[0].start,
            )
            try:
                self._level.read_into(left, top, region)
            except ImageError as error:
                self._note(row, column, error.what)
            else:
                self.states[row, column] = _SOUND
                out[place] = region
                return
        out[place] = 255

    def _look_for_damage(self, tiles: list[tuple[int, int]]) -> None:
        """Note damage over which reading passes, of tiles that were not read before."""
        damage_of = self._level.damage_of
        new = [tile for tile in tiles if self.states[tile] == _UNREAD]
        if damage_of is not None and new and damage_of(new):
            for tile in new:
                if damage := damage_of([tile]):
                    self._note(*tile, damage)

    def _note(self, row: int, column: int, reason: str) -> None:
        """Note a damaged tile, so that it is white from now on, or raise the error for it."""
        if not self._image.is_white:
            where = f"{reason}, in the tile at {self._place(row, column)}"
            raise damaged(self._image.path, where)
        with self._lock:
            noted, self.states[row, column] = self.states[row, column], _DAMAGED
        if noted != _DAMAGED:
            self._image.note(self._place(row, column), reason)

    def _place(self, row: int, column: int) -> str:
        """Where a tile is, in words."""
        starts = column * self._tile[0], row * self._tile[1]
        ends = [
            min(start + side, end)
            for start, side, end in zip(starts, self._tile, self._level.size, strict=True)
        ]
        left, top, right, bottom = (round(px * self._level.downsample) for px in (*starts, *ends))
        of_level = f" of level {self.number}" if self.number else ""
        return f"x {left} to {right}, y {top} to {bottom} (level-0 px){of_level}"
