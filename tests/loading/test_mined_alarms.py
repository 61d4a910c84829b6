"""Which false alarms are kept, and which one a draw requests."""

from __future__ import annotations

import numpy as np
import pytest

from midog.loading.mined_alarms import (
    MOST_REPEATS,
    Alarms,
    joined_alarms,
    keep_hardest,
    no_alarms,
)

SCANNERS = ["B", "A", "B", "A"]
FREE = [False, False, True, True]


def alarms(*rows: tuple[int, float]) -> Alarms:
    """Of ROIs with scores; the box of each says its place in the list."""
    rois = np.array([roi for roi, _ in rows], np.int64)
    places = np.arange(len(rows), dtype=np.float32)
    boxes = np.stack([places, places, places + 10, places + 10], axis=1)
    return Alarms(rois, boxes, np.array([score for _, score in rows], np.float32))


def places_of(kept: Alarms) -> list[int]:
    return kept.boxes[:, 0].astype(int).tolist()


def test_those_without_figures_come_first_then_those_of_the_highest_score():
    mined = alarms((0, 0.9), (0, 0.3), (1, 0.8), (2, 0.2), (2, 0.6), (3, 0.1))
    kept = keep_hardest(mined, SCANNERS, FREE, {"A": 100, "B": 100})
    assert places_of(kept.alarms) == [5, 2, 4, 3, 0, 1]
    assert [(name, group.first, group.count) for name, group in kept.groups.items()] == [
        ("A", 0, 2),
        ("B", 2, 4),
    ]


def test_no_more_are_kept_than_an_epoch_requests():
    mined = alarms((0, 0.9), (0, 0.3), (1, 0.8), (2, 0.2), (2, 0.6), (3, 0.1))
    kept = keep_hardest(mined, SCANNERS, FREE, {"A": 0.0, "B": 2.2})
    assert places_of(kept.alarms) == [4, 3, 0]
    assert list(kept.groups) == ["B"]


def test_of_equal_ones_the_first_is_kept():
    kept = keep_hardest(alarms((0, 0.5), (0, 0.5), (0, 0.5)), SCANNERS, FREE, {"B": 2})
    assert places_of(kept.alarms) == [0, 1]


def test_to_keep_again_what_was_kept_changes_nothing():
    rng = np.random.default_rng(0)
    mined = alarms(*zip(rng.integers(4, size=60).tolist(), rng.random(60), strict=True))
    draws = {"A": 7.3, "B": 50}
    once = keep_hardest(mined, SCANNERS, FREE, draws)
    twice = keep_hardest(once.alarms, SCANNERS, FREE, draws)
    assert places_of(once.alarms) == places_of(twice.alarms)
    assert once.groups == twice.groups


def test_each_of_a_scanner_is_drawn_equally_often_and_none_of_another():
    mined = keep_hardest(
        alarms((1, 0.9), (0, 0.9), (0, 0.2), (2, 0.5)), SCANNERS, FREE, {"A": 9, "B": 9}
    )
    rng = np.random.default_rng(0)
    drawn = [mined.draw("B", rng) for _ in range(3000)]
    assert set(drawn) == {1, 2, 3}
    assert {mined.alarms.rois[place] for place in drawn} == {0, 2}
    counts = np.bincount(drawn)[1:]
    assert abs(counts - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)  # five standard errors, seeded


def test_a_lonely_one_is_not_requested_all_the_time():
    requested = 100
    mined = keep_hardest(alarms((0, 0.9)), SCANNERS, FREE, {"B": requested})
    rng = np.random.default_rng(0)
    drawn = [mined.draw("B", rng) for _ in range(requested * 20)]
    share = drawn.count(0) / len(drawn)
    expected = 1 / -(-requested // MOST_REPEATS)
    assert abs(share - expected) < 5 * np.sqrt(expected / len(drawn))
    assert set(drawn) == {0, None}


@pytest.mark.parametrize("scanner", ["A", "", "unheard of"])
def test_where_there_are_none_there_is_none_to_draw(scanner):
    rng = np.random.default_rng(0)
    assert keep_hardest(no_alarms(), SCANNERS, FREE, {"A": 9}).draw(scanner, rng) is None
    assert keep_hardest(alarms((0, 0.5)), SCANNERS, FREE, {"B": 9}).draw(scanner, rng) is None


def test_parts_are_joined_in_order():
    assert len(joined_alarms([])) == 0
    whole = joined_alarms([alarms((0, 0.1)), no_alarms(), alarms((2, 0.3), (2, 0.2))])
    assert whole.rois.tolist() == [0, 2, 2]
    assert whole.boxes.shape == (3, 4)
