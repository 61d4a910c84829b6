"""`midog heatmap evaluate`: scored from the command line, and what it refuses."""

from __future__ import annotations

import json

from tests.cli.test_heatmap import path  # noqa: F401
from tests.heatmap.drawn import TUMOUR, slide, write, write_xml
from tests.spoiled import one_line


def test_maps_are_scored_with_a_threshold_chosen_on_others(midog, path, tmp_path):  # noqa: F811
    for name, tumour in (("valid/v", True), ("test/t", True), ("test/n", False)):
        write(tmp_path / f"{name}.tif", slide(tumour=tumour))
        if tumour:
            write_xml(tmp_path / "truth" / f"{name.split('/')[1]}.xml", [TUMOUR])
    write(tmp_path / "valid" / "v.tif", slide()[:-9])
    for part in ("valid", "test"):
        words = ["--model", "model", "--stride", 16, "--out", f"maps_{part}"]
        ran = midog("heatmap", part, *words)
        assert ran.code == 0, ran.err
    words = ["heatmap", "evaluate", "maps_test", "--truth", "truth", "--resamples", 20]
    assert "no truth of 1 of 2 slides: n" in (line := one_line(midog(*words)))
    assert "--normal takes them" in line
    ran = midog(*words, "--normal", "--threshold-from", "maps_valid")
    assert ran.code == 0, ran.err
    rows = {line.split("  ")[0]: line for line in ran.out.splitlines()}
    assert float(rows["pixel AUC"].split()[2]) > 0.99
    assert rows["lesion FROC"].split()[2] == "-", "a tumour of 160 um is isolated cells"
    assert "of highest Dice on 1 slides of maps_valid" in ran.err
    assert "precision is that of this share" in ran.err
    tree = json.loads(midog(*words, "--normal", "--threshold", 0.7, "--json").out)
    assert (tree["threshold"], tree["threshold_from"]) == (0.7, "given")
    assert tree["scores"]["slide_auc"] == 1
    line = one_line(midog(*words, "--normal", "--threshold-from", "maps_test"))
    assert "the threshold would be chosen on it" in line
    both = midog(*words, "--threshold", 0.5, "--threshold-from", "maps_valid")
    assert both.code == 2
