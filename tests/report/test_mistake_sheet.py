"""The contact sheet of mistakes: rows of groups, pictures, captions, bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from midog.errors import MidogError
from midog.report.mistake_sheet import MARK, draw_sheet, write_mistake_sheet
from tests.evaluation.edges import EDGES


def with_images(folder, rois):
    rng = np.random.default_rng(0)
    done = []
    for roi in rois:
        path = folder / roi.file_name
        Image.fromarray(rng.integers(100, 200, (1000, 1000, 3), np.uint8)).save(path)
        done.append(replace(roi, path=path))
    return done


def test_the_sheet_has_two_rows_a_group_and_the_same_bytes_again(tmp_path):
    result, rois = EDGES["plain"](tmp_path)
    rois = with_images(tmp_path, rois)
    for name in ("a.png", "b.png"):
        write_mistake_sheet(tmp_path / name, result, rois, title="T")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.info["Software"] == MARK
        assert sheet.height == 44 + 2 * 2 * (192 + 50 + 8)
        pixels = np.asarray(sheet.convert("RGB"))
    first = pixels[44 : 44 + 192, 190 : 190 + 192]
    assert 100 < first.mean() < 200, "a crop"
    assert (pixels[44 : 44 + 192, :6] == 255).all()


def test_captions_state_score_image_place_and_kind(tmp_path, monkeypatch):
    result, rois = EDGES["plain"](tmp_path)
    written: list[str] = []
    monkeypatch.setattr(
        "PIL.ImageDraw.ImageDraw.text", lambda self, place, words, *rest: written.append(words)
    )
    draw_sheet(result, rois, title="Worst")
    text = "|".join(written)
    for words in (
        "Worst|",
        "|A|false alarms|highest scores, 4 of 4",
        "|B|missed figures|lowest scores, 2 of 2",
        "no image|score 0.950|1.png|x 500 y 500, imposter",
        "score 0.200, 0.300 short|1.png|x 300 y 300|",
        "not detected|1.png|x 700 y 700|",
    ):
        assert words in text, words


def test_a_line_that_is_too_wide_keeps_both_ends_and_as_much_as_fits(tmp_path, monkeypatch):
    result, rois = EDGES["plain"](tmp_path)
    written: list[str] = []
    monkeypatch.setattr(
        "PIL.ImageDraw.ImageDraw.text", lambda self, place, words, *rest: written.append(words)
    )
    width = draw_sheet(result, rois, title="A" * 3000 + "Z" * 2000).width - 12
    first, last = written[0].split("…")
    assert (set(first), set(last)) == ({"A"}, {"Z"})
    draw, font = ImageDraw.Draw(Image.new("RGB", (1, 1))), ImageFont.load_default(size=17)
    assert draw.textlength(f"{first}…{last}", font) <= width
    assert draw.textlength(f"{first}A…{last}Z", font) > width


@pytest.mark.parametrize("name", EDGES)
def test_every_case_has_a_sheet(name, tmp_path):
    result, rois = EDGES[name](tmp_path)
    assert draw_sheet(result, rois, title="T" * 5000).width >= 190 + 4 * 200


def test_a_row_is_bounded(tmp_path):
    result, rois = EDGES["plain"](tmp_path)
    assert draw_sheet(result, rois, title="T", most=2).width == 190 + 4 * 200
    assert draw_sheet(result, rois, title="T", most=10**9).width <= 190 + 24 * 200


def test_a_sheet_that_cannot_be_written_is_one_line(tmp_path):
    result, rois = EDGES["plain"](tmp_path)
    with pytest.raises(MidogError):
        write_mistake_sheet(tmp_path / "no" / "a.png", result, rois, title="T")
