"""`midog heatmap evaluate`: scored from the command line, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import tifffile

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


def test_truth_of_other_groups_is_read_as_it_is_told(midog, path, tmp_path):  # noqa: F811
    write_xml(tmp_path / "truth" / "a.xml", [TUMOUR], group="Invasive")
    words = ["--model", "model", "--stride", 16, "--truth", "truth"]
    told = ["--groups", "Invasive=tumour"]
    assert "Invasive" in one_line(midog("heatmap", path, *words))
    ran = midog("heatmap", path, *words, *told)
    assert ran.code == 0, ran.err
    assert "1 maps made" in ran.err
    ran = midog("heatmap", path, *words, *told)
    assert "0 maps made, 1 were done before" in ran.err
    ran = midog("heatmap", path, *words, "--groups", "Invasive=normal")
    assert "1 maps made" in ran.err, "other truth, another picture"
    words = ["heatmap", "evaluate", "heatmaps", "--truth", "truth", "--resamples", 0]
    assert "Invasive" in one_line(midog(*words))
    ran = midog(*words, *told)
    assert ran.code == 0, ran.err
    auc = next(line for line in ran.out.splitlines() if line.startswith("pixel AUC"))
    assert float(auc.split()[2]) > 0.99


def test_a_mask_of_several_values_is_read_as_it_is_told(midog, path, tmp_path):  # noqa: F811
    mask = np.ones((900, 1300), np.uint8)
    x1, y1, x2, y2 = TUMOUR
    mask[y1:y2, x1:x2] = 2
    (tmp_path / "truth").mkdir()
    tifffile.imwrite(tmp_path / "truth" / "a_mask.tif", mask)
    words = ["--model", "model", "--stride", 16, "--truth", "truth"]
    assert "--mask-value" in one_line(midog("heatmap", path, *words))
    ran = midog("heatmap", path, *words, "--mask-value", 2)
    assert ran.code == 0, ran.err
    words = ["heatmap", "evaluate", "heatmaps", "--truth", "truth", "--resamples", 0]
    ran = midog(*words, "--mask-value", 2)
    assert ran.code == 0, ran.err
    auc = next(line for line in ran.out.splitlines() if line.startswith("pixel AUC"))
    assert float(auc.split()[2]) > 0.99
