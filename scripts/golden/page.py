"""The numbers of an HTML report: of its tables, its prose, its charts, and its pictures."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

from golden.canonical import Artefact, numbers

_DRAWN = ("d", "x", "y", "points", "cx", "cy", "r", "width", "height", "transform")
_VOID = ("meta", "link", "img", "br", "hr", "input", "wbr", "col")


def of_page(name: str, path: Path) -> list[Artefact]:
    """Numbers of tables, of the rest of the text, and of charts; digests of pictures.

    Words in charts are drawn as paths, so these are left out with all else that is a label.
    """
    reader = _Reader()
    text = path.read_text(encoding="utf-8")
    reader.feed(text)
    return [
        Artefact(f"{name}: tables", numbers(" ".join(reader.cells)), len(text.encode())),
        Artefact(f"{name}: text", numbers(" ".join(reader.prose)), len(text.encode())),
        Artefact(f"{name}: charts", reader.drawn, len("".join(reader.drawn))),
        Artefact(f"{name}: pictures", reader.pictures, reader.picture_bytes),
    ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.prose: list[str] = []
        self.drawn: list[str] = []
        self.pictures: list[str] = []
        self.picture_bytes = 0
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if given.get("src", "").startswith("data:"):
            self.pictures.append(hashlib.sha256(given["src"].encode()).hexdigest())
            self.picture_bytes += len(given["src"])
        label = re.search(r"(text|legend)_\d+$", given.get("id", "")) is not None
        if tag not in _VOID:
            self._open.append("label" if label else tag)
        if "svg" in self._open and "label" not in self._open:
            shown = (f"{key} {given[key]}" for key in _DRAWN if key in given)
            self.drawn += [" ".join(each.split()) for each in shown]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not {"style", "script", "svg", "title", "head"} & set(self._open):
            (self.cells if {"td", "dd"} & set(self._open) else self.prose).append(data)
