"""OTHER_KINDS: files of figures that are not read, each with its name and the way out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midog.errors import DataError

_HEAD = 4096
_CSV = "file_name,x,y,label or file_name,x1,y1,x2,y2,label"


@dataclass(frozen=True)
class OtherKind:
    """A kind of file that is not read.

    name: what it is, after "is". way: how to write it as what is read, an imperative. settings:
    those that it names.
    """

    name: str
    way: str = f"write its figures as a CSV with the header {_CSV}"
    settings: Mapping[str, object] = field(default_factory=dict)

    def error(self, path: Path) -> DataError:
        """The error that names a file of this kind."""
        return DataError(f"{path} is {self.name}, which is not read", self.way, self.settings)


_PIXELS = f"write its figures in px of level 0 as a CSV with the header {_CSV}"

XML_KINDS: dict[str, OtherKind] = {
    r"<ASAP_Annotations": OtherKind("XML of ASAP", _PIXELS),
    r"<annotation[\s>].*(?:<bndbox|<object|<filename)": OtherKind("XML of Pascal VOC", _PIXELS),
    r"<Annotations\b[^>]*MicronsPerPixel": OtherKind("XML of Aperio ImageScope", _PIXELS),
    r"<ndpviewstate": OtherKind(
        "NDPA of Hamamatsu, whose coordinates are nm from the centre of the slide", _PIXELS
    ),
    r"<annotations[\s>]": OtherKind(
        "XML of CVAT or the like", "export it as COCO JSON from the same program"
    ),
    r"<CellCounter_Marker_File": OtherKind("XML of ImageJ's Cell Counter", _PIXELS),
    r"<": OtherKind("XML", _PIXELS),
}
"""By what the first 4 KB match, the first that does."""

YOLO = OtherKind(
    "a text file of YOLO, whose boxes are shares of the image's size", f"{_PIXELS}, one for all"
)
TUPAC = OtherKind(
    "a table without a header, such as the row,col of TUPAC16",
    "choose {data.annotations_format}: tupac16 for row,col of one image per file, mitos14 for x,y",
    {"data.annotations_format": None},
)

_BYTES: dict[bytes, OtherKind] = {
    b"PK\x03\x04": OtherKind("a zip archive or a workbook of Excel", f"unpack it, or {_PIXELS}"),
    b"\xd0\xcf\x11\xe0": OtherKind("a workbook of old Excel", f"save it as CSV; header {_CSV}"),
    b"\x1f\x8b": OtherKind("compressed by gzip", "unpack it"),
    b"\x89HDF": OtherKind("HDF5"),
    b"PAR1": OtherKind("Parquet"),
    b"MATLAB 5.0": OtherKind("a MAT file of MATLAB"),
    b"\x93NUMPY": OtherKind("an array of numpy"),
    b"\x80\x04": OtherKind("a pickle, which could run code"),
    b"\x80\x05": OtherKind("a pickle, which could run code"),
    b"\xac\xed\x00\x05": OtherKind("data of QuPath", "export its annotations as GeoJSON first"),
    b"%PDF": OtherKind("a PDF"),
}
"""By the first bytes."""


def _is_results(tree: Any) -> bool:
    first = tree[0] if isinstance(tree, list) and tree else None
    return isinstance(first, dict) and {"image_id", "bbox", "score"} <= set(first)


def _has(*keys: str) -> Callable[[Any], bool]:
    def test(tree: Any) -> bool:
        first = tree[0] if isinstance(tree, list) and tree else tree
        return isinstance(first, dict) and set(keys) <= set(first)

    return test


_TREES: tuple[tuple[Callable[[Any], bool], OtherKind], ...] = (
    (_has("points", "version"), OtherKind("a list of points of the challenge, such as detections")),
    (_is_results, OtherKind("a list of COCO results (detections)", "give the ground truth")),
    (_has("shapes", "imagePath"), OtherKind("JSON of labelme", "export it as COCO JSON")),
    (_has("_via_img_metadata"), OtherKind("a project of VIA", "export it as COCO JSON")),
    (_has("data", "annotations"), OtherKind("JSON of Label Studio", "export it as COCO JSON")),
    (_has("nbformat"), OtherKind("a notebook", "give a MIDOG or COCO annotation file")),
)
"""By what a parsed JSON is like."""


def kind_of_json(tree: Any) -> OtherKind | None:
    """The kind that a parsed JSON is of, None for what may be MIDOG or COCO JSON."""
    if isinstance(tree, dict) and "images" in tree:
        return None
    return next((kind for test, kind in _TREES if test(tree)), None)


def kind_of_file(path: Path) -> OtherKind | None:
    """The kind that a file is of, by its first bytes and its ending; None for any other file."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if path.name.lower().endswith(".geojson.gz"):
        return None
    for mark, kind in _BYTES.items():
        if head.startswith(mark):
            return kind
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    text = text.lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        body = re.sub(r"<\?.*?\?>|<!.*?>", "", text, flags=re.DOTALL)
        return next(
            (kind for how, kind in XML_KINDS.items() if re.search(how, body, re.DOTALL)), None
        )
    return _kind_of_lines(text, path.suffix.lower())


def _kind_of_lines(text: str, suffix: str) -> OtherKind | None:
    """YOLO and TUPAC16: lines of numbers alone."""
    lines = [line for line in text.splitlines()[:3] if line.strip()]
    numbers = [re.split(r"[,;\s]+", line.strip()) for line in lines]
    number = r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"
    if not lines or not all(re.fullmatch(number, cell) for cell in numbers[0]):
        return None
    share = all(0 <= float(cell) <= 1 for cell in numbers[0][1:])
    if suffix == ".txt" and len(numbers[0]) in (5, 6) and share:
        return YOLO
    return TUPAC if suffix in (".csv", ".txt", ".tsv") and len(numbers[0]) > 1 else None


def quick_look(text: str) -> bool:
    """Whether a JSON text may be of MIDOG or COCO, without parsing it."""
    return all(json.dumps(key) in text for key in ("images", "annotations"))
