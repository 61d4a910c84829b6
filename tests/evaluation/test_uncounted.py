"""What scoring does not count is said in one line, with the number of each kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.evaluation.points import score_rois
from midog.evaluation.uncounted import PlacedPoints, remark
from midog.formats.shared import DetectedPoints
from tests.evaluation.cases import NO, YES, roi, write

SIZED = [roi("001.tiff", [(50, 50)], width=100, height=80)]


def said(folder: Path, rois, caplog, **settings) -> str:
    """The one line of scoring a folder, "" for none."""
    caplog.clear()
    score_rois(folder, rois, **settings)
    assert len(caplog.records) <= 1
    return caplog.records[0].getMessage() if caplog.records else ""


def test_nothing_is_said_of_what_is_as_it_should(tmp_path: Path, caplog) -> None:
    write(tmp_path / "001.json", (50, 50, 0.9, YES), (60, 60, 0.2, NO), (0, 0, 0.8, YES))
    assert said(tmp_path, SIZED, caplog) == ""
    write(tmp_path / "001.json", (100, 80, 0.9, YES))
    assert said(tmp_path, SIZED, caplog) == "", "the corner of the image is in it"
    write(tmp_path / "001.json")
    assert said(tmp_path, SIZED, caplog) == ""


def test_points_of_other_names_are_counted_by_name(tmp_path: Path, caplog) -> None:
    names = ["Mitotic Figure", "Mitotic Figure", "mitosis", YES, NO]
    write(tmp_path / "001.json", *((50, 50, 0.9, name) for name in names))
    line = said(tmp_path, SIZED, caplog)
    assert line == (
        f"{tmp_path}: 3 of 5 points do not count, as they are named 'Mitotic Figure' (2), 'mitosis'"
        " (1): only 'mitotic figure' counts"
    )
    assert said(tmp_path, SIZED, caplog, threshold=0.5) == "", "there names do not matter"


def test_names_are_shown_cleaned_and_short(tmp_path: Path, caplog) -> None:
    names = ["\x1b[2J", "x" * 10_000, *(f"n{number}" for number in range(6))]
    write(tmp_path / "001.json", *((50, 50, 0.9, name) for name in [*names[:2] * 2, *names]))
    line = said(tmp_path, SIZED, caplog)
    assert "\x1b" not in line
    assert "and 4 other names" in line
    assert len(line) < 600


@pytest.mark.parametrize("name", [NO, "Mitotic figure", "mitotic_figure"])
def test_an_f1_of_0_beside_an_ap_of_1_is_explained(tmp_path: Path, caplog, name) -> None:
    write(tmp_path / "001.json", (50, 50, 0.9, name))
    assert "none of 1 points is named 'mitotic figure', so none counts" in (
        said(tmp_path, SIZED, caplog)
    )
    assert said(tmp_path, SIZED, caplog, threshold=0.95) == (
        f"{tmp_path}: none of 1 points has a probability of 0.95 or more, so none counts"
    )


def test_points_in_px_are_said_to_be(tmp_path: Path, caplog) -> None:
    write(tmp_path / "001.json", (50, 50, 0.9, YES), (60, 60, 0.9, YES), mpp=1000)
    assert said(tmp_path, SIZED, caplog) == (
        f"{tmp_path}: 2 of 2 points lie outside their image: are they mm, of this mpp? Taken as px,"
        " 2 of them lie inside it"
    )
    write(tmp_path / "001.json", (50, 50, 0.9, YES), (-1, 50, 0.9, YES))
    assert "1 of 2 points lie outside their image" in said(tmp_path, SIZED, caplog)


def test_the_size_is_that_of_the_image_where_nothing_states_it(tmp_path: Path, caplog) -> None:
    image = tmp_path / "001.png"
    Image.new("RGB", (100, 80)).save(image)
    write(tmp_path / "001.json", (50, 50, 0.9, YES), (60, 60, 0.9, YES), mpp=1000)
    assert "2 of 2 points lie outside" in (
        said(tmp_path, [roi("001.tiff", [(50, 50)], path=image)], caplog)
    )


def test_without_a_size_what_is_beyond_any_slide_is_outside(tmp_path: Path, caplog) -> None:
    write(tmp_path / "001.json", (50, 500, 0.9, YES), (6, 6, 0.9, YES), mpp=1000)
    assert "1 of 2 points lie outside their image" in (
        said(tmp_path, [roi("001.tiff", [(50, 50)])], caplog)
    )
    write(tmp_path / "001.json", (-5, 500, 0.9, YES), mpp=1000)
    assert "1 of 1 points" in said(tmp_path, [roi("001.tiff", mpp=None)], caplog)


def test_all_kinds_are_in_one_line(tmp_path: Path, caplog) -> None:
    rows = [{"point": [50, 50, 0], "name": "x"}, {"point": [0.01, 0.01, 0], "name": NO}]
    (tmp_path / "001.json").write_text(json.dumps({"points": rows}))
    line = said(tmp_path, SIZED, caplog)
    for part in (
        "1 of 2 points do not count, as they are named 'x' (1)",
        "none of 2 points is named",
        "1 of 2 points lie outside",
        "2 points have no probability and are taken to have 0.5",
    ):
        assert part in line
    assert line.count("; ") == 3


def test_no_points_no_remark() -> None:
    nothing = DetectedPoints(np.zeros((0, 2)), np.zeros(0), np.zeros(0, bool))
    assert remark([], None) == ""
    assert remark([PlacedPoints(nothing, np.zeros(0, bool), (9, 9), (9, 9))], 0.5) == ""
