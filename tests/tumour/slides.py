"""ASAP XML and masks of a small slide, written for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

SIZE = (600, 400)
"""(width, height), px."""

OUTLINES: list[tuple[str, list[tuple[float, float]]]] = [
    ("_0", [(100, 50), (300, 50), (300, 250), (100, 250)]),
    ("_1", [(400.5, 300.5), (500, 350), (450, 390)]),
    ("_2", [(150, 100), (200, 100), (200, 150), (150, 150)]),
]
"""Group and points: a square of 200 px with a hole of 50, and a triangle."""


def write_asap(path: Path, outlines: Sequence[tuple[str, Any]] = OUTLINES, **types: str) -> Path:
    """An XML file as ASAP writes it; types: of annotations by the group's name."""
    lines = ['<?xml version="1.0"?>', "<ASAP_Annotations>", "\t<Annotations>"]
    for number, (group, points) in enumerate(outlines):
        kind = types.get(group, "Polygon")
        lines.append(
            f'\t\t<Annotation Name="Annotation {number}" Type="{kind}" PartOfGroup="{group}"'
            ' Color="#F4FA58">\n\t\t\t<Coordinates>'
        )
        lines += [
            f'\t\t\t\t<Coordinate Order="{order}" X="{x}" Y="{y}" />'
            for order, (x, y) in enumerate(points)
        ]
        lines.append("\t\t\t</Coordinates>\n\t\t</Annotation>")
    lines += ["\t</Annotations>", "\t<AnnotationGroups />", "</ASAP_Annotations>", ""]
    path.write_text("\n".join(lines))
    return path


def drawn_mask(value: int = 1) -> np.ndarray:
    """The same as (height, width) uint8, of two of the three outlines: those along px."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[50:250, 100:300] = value
    mask[100:150, 150:200] = 0
    return mask


def write_mask(path: Path, mask: np.ndarray, levels: int = 3, **options: Any) -> Path:
    """A tiled pyramid of grey, decimated."""
    with tifffile.TiffWriter(path) as file:
        for level in range(levels):
            part = np.ascontiguousarray(mask[:: 2**level, :: 2**level])
            file.write(
                part,
                tile=(64, 64),
                photometric="minisblack",
                compression="lzw",
                subfiletype=1 if level else 0,
                metadata=None,
                **options,
            )
    return path
