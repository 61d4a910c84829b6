"""`midog heatmap`: made, shown and refused from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from midog.inference.patch_classifier import PatchClassifier
from tests.heatmap.drawn import ISLAND, TUMOUR, classifier, slide, write, write_xml
from tests.spoiled import one_line


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """A slide; whatever model is named is the classifier of `tests.heatmap.drawn`."""
    own = classifier(tmp_path / "model")
    monkeypatch.setattr(PatchClassifier, "load", lambda folder, device: own)
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "a.tif", slide())


def test_a_map_is_made_with_rates_where_there_is_truth(midog, path, tmp_path):
    write_xml(tmp_path / "a.xml", [TUMOUR])
    ran = midog("heatmap", path, "--model", "model", "--stride", 16, "--truth", tmp_path / "a.xml")
    assert ran.code == 0, ran.err
    header, row = (line.split("  ") for line in ran.out.splitlines())
    assert [cell.strip() for cell in header if cell] == [
        *("slide", "score", "tumour mm2", "looked at mm2", "recall", "precision", "prevalence")
    ]
    assert row[0] == "a.tif"
    assert "tumour against normal, threshold 0.500 (chosen on patches of valid)" in ran.err
    assert "1 maps made; they are in heatmaps/" in ran.err
    assert (tmp_path / "heatmaps" / "a.triptych.png").is_file()
    ran = midog("heatmap", "make", path, "--model", "model", "--stride", 16)
    assert "0 maps made, 1 were done before" in ran.err


def test_glass_is_left_out_of_a_small_slide_unless_all_is_asked_for(midog, path, tmp_path):
    looked_at = []
    for out, words in (("tissue", []), ("all", ["--tissue", "all"])):
        ran = midog("heatmap", path, "--model", "model", "--stride", 32, "--out", out, *words)
        assert ran.code == 0, ran.err
        looked_at.append(np.isfinite(tifffile.imread(tmp_path / out / "a.heatmap.tif")).mean())
    x1, y1, x2, y2 = ISLAND
    wide, tall, all_of_it = x2 - x1, y2 - y1, 1300 * 900
    # px of the map that the island's edge crosses count as well
    assert wide * tall <= looked_at[0] * all_of_it <= (wide + 64) * (tall + 64)
    assert looked_at[1] > 0.95


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--stride", "99"], "give --stride from 1 to 32"),
        (["--orientations", "3"], "choose --orientations among 1, 2, 4, 8"),
        (["--tissue", "tisue"], "'tisue' is no choice"),
        (["--truth", "nowhere"], "nowhere does not exist"),
    ],
)
def test_nonsense_is_one_line(midog, path, words, expected):
    assert expected in one_line(midog("heatmap", path, "--model", "model", *words))


def test_wrong_command_lines_are_told(midog, path):
    assert midog("heatmap", path, "--stride", "x").code == 2
    assert midog("heatmap", "--orientations", 4, path, "--model", "model").code == 0
    assert "no run" in (ran := midog("heatmap", "nothing.tif")).err or ran.code == 1


def test_the_help_names_both_forms(midog):
    ran = midog("heatmap", "--help")
    assert "short for `midog heatmap make SLIDE`" in " ".join(ran.out.split())
    assert "--orientations N" in midog("heatmap", "make", "--help").out
