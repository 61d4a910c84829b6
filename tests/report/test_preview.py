"""The contact sheet: a row for each op, boxes on their figures, the draws of the training."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from midog.augment.ops import OPS
from midog.config.load import load_config
from midog.formats.overlay import COLOURS
from midog.report.preview import sheet_rows
from tests.spoiled import one_line, settings


@pytest.fixture
def small(phantom) -> list[str]:
    sampling = ["sampling.patch_size=128", "sampling.patches_per_roi=6"]
    return settings([f"data.dir={str(phantom)!r}", "data.cache=false", *sampling])


def test_a_row_shows_each_op_at_its_setting_or_a_usual_one():
    augment = load_config(None, ["augment.hed=0.1", "augment.fda.share=0.2"]).augment
    rows = {row.name: row for row in sheet_rows(augment)}
    assert list(rows) == ["as cut", *OPS, "all that is on"]
    assert rows["all that is on"].words == "flip, stain, brightness, blur, hed, fda"
    assert rows["hed"].words == "0.1"
    assert rows["fda"].words == "share 1.0, beta 0.01"
    assert rows["jpeg"].words == "70.0 (off)"
    assert rows["blur"].augment.blur == 1, "seen on all patches"
    for name, row in list(rows.items())[:-1]:
        on = [op for op in OPS if getattr(row.augment, op)]
        assert on == ([name] if name in OPS else [])


def test_the_sheet_shows_patches_of_every_scanner_with_their_boxes(midog, tmp_path, small):
    out = tmp_path / "sheet.png"
    ran = midog("data", "preview", *small, "--out", out, "--seed", 3)
    assert ran.code == 0, ran.err
    assert ran.out.strip() == str(out)
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    step, columns = 132, 4
    assert picture.shape == (26 + step * (len(OPS) + 2), 210 + step * columns, 3)
    green = (picture == COLOURS["found"]).all(axis=2)
    for row in range(len(OPS) + 2):
        top = 26 + row * step
        for column in (0, 2):  # figures are requested in these
            left = 210 + column * step
            assert green[top : top + 128, left : left + 128].sum() > 50
    again = tmp_path / "again.png"
    assert midog("data", "preview", *small, "--out", again, "--seed", 3).code == 0
    assert again.read_bytes() == out.read_bytes()
    assert midog("data", "preview", *small, "--out", again, "--seed", 4).code == 0
    assert again.read_bytes() != out.read_bytes(), "another seed; a sheet is replaced"


def test_no_other_picture_is_replaced(midog, tmp_path, small):
    out = tmp_path / "mine.png"
    Image.new("RGB", (8, 8)).save(out)
    before = out.read_bytes()
    assert "--out" in one_line(midog("data", "preview", *small, "--out", out))
    assert out.read_bytes() == before
