"""A format of annotation files added by one file and one entry, then used by the real commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from midog.boxes import squares_around
from midog.data.annotations.class_names import LABEL_FIX, label_of
from midog.data.annotations.figures import Annotations, Figure, values_of, with_boxes
from midog.data.annotations.reader import AnnotationFile, BoxChoice, Reader
from midog.data.annotations.registry import READERS
from midog.data.roi import Roi
from midog.data.text_file import Problems
from midog.errors import DataError
from tests.spoiled import copy, one_line, settings


def read_toy(file: AnnotationFile, bbox: BoxChoice) -> tuple[Annotations, Problems]:
    """Read lines `name x y kind`; a name alone is an ROI without figures."""
    images: dict[str, Roi] = {}
    figures = []
    problems: Problems = []
    for number, line in enumerate(file.text.splitlines(), 1):
        name, *cells = line.split()
        images.setdefault(name, Roi(name))
        where = f"{file.path} line {number}"
        if cells and not label_of(cells[2]):
            problems.append(DataError(f"{where}: unknown kind {cells[2]!r}", LABEL_FIX))
        elif cells:
            point = float(cells[0]), float(cells[1])
            figures.append(Figure(where, name, label_of(cells[2]), point))
    rois = with_boxes(images, figures, squares_around(values_of(figures, 2)), problems)
    return Annotations(file.path, rois, "toy text", "points as squares"), problems


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Reader(
        name="toy text",
        words="lines of name x y kind",
        suffixes=(".toy",),
        takes=lambda file: file.path.suffix == ".toy",
        read=read_toy,
    )
    monkeypatch.setitem(READERS, "toy", entry)


@pytest.fixture
def data(phantom: Path, tmp_path: Path) -> Path:
    """The phantom, its figures in the toy format alone."""
    folder = copy(phantom, tmp_path / "data")
    tree = json.loads((folder / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in tree["images"]}
    lines = list(names.values())
    for figure in tree["annotations"]:
        x1, y1, x2, y2 = figure["bbox"]
        kind = "mitosis" if figure["category_id"] == 1 else "imposter"
        lines.append(f"{names[figure['image_id']]} {(x1 + x2) / 2} {(y1 + y2) / 2} {kind}")
    (folder / "annotations.json").unlink()
    (folder / "figures.toy").write_text("\n".join(lines) + "\n")
    return folder


def test_it_is_checked_trained_on_and_scored(midog, phantom, data, tiny, tmp_path):
    ran = midog("data", "check", data)
    assert ran.code == 0, ran.err
    assert ran.out == midog("data", "check", phantom).out
    runs = ("--runs", tmp_path / "runs")
    ran = midog("train", "--data", data, *settings(tiny[1:]), "--epochs", 1, "--name", "a", *runs)
    assert ran.code == 0, ran.err
    assert "figures.toy: toy text, points as squares" in ran.err
    model = tmp_path / "runs" / "a" / "best"
    detections = tmp_path / "found"
    ran = midog("infer", data / "images", "--model", model, "--out", detections, "--device", "cpu")
    assert ran.code == 0, ran.err
    both = [midog("evaluate", detections, "--data", folder, "--json") for folder in (data, phantom)]
    assert [ran.code for ran in both] == [0, 0], both
    scores = [json.loads(ran.out) for ran in both]
    assert scores[0]["groups"] == scores[1]["groups"]


def test_a_wrong_line_is_an_error_of_one_line(midog, data, tiny):
    with (data / "figures.toy").open("a") as file:
        file.write("001.tiff 20 30 nerve\n")
    count = len((data / "figures.toy").read_text().splitlines())
    wrong = f"error: {data / 'figures.toy'} line {count}: unknown kind 'nerve'; name each category"
    ran = midog("data", "check", data)
    assert ran.code == 1
    assert ran.err.startswith(wrong)
    assert one_line(midog("train", "--data", data, *settings(tiny[1:]))).startswith(wrong)


def test_it_is_among_what_can_be_read(midog, data):
    (data / "figures.toy").rename(data / "figures.csv")
    line = one_line(midog("train", "--data", data))
    assert "figures.csv is none; give a MIDOG or COCO JSON" in line
    assert line.endswith(" or toy text (lines of name x y kind)")


def test_the_help_lists_it(midog):
    shown = " ".join(midog("data", "check", "--help").out.split())
    assert "CSV of MITOS-ATYPIA 14, toy text." in shown
    assert "lines of name x y kind" in shown
