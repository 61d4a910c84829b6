"""Outlines of tumour in the XML of ASAP, as CAMELYON16 and CAMELYON17 are annotated."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np

from midog.data.text_file import read_text
from midog.errors import DataError
from midog.tissue.qupath_areas import Area
from midog.tissue.rings import Ring

logger = logging.getLogger(__name__)

Meaning = Literal["tumour", "normal", "ignore"]
"""normal: cut out of tumour, wherever it lies. ignore: left out."""

GROUPS: dict[str, Meaning] = {
    "_0": "tumour",
    "_1": "tumour",
    "_2": "normal",
    "Tumor": "tumour",
    "Exclusion": "normal",
    "metastases": "tumour",
    "normal": "normal",
}
"""What groups mean: `_0` and `_1` are tumour and `_2` is cut out of it in CAMELYON16, as its README
has it; its later files have Tumor and Exclusion, CAMELYON17 has metastases and normal."""

_OUTLINES = ("Polygon", "Spline", "Rectangle")
_FIX = "export the annotations from ASAP anew"
_FARTHEST_PX = 1e7  # no slide is as wide


def read_asap(path: Path, groups: Mapping[str, Meaning] = GROUPS) -> list[Area]:
    """Read the outlines of an XML file of ASAP.

    A spline is taken as the polygon of its points. Dots and measurements are left out, with a line
    that counts them.

    Args:
        path: The file, gzipped or not.
        groups: What each group of annotations means.

    Returns:
        Areas of one ring each, level-0 px; `is_cut` for those that are normal. There may be none.

    Raises:
        DataError: It is no such file; an outline has a group without meaning, or too few points.
    """
    root = _root(path)
    areas: list[Area] = []
    left_out: Counter[str] = Counter()
    for number, annotation in enumerate(root.iterfind("./Annotations/Annotation"), 1):
        name = annotation.get("Name") or str(number)
        where = f"{path} annotation {name!r}"
        kind = annotation.get("Type", "Polygon")
        if kind not in _OUTLINES:
            left_out[kind] += 1
            continue
        meaning = _meaning(annotation.get("PartOfGroup", "None"), groups, where)
        if meaning == "ignore":
            left_out["of an ignored group"] += 1
            continue
        areas.append(Area((_ring(annotation, where),), meaning == "normal"))
    if left_out:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
        logger.warning("%s: annotations that are left out: %s", path, kinds)
    return areas


def _root(path: Path) -> ElementTree.Element:
    text = read_text(path).text
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError(f"{path} declares a document type, which ASAP does not", _FIX)
    try:
        root = ElementTree.fromstring(text.encode(), ElementTree.XMLParser(encoding="utf-8"))
    except ElementTree.ParseError as error:
        raise DataError(f"{path} is no XML: {error}", _FIX) from None
    if root.tag != "ASAP_Annotations":
        raise DataError(f"{path} is XML of {root.tag}, not of ASAP_Annotations", _FIX)
    return root


def _meaning(group: str, groups: Mapping[str, Meaning], where: str) -> Meaning:
    if group not in groups:
        raise DataError(
            f"{where} is of group {group!r}, and nothing states whether that is tumour",
            f'state it with {{groups}}, such as "{group}=tumour"; tumour, normal and ignore are the'
            " choices",
            {"groups": None},
        )
    return groups[group]


def _ring(annotation: ElementTree.Element, where: str) -> Ring:
    """The points in the order that they state, else in that of the file."""
    rows = []
    for number, point in enumerate(annotation.iterfind("./Coordinates/Coordinate")):
        values = [point.get("X"), point.get("Y"), point.get("Order", str(number))]
        rows.append([_number(value, where) for value in values])
    rows.sort(key=lambda row: row[2])
    ring = np.array([row[:2] for row in rows], np.float64).reshape(-1, 2)
    if len(np.unique(ring, axis=0)) < 3:
        raise DataError(f"{where} has fewer than three points", "draw it again, or delete it")
    return ring


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not abs(value) < _FARTHEST_PX:
        raise DataError(
            f"{where}: {text!r} is no coordinate", "write X and Y as numbers, in px of level 0"
        )
    return value


def asap_text(outlines: Sequence[tuple[str, Ring]]) -> str:
    """Return outlines as the text of an XML file that ASAP opens.

    Args:
        outlines: Group and (N, 2) points of each, level-0 px.
    """
    root = ElementTree.Element("ASAP_Annotations")
    inside = ElementTree.SubElement(root, "Annotations")
    for number, (group, points) in enumerate(outlines):
        about = {"Name": f"Annotation {number}", "Type": "Polygon", "PartOfGroup": group}
        annotation = ElementTree.SubElement(inside, "Annotation", {**about, "Color": "#F4FA58"})
        coordinates = ElementTree.SubElement(annotation, "Coordinates")
        for order, (x, y) in enumerate(points.tolist()):
            place = {"Order": str(order), "X": f"{x:.10g}", "Y": f"{y:.10g}"}
            ElementTree.SubElement(coordinates, "Coordinate", place)
    groups = ElementTree.SubElement(root, "AnnotationGroups")
    for group in dict(outlines):
        about = {"Name": group, "PartOfGroup": "None", "Color": "#00ff00"}
        ElementTree.SubElement(ElementTree.SubElement(groups, "Group", about), "Attributes")
    ElementTree.indent(root, "\t")
    return f'<?xml version="1.0"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'
