"""The numbers in the tables of a domain-shift report."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from midog.report.shift_tables import (
    HEADS,
    amounts,
    ordered_losses,
    stain_angle,
    swatches,
)
from midog.shift.images import image_stats
from tests.report.shifts import (
    DISTANCES,
    NAMES,
    build_shift,
    part_of,
    result_of,
)


def test_stains_are_shown_in_their_own_colours() -> None:
    stats = image_stats(build_shift().samples[NAMES[0]])
    known = replace(
        stats,
        rgb_mean=np.array([200.0, 99.6, 0.0]),
        stains=np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]),
        concentrations=np.array([math.log10(2), 0.0]),
    )
    assert [each.colour for each in swatches(known)] == ["#c86400", "#7fffff", "#ffffff"]
    assert stain_angle(known) == pytest.approx(90)
    unknown = replace(stats, stains=np.full((2, 3), np.nan), concentrations=np.full(2, np.nan))
    assert [each.colour is None for each in swatches(unknown)] == [False, True, True]
    assert math.isnan(stain_angle(unknown))


def test_bars_of_pairs_and_of_halves_have_one_scale() -> None:
    result = build_shift(NAMES[:2], unlabelled=())
    pair = replace(result.pairs[0], distances=dict.fromkeys(DISTANCES, 1.0))
    within = {NAMES[0]: dict.fromkeys(DISTANCES, 2.0), NAMES[1]: dict.fromkeys(DISTANCES, 0.5)}
    shown = amounts(replace(result, pairs=(pair,), within=within))
    assert [each["mmd"].per_cent for each in shown.values()] == [50, 100, 25]
    assert list(shown) == [(NAMES[0], NAMES[1]), (NAMES[0],), (NAMES[1],)]


def test_losses_stand_in_the_order_of_the_matrix() -> None:
    parts = {name: part_of(5, 1, 1) for name in NAMES[:3]}
    models = [("b", (NAMES[1],), parts), ("c", (NAMES[2],), parts), ("a", (NAMES[0],), parts)]
    result = result_of(models, NAMES[:3])
    shown = ordered_losses(result)
    assert [(loss.model, loss.scanner) for loss, _ in shown] == [
        (model, scanner)
        for at, model in enumerate("abc")
        for scanner in NAMES[:3]
        if scanner != NAMES[at]
    ]
    assert shown[0][1] is result.loss_distances[result.losses.index(shown[0][0])]


def test_every_distance_has_a_name() -> None:
    assert tuple(HEADS) == DISTANCES
    assert all(head.words and head.name not in head.words for head in HEADS.values())
