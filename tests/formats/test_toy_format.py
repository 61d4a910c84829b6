"""A further format is one file and one entry: here tab-separated points, written and scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.registry import FORMATS, DetectedImage, Format
from midog.formats.shared import DetectedPoints, shortest
from tests.spoiled import one_line

HEADER = "x_mm\ty_mm\tscore"


def write_tsv(path: Path, image: DetectedImage) -> None:
    figures = image.detections.figures()
    centers = (figures.centers * image.mpp / 1000).tolist()
    scores = map(shortest, figures.scores)
    rows = [f"{x}\t{y}\t{score}" for (x, y), score in zip(centers, scores, strict=True)]
    text = "\n".join([HEADER, f"# {image.threshold}", *rows])
    replace_text(path, text, DetectionsError, parents=True)


def read_tsv(path: Path) -> DetectedPoints:
    header, threshold, *lines = path.read_text().splitlines()
    if header != HEADER:
        raise DetectionsError(f"{path} is no table of points")
    rows = np.array([line.split("\t") for line in lines], np.float64).reshape(-1, 3)
    is_figure = rows[:, 2].astype(np.float32) >= np.float32(threshold.removeprefix("# "))
    return DetectedPoints(rows[:, :2], rows[:, 2], is_figure)


@pytest.fixture(autouse=True)
def tsv(monkeypatch) -> None:
    entry = Format("a table of points with tabs", ".points.tsv", write_tsv, read_tsv)
    monkeypatch.setitem(FORMATS, "tsv", entry)


def test_it_is_written_beside_another_and_done_images_are_skipped(midog, phantom, model, tmp_path):
    out = tmp_path / "out"
    words = ("infer", phantom, "--subset", "test", "--model", model, "--device", "cpu")
    words = (*words, "--out", out, "--format", "challenge,tsv", "--threshold", 0.1)
    first = midog(*words)
    assert first.code == 0, first.err
    written = {path.name for path in out.glob("[!.]*")}
    stems = {name.removesuffix(".json") for name in written if name.endswith(".json")}
    assert written == {f"{stem}{end}" for stem in stems for end in (".json", ".points.tsv")}
    again = midog(*words)
    assert (again.code, again.out) == (0, "")
    assert f"{len(stems)} were done before" in again.err
    (out / f"{min(stems)}.points.tsv").unlink()
    assert len(midog(*words).out.splitlines()) == 1, "an image without one of its files is done"


def test_a_folder_of_it_is_scored_as_the_challenges_files_are(midog, phantom, model, tmp_path):
    scores = {}
    for name in ("challenge", "tsv"):
        words = ("infer", phantom, "--subset", "test", "--model", model, "--device", "cpu")
        assert midog(*words, "--out", tmp_path / name, "--format", name).code == 0
        ran = midog("evaluate", tmp_path / name, "--data", phantom, "--subset", "test", "--json")
        assert ran.code == 0, ran.err
        scores[name] = ran.out.replace(str(tmp_path / name), "")
    assert scores["tsv"] == scores["challenge"]
    damaged = next((tmp_path / "tsv").glob("*.tsv"))
    damaged.write_text("nothing\n\n")
    ran = midog("evaluate", tmp_path / "tsv", "--data", phantom, "--subset", "test")
    assert f"{damaged} is no table of points" in one_line(ran)


def test_the_error_of_an_unknown_format_lists_it(midog, phantom, model, tmp_path):
    words = ("infer", phantom, "--model", model, "--out", tmp_path / "out", "--format", "tvs")
    line = one_line(midog(*words))
    assert f"unknown format tvs; choose from {', '.join(FORMATS)}" in line
    assert list(FORMATS)[-1] == "tsv"
