"""ASAP's outlines are read in the order of their points; whatever is wrong is one line."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import numpy as np
import pytest

from midog.errors import DataError
from midog.tumour.asap_xml import asap_text, read_asap
from tests.tumour.slides import OUTLINES, write_asap


def test_outlines_are_read_and_those_of_group_2_are_cut(tmp_path: Path) -> None:
    path = write_asap(tmp_path / "a.xml")
    areas = read_asap(path)
    assert [area.is_cut for area in areas] == [False, False, True]
    for area, (_, points) in zip(areas, OUTLINES, strict=True):
        np.testing.assert_array_equal(area.rings[0], points)
    zipped = tmp_path / "a.xml.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert len(read_asap(zipped)) == 3


def test_points_are_put_in_their_order(tmp_path: Path) -> None:
    path = write_asap(tmp_path / "a.xml", OUTLINES[:1])
    text = path.read_text()
    first = next(line for line in text.splitlines(keepends=True) if 'Order="0"' in line)
    path.write_text(
        text.replace(first, "").replace("\t\t\t</Coordinates>", f"{first}\t\t\t</Coordinates>")
    )
    np.testing.assert_array_equal(read_asap(path)[0].rings[0], OUTLINES[0][1])


def test_a_group_means_what_is_stated(tmp_path: Path) -> None:
    square = OUTLINES[0][1]
    path = write_asap(tmp_path / "a.xml", [("DCIS", square), ("blood", square), ("_0", square)])
    groups = {"DCIS": "tumour", "blood": "ignore", "_0": "normal"}
    areas = read_asap(path, groups)  # type: ignore[arg-type]
    assert [area.is_cut for area in areas] == [False, True]
    with pytest.raises(DataError, match=r"group 'DCIS'.*state it with groups, such as \"DCIS=tum"):
        read_asap(path)


def test_dots_are_left_out_with_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outlines = [("Tumor", OUTLINES[0][1]), ("Exclusion", OUTLINES[2][1]), ("x", [(1, 1)])]
    path = write_asap(tmp_path / "a.xml", outlines, Tumor="Spline", x="Dot")
    with caplog.at_level(logging.WARNING):
        assert [area.is_cut for area in read_asap(path)] == [False, True]
    assert "left out: 1 Dot" in caplog.text


def test_a_file_without_annotations_has_no_areas(tmp_path: Path) -> None:
    assert read_asap(write_asap(tmp_path / "a.xml", [])) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<ASAP_Annotations>", "is no XML"),
        ("", "is no XML"),
        ("<Annotations />", "is XML of Annotations, not of ASAP_Annotations"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><ASAP_Annotations />', "document type"),
        ('X="1e9"', "'1e9' is no coordinate"),
        ('X="12,5"', "'12,5' is no coordinate"),
        ('X="nan"', "'nan' is no coordinate"),
        ("", "is no coordinate"),
    ],
    ids=["cut", "empty", "other", "entity", "far", "comma", "nan", "none"],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, text: str, words: str, request: pytest.FixtureRequest
) -> None:
    path = write_asap(tmp_path / "a.xml")
    is_point = request.node.callspec.id in ("far", "comma", "nan", "none")
    path.write_text(path.read_text().replace('X="100"', text, 1) if is_point else text)
    with pytest.raises(DataError, match=words) as caught:
        read_asap(path)
    assert "\n" not in str(caught.value)


def test_two_points_are_no_outline(tmp_path: Path) -> None:
    path = write_asap(tmp_path / "a.xml", [("_0", [(1, 1), (9, 9), (1, 1)])])
    with pytest.raises(DataError, match="'Annotation 0' has fewer than three points"):
        read_asap(path)


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    rings = [(group, np.array(points, float)) for group, points in OUTLINES]
    path = tmp_path / "a.xml"
    path.write_text(asap_text(rings))
    areas = read_asap(path)
    assert [area.is_cut for area in areas] == [False, False, True]
    for area, (_, points) in zip(areas, OUTLINES, strict=True):
        np.testing.assert_array_equal(area.rings[0], points)
    text = path.read_text()
    assert text.startswith('<?xml version="1.0"?>\n<ASAP_Annotations>')
    assert '<Group Name="_2" PartOfGroup="None"' in text
