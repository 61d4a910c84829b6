"""What a px of a tissue mask shows: tissue, glass, or what is left out and why."""

from __future__ import annotations

from dataclasses import dataclass

GLASS, TISSUE, PEN, BLACK, GREY, LINE, SPECK = range(7)
"""Values of a mask of kinds, uint8."""


@dataclass(frozen=True)
class Kind:
    """What a px may show.

    words: for lines and legends. colour: of its tint in the picture of the mask, RGB.
    """

    words: str
    colour: tuple[int, int, int]


KINDS: dict[int, Kind] = {
    GLASS: Kind("no tissue", (90, 105, 130)),
    TISSUE: Kind("tissue", (0, 150, 60)),
    PEN: Kind("pen", (255, 120, 0)),
    BLACK: Kind("black (debris, marker, no light)", (225, 0, 30)),
    GREY: Kind("grey (coverslip edge, shadow, dust)", (200, 0, 200)),
    LINE: Kind("thin straight line", (240, 200, 0)),
    SPECK: Kind("speck", (0, 160, 230)),
}
"""By value."""

LEFT_OUT = (PEN, BLACK, GREY, LINE, SPECK)
"""What would be taken for tissue, or is dark, and is none."""
