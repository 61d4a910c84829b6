"""The table of a classifier's scores: a line for each score of each group, intervals if drawn."""

from __future__ import annotations

import numpy as np
import pytest

from midog.cli.patch_tables import print_patch_scores
from midog.evaluation.patch_measures import PATCH_MEASURES
from midog.evaluation.patches import evaluate_patches
from tests.evaluation.test_patches import CLASSES, SCORES, patches


@pytest.mark.parametrize("resamples", [0, 20])
def test_a_line_for_each_score_of_each_group(capsys, resamples):
    how = {"threshold": 0.5, "classes": CLASSES, "by": "lab", "resamples": resamples}
    print_patch_scores(evaluate_patches(patches(), SCORES, **how))
    printed = capsys.readouterr()
    header, *lines = printed.out.splitlines()
    assert len(lines) == 3 * len(PATCH_MEASURES)
    assert ("95% interval" in header) == bool(resamples)
    assert lines[2].split()[:3] == ["all", "balanced", "0.833"]
    assert "12 patches of 4 slides: 6 of class atypical, 6 of class normal" in printed.err
    assert "5 of 6 atypical and 1 of 6 normal are taken for atypical" in printed.err


def test_scores_without_a_class_are_dashes(capsys):
    own = patches(labels=np.zeros(12, np.int64), slides=())
    print_patch_scores(evaluate_patches(own, SCORES, threshold=0.5, classes=CLASSES, resamples=0))
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].split() == ["all", "AUC", "-"]
    assert "12 patches of unknown slides" in printed.err
