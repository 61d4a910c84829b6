"""A reader of annotation files: its entry in READERS, and the file that it is asked about."""

from __future__ import annotations

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

BoxChoice = Literal["auto", "xyxy", "xywh"]
"""How a file writes boxes: x1 y1 x2 y2, x y width height, or as the file as a whole shows."""


@dataclass(frozen=True)
class AnnotationFile:
    """An annotation file as text, before a reader is chosen.

    classes: what the user states of its classes; None: nothing. notes: what was assumed to read it
    as text.
    """

    path: Path
    text: str
    classes: ClassNames | None = None
    notes: tuple[str, ...] = ()

    def is_json(self) -> bool:
        """Whether it is JSON, by its ending or its first character."""
        return self.path.suffix.lower() == ".json" or self.text.lstrip()[:1] in ("{", "[")

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
    """

    name: str
    words: str
    suffixes: tuple[str, ...]
    takes: Callable[[AnnotationFile], bool]
    read: Callable[[AnnotationFile, BoxChoice], tuple[Annotations, Problems]]
