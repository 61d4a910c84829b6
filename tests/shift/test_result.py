"""What a domain-shift report says as JSON: every figure, None for what is undefined, no
pictures."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from midog._version import __version__
from midog.metrics.bootstrap import Interval
from midog.metrics.counts import Counts
from midog.metrics.rank_correlation import RankCorrelation
from midog.metrics.scanner_matrix import Cell, Loss, Matrix, ModelRow
from midog.shift.images import image_stats
from midog.shift.result import Confounder, Pair, ShiftResult

NAN = math.nan
UNKNOWN = Interval(NAN, NAN, NAN)


@pytest.fixture
def result() -> ShiftResult:
    """One model that was tested on its own scanner alone, and much that is undefined."""
    row = ModelRow(
        "only_a",
        ("A",),
        {
            "A": Cell(
                True,
                2,
                Counts(3, 1, 0),
                Interval(6 / 7, 0.5, 1.0),
                oracle_f1=Interval(1.0, 0.5, 1.0),
                threshold_loss=Interval(0.25, 0.0, 0.5),
                oracle_threshold=0.5,
                at_floor=True,
            ),
            "B": Cell(False, 1, Counts(), UNKNOWN),
        },
        seen=Interval(6 / 7, 0.5, 1.0),
        unseen=UNKNOWN,
        drop=UNKNOWN,
        best="",
        worst="",
    )
    patches = np.full((1, 64, 64, 3), 255, np.uint8)
    return ShiftResult(
        matrix=Matrix((row,), on_diagonal=row.seen, off_diagonal=UNKNOWN, gap=UNKNOWN),
        same_test=True,
        losses=(Loss("only_a", ("A",), "B", NAN, 0.25),),
        loss_distances=({"pad": NAN, "mmd": 0.5},),
        correlations={"pad": {"from_own": RankCorrelation(NAN, NAN, 1)}},
        images={"A": image_stats(patches)},
        pairs=(Pair("A", "B", {"pad": 1.5, "mmd": NAN}),),
        within={"A": {"pad": 0.25, "mmd": NAN}},
        feature_model="only_a",
        projection={"A": np.zeros((1, 2))},
        samples={"A": patches},
        unlabelled=("D",),
        confounders=(Confounder("tumour", {"A": {"canine": 2}, "B": {"human": 1}}),),
        patches="1 patch",
        level=0.95,
        resamples=100,
        seed=7,
    )


def test_every_figure_is_there_and_what_is_undefined_is_none(result):
    tree = result.to_dict()
    known = {"value": 6 / 7, "low": 0.5, "high": 1.0}
    nothing = {"value": None, "low": None, "high": None}
    images = tree.pop("images")
    assert tree == {
        "schema_version": 1,
        "midog": __version__,
        "bootstrap": {"unit": "patient", "level": 0.95, "resamples": 100, "seed": 7},
        "models": [
            {
                "name": "only_a",
                "train_on": ["A"],
                "cells": {
                    "A": {"seen": True, "rois": 2, "tp": 3, "fp": 1, "fn": 0, "f1": known}
                    | {
                        "oracle_f1": {"value": 1.0, "low": 0.5, "high": 1.0},
                        "threshold_loss": {"value": 0.25, "low": 0.0, "high": 0.5},
                        "ranking_loss": 0.0,
                        "oracle_threshold": 0.5,
                        "at_floor": True,
                    },
                    "B": {"seen": False, "rois": 1, "tp": 0, "fp": 0, "fn": 0, "f1": nothing}
                    | dict.fromkeys(("oracle_f1", "threshold_loss"), nothing)
                    | {"ranking_loss": None, "oracle_threshold": None, "at_floor": False},
                },
                "seen": known,
                "unseen": nothing,
                "drop": nothing,
                "best": None,
                "worst": None,
            }
        ],
        "same_test": True,
        "on_diagonal": known,
        "off_diagonal": nothing,
        "gap": nothing,
        "own_threshold_loss": nothing,
        "other_threshold_loss": nothing,
        "published": {
            "scanners": ["Hamamatsu XR", "Aperio CS2", "Hamamatsu S360"],
            "f1": [[0.578, 0.138, 0.190], [0.390, 0.751, 0.433], [0.432, 0.574, 0.721]],
        },
        "losses": [
            {
                "model": "only_a",
                "train_on": ["A"],
                "scanner": "B",
                "from_own": None,
                "from_native": 0.25,
                "distances": {"pad": None, "mmd": 0.5},
            }
        ],
        "correlations": {"pad": {"from_own": {"rho": None, "p": None, "n": 1}}},
        "pairs": [{"a": "A", "b": "B", "distances": {"pad": 1.5, "mmd": None}}],
        "within": {"A": {"pad": 0.25, "mmd": None}},
        "feature_model": "only_a",
        "patches": "1 patch",
        "unlabelled": ["D"],
        "confounders": [{"column": "tumour", "table": {"A": {"canine": 2}, "B": {"human": 1}}}],
    }
    assert images == {"A": result.images["A"].to_dict()}
    assert images["A"]["stains"] == [[None] * 3] * 2, "white patches have no stain"


def test_it_is_json_without_nan_and_says_the_same_when_it_is_read(result):
    tree = result.to_dict()
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree


def test_a_matrix_without_models_is_json_too(result):
    empty = dataclasses.replace(
        result,
        matrix=Matrix((), UNKNOWN, UNKNOWN, UNKNOWN),
        losses=(),
        loss_distances=(),
        correlations={},
        images={},
        pairs=(),
        confounders=(),
    )
    tree = json.loads(json.dumps(empty.to_dict(), allow_nan=False))
    assert tree["models"] == tree["losses"] == tree["pairs"] == []


def test_each_loss_must_have_its_distances(result):
    with pytest.raises(ValueError, match="shorter"):
        dataclasses.replace(result, loss_distances=()).to_dict()
