"""Which picture of a TIFF is meant: the largest, not the first; its pages and its levels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from midog.images.opened_file import warn_once

_ASIDE = re.compile(r"\b(?:label|macro|thumb\w*|overview|preview)\b", re.IGNORECASE)
"""Names of pictures that a scanner adds, which may be larger than a small ROI."""

_COARSER = 1.5
"""A picture whose px are longer by more than this factor is not of full resolution."""

_CENTIMETRES = {2: 2.54, 3: 1.0}
"""Length of a ResolutionUnit of TIFF 6.0: inch, centimetre; others are rare, or none."""

_COLOURS = ("red", "green", "blue")
_CHANNELS = 3


@dataclass(frozen=True)
class TiffPicture:
    """One picture of an open TIFF.

    levels: the pages of each resolution as tifffile gives them, the finest first: one page, or
        those of red, green and blue.
    axes: of level 0, in tifffile's letters: YX, YXS, SYX, or CYX for three planes of colour;
        anything else cannot be read.
    """

    levels: tuple[tuple[Any, ...], ...]
    axes: str

    @property
    def page(self) -> Any:
        """The first page of level 0, whose tags are those of the picture."""
        return self.levels[0][0]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), px."""
        return self.page.imagewidth, self.page.imagelength


def largest_picture(path: Path, tiff: Any) -> TiffPicture:
    """The largest picture of full resolution in a TIFF that is no label, macro, thumbnail or mask.

    The first of several of that size. A warning says so where the file holds others, apart from
    the picture's own levels.

    Args:
        path: the file, for a warning.
        tiff: the open file of tifffile's.
    """
    named = [(picture, name) for picture, name in _pictures(tiff) if not _is_mask(picture.page)]
    meant = [picture for picture, name in named if not _ASIDE.search(name)]
    pictures = meant or [picture for picture, _ in named] or [next(_pictures(tiff))[0]]
    pictures = _of_full_resolution(pictures)
    chosen = max(pictures, key=lambda picture: picture.size[0] * picture.size[1])
    if len(pictures) > 1:
        sizes = ", ".join(f"{width} x {height}" for width, height in (p.size for p in pictures[:5]))
        more = ", ..." if len(pictures) > 5 else ""
        warn_once(
            f"{path} holds {len(pictures)} pictures ({sizes}{more} px): the largest is read, "
            f"page {chosen.page.index + 1}"
        )
    return chosen


def _of_full_resolution(pictures: list[TiffPicture]) -> list[TiffPicture]:
    """The pictures without those that are coarser by their tags: a macro may be the largest.

    Where a picture states its resolution, those are left out that state a coarser one, or none and
    are marked as reduced.
    """
    counts = [_px_per_unit(picture.page) for picture in pictures]
    finest = max((count for count in counts if count is not None), default=None)
    if finest is None:
        return pictures
    return [
        picture
        for picture, count in zip(pictures, counts, strict=True)
        if (not picture.page.is_reduced if count is None else count * _COARSER > finest)
    ]


def _px_per_unit(page: Any) -> float | None:
    """Px of a centimetre, as the resolution tags of a page state them; None without."""
    unit = _CENTIMETRES.get(page.tags.valueof("ResolutionUnit", 2))
    count = page.tags.valueof("XResolution")
    if unit is None or not isinstance(count, tuple) or len(count) != 2 or not all(count):
        return None
    return float(count[0] / count[1] / unit)


def colour_planes(path: Path, tiff: Any, picture: TiffPicture) -> bool:
    """Whether a picture's three pages are its red, green and blue.

    They are where nothing names the channels otherwise, as dyes of fluorescence; a warning says it.
    """
    layouts = {
        (page.imagewidth, page.imagelength, page.samplesperpixel) for page in picture.levels[0]
    }
    if (
        picture.axes != "CYX"
        or len(picture.levels[0]) != _CHANNELS
        or layouts != {(*picture.size, 1)}
    ):
        return False
    names = re.findall(r"<(?:\w+:)?Channel\b[^>]*?\bName=\"([^\"]*)\"", tiff.ome_metadata or "")
    for name, colour in zip(names[:_CHANNELS], _COLOURS, strict=False):
        if name.lower() not in (colour, colour[0], "", *_numbered(colour)):
            return False
    warn_once(f"{path} holds three planes of grey: they are read as red, green and blue")
    return True


def _numbered(colour: str) -> tuple[str, ...]:
    """Names that say no more than the channel's number."""
    number = _COLOURS.index(colour)
    return tuple(
        f"{word}{gap}{number + start}"
        for word in ("channel", "ch", "c", "")
        for gap in ("", " ", ":", "_")
        for start in (0, 1)
    )


def _pictures(tiff: Any) -> Iterator[tuple[TiffPicture, str]]:
    """The pictures of a TIFF with their names: tifffile's series, and the pages in none of them."""
    listed: set[tuple[int, ...]] = set()
    for series in tiff.series:
        levels = [tuple(_page(page) for page in level.pages if page) for level in series.levels]
        listed.update(page.treeindex for pages in levels for page in pages)
        if all(levels):
            name = f"{series.name} {_last_line(levels[0][0])}"
            yield TiffPicture(tuple(levels), series.axes), name
    tiff.pages.useframes = False
    for number, frame in enumerate(tiff.pages):
        if (number,) not in listed:
            page = _page(frame)
            yield TiffPicture(((page,),), page.axes), _last_line(page)


def _page(page: Any) -> Any:
    """A page with all its tags; of alike pages tifffile reads but a part."""
    return page if isinstance(page, tifffile.TiffPage) else page.aspage()


def _last_line(page: Any) -> str:
    """What a scanner's software calls a picture, as "label 387x463"; "" for a longer text."""
    lines = page.description.strip().splitlines()
    return lines[-1] if lines and len(lines[-1]) < 40 else ""


def _is_mask(page: Any) -> bool:
    return bool(page.subfiletype & tifffile.FILETYPE.MASK)
