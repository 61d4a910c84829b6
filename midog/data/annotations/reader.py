"""A reader of annotation files: its entry in READERS, and the file that it is asked about."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from midog.data.annotations.csv_layout import layout_of
from midog.data.columns import find_columns
from midog.data.csv_text import header_of

if TYPE_CHECKING:
    from midog.data.annotations.class_names import ClassNames
    from midog.data.annotations.figures import Annotations
    from midog.data.text_file import Problems

GEOJSON_ENDINGS = (".geojson", ".geojson.gz", ".json")
"""How files of GeoJSON end, in lower case."""
AUTO = "auto"
"""The choice of a format that leaves it to the file."""
_GEOJSON_HEAD = re.compile(
    r'[\[{][\s\[{]*"type"\s*:\s*"(?:Feature|FeatureCollection|(?:Multi)?(?:Point|Polygon))"'
)

BoxChoice = Literal["auto", "xyxy", "xywh"]
"""How a file writes boxes: x1 y1 x2 y2, x y width height, or as the file as a whole shows."""


@dataclass(frozen=True)
class AnnotationFile:
    """An annotation file as text, before a reader is chosen.

    classes: what the user states of its classes; None: nothing. notes: what was assumed to read it
    as text. parts: where a file is of one image each, all of them; `path` is that file or their
    folder, and `text` that of the first. images: the data folder, whose images these are of.
    is_database: it is one of SQLite, and `text` is empty.
    """

    path: Path
    text: str
    classes: ClassNames | None = None
    notes: tuple[str, ...] = ()
    parts: tuple[Path, ...] = ()
    images: Path | None = None
    is_database: bool = False

    def is_json(self) -> bool:
        """Whether it is JSON, by its ending or its first character."""
        return self.path.suffix.lower() == ".json" or self.text.lstrip()[:1] in ("{", "[")

    def is_geojson(self) -> bool:
        """Whether it is GeoJSON, by its ending or its first characters."""
        name = self.path.name.lower()
        named = name.endswith(GEOJSON_ENDINGS[:2])
        return named or _GEOJSON_HEAD.match(self.text.lstrip()) is not None

    def header(self) -> set[str]:
        """The columns that its first line names if it is a CSV, in lower case."""
        return {name.lower() for name in header_of(self.text)}

    def layout(self) -> str:
        """How its columns hold the places of figures, one of `LayoutKind`; "" for no such CSV."""
        if self.is_json():
            return ""
        header = header_of(self.text)
        layout = layout_of(header)
        return layout[0].kind if layout and find_columns(header, ["file_name"]) else ""

    def class_names(self) -> ClassNames:
        """What the names of its classes mean."""
        from midog.data.annotations.class_names import ClassNames  # needs numpy, as reading does

        return self.classes or ClassNames()

    def first_line(self) -> str:
        """Its first line, "" for an empty file."""
        return self.text.split("\n", 1)[0].strip()


@dataclass(frozen=True)
class Reader:
    """One format of annotation files.

    name: the format's name, for the user ("CSV of points").
    words: what such a file holds, in a few words for help and errors.
    suffixes: endings, in lower case, of the files of a data folder that may be of this format.
    takes: whether a file is of this format; it looks at the form alone and raises nothing.
    read: what the file holds, with everything that is wrong with it; `BoxChoice` is the setting
        data.bbox. Raises DataError where the file as a whole cannot be read.
    per_image: a file is of one image, whose name it bears; a folder of them is read as one.
    asked: a file does not show that it is of this format; data.annotations_format states it.
    """

    name: str
    words: str
    suffixes: tuple[str, ...]
    takes: Callable[[AnnotationFile], bool]
    read: Callable[[AnnotationFile, BoxChoice], tuple[Annotations, Problems]]
    per_image: bool = False
    asked: bool = False
