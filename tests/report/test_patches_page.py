"""The page of a classifier of patches: its numbers, its most wrong patches, itself alone."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from midog.evaluation.patches import evaluate_patches
from midog.loading.patches import patch_source
from midog.report.patches_page import write_patches_page, wrong_patches
from tests.evaluation.test_patches import CLASSES, SCORES, patches

PIXELS = np.random.default_rng(0).integers(0, 255, (12, 32, 32, 3), dtype=np.uint8)


def result(resamples: int = 50, **changes):
    own = patches(**changes)
    return evaluate_patches(own, SCORES, threshold=0.5, classes=CLASSES, resamples=resamples)


def test_the_most_wrong_patches_come_first_with_their_own_pixels():
    own = result(labels=np.array([1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0]))
    crops = patch_source(PIXELS, np.zeros(12, np.int64))
    missed = wrong_patches(own, crops, positive=True)
    assert (missed.name, missed.taken_for, missed.total) == ("atypical", "normal", 3)
    assert [wrong.patch.score for wrong in missed.worst] == [0.1, 0.3, 0.35]
    alarms = wrong_patches(own, crops, positive=False)
    assert [wrong.patch.number for wrong in alarms.worst] == [11, 1, 7]
    data = base64.b64decode(alarms.worst[0].source.split(",")[1])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), PIXELS[11])


def test_the_page_stands_alone_and_repeats(tmp_path):
    own, crops = result(slides=("<b>",) * 6 + ("s1",) * 6), patch_source(PIXELS, np.zeros(12, int))
    write_patches_page(tmp_path / "a.html", own, crops)
    write_patches_page(tmp_path / "b.html", own, crops)
    text = (tmp_path / "a.html").read_text()
    assert text == (tmp_path / "b.html").read_text()
    assert text.count('<svg class="chart"') == 3
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text), "nothing is fetched"
    assert "&lt;b&gt;" in text
    assert "<b></" not in text
    for key in ("auc", "ap"):
        assert f"{own.groups['all'].intervals[key].value:.3f}" in text


def test_scores_that_flatter_are_marked(tmp_path):
    crops = patch_source(PIXELS, np.zeros(12, int))
    for role, words in (("train", "trained on"), ("val", "flatter"), ("test", "")):
        write_patches_page(tmp_path / "p.html", result(0, role=role), crops)
        cautions = re.findall(r'class="caution">(.*?)</p>', (tmp_path / "p.html").read_text())
        assert [words in caution for caution in cautions] == [True] * bool(words)
