"""Where to look: shares, whole figures, repeatability, odd ROIs."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes, squares_around
from midog.config.schema import SamplingSettings
from midog.loading.locations import (
    ALARM,
    ANYWHERE,
    Location,
    SampledRoi,
    epoch_length,
    location,
    locations,
    roi_order,
    validation_locations,
)
from midog.loading.mined_alarms import Alarms, MinedAlarms, keep_hardest


def field(
    seed: int = 0, size: int = 1000, figures: int = 8, imposters: int = 8, scanner: str = "A"
) -> SampledRoi:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-10, size + 10, size=(figures + imposters, 2))
    labels = np.array([MITOTIC_FIGURE] * figures + [IMPOSTER] * imposters)
    return SampledRoi(size, size - 100, Boxes(squares_around(points), labels), scanner)


def all_locations(rois: list[SampledRoi], config: SamplingSettings, epochs: int, seed: int = 1):
    length = epoch_length(rois, config)
    return [
        place
        for epoch in range(epochs)
        for place in locations(rois, config, seed, epoch, range(length))
    ]


@pytest.mark.parametrize(
    ("policy", "shares"),
    [
        ("hard_negative", {MITOTIC_FIGURE: 0.5, IMPOSTER: 0.25, ANYWHERE: 0.25}),
        ("second_class", {MITOTIC_FIGURE: 0.5, IMPOSTER: 0.25, ANYWHERE: 0.25}),
        ("ignore", {MITOTIC_FIGURE: 0.5, IMPOSTER: 0.0, ANYWHERE: 0.5}),
        ("leave_out", {MITOTIC_FIGURE: 0.5, IMPOSTER: 0.0, ANYWHERE: 0.5}),
    ],
)
def test_share_of_draws_follows_the_policy(policy, shares):
    config = SamplingSettings(patch_size=256, patches_per_roi=50, imposters=policy)
    requested = np.array(
        [place.requested for place in all_locations([field(1), field(2)], config, epochs=40)]
    )
    for kind, share in shares.items():
        # five standard errors of a binomial of this many draws: the numbers are seeded, so it holds
        # or it does not
        margin = 5 * np.sqrt(share * (1 - share) / len(requested))
        assert abs((requested == kind).mean() - share) <= margin


@settings(max_examples=300, deadline=None)
@given(
    width=st.integers(30, 900),
    height=st.integers(30, 900),
    patch=st.sampled_from([64, 128, 256, 512]),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    side=st.floats(
        1, 62
    ),  # with whole pixels, a figure as wide as the patch cannot always be whole in it
    jitter=st.one_of(st.none(), st.floats(0, 400)),
    seed=st.integers(0, 2**32),
)
def test_what_of_a_requested_figure_is_in_the_image_is_whole_in_its_patch(
    width, height, patch, at, side, jitter, seed
):
    centre = np.array([[at[0] * width, at[1] * height]])
    only = SampledRoi(
        width, height, Boxes(squares_around(centre, side), np.array([MITOTIC_FIGURE]))
    )
    config = SamplingSettings(patch_size=patch, p_mitotic=1, p_imposter=0, jitter=jitter)
    place = location([only], config, seed, 3, 0)
    assert place.requested == MITOTIC_FIGURE
    x1, y1, x2, y2 = only.boxes.xyxy[0].clip(0, [width, height, width, height])
    assert place.x <= x1
    assert place.y <= y1
    assert x2 <= place.x + patch
    assert y2 <= place.y + patch
    for origin, extent in ((place.x, width), (place.y, height)):
        assert min(0, extent - patch) <= origin <= max(0, extent - patch)


def test_without_jitter_a_figure_far_from_the_edge_is_in_the_middle():
    middle = SampledRoi(1000, 1000, Boxes(squares_around([[500, 400]]), np.array([1])))
    config = SamplingSettings(patch_size=256, p_mitotic=1, p_imposter=0, jitter=0)
    place = location([middle], config, 0, 0, 0)
    assert (place.x + 128, place.y + 128) == (500, 400)


def test_jitter_reaches_every_part_of_the_patch():
    middle = SampledRoi(2000, 2000, Boxes(squares_around([[1000, 1000]]), np.array([1])))
    config = SamplingSettings(patch_size=256, p_mitotic=1, p_imposter=0, patches_per_roi=500)
    offsets = np.array(
        [[1000 - place.x, 1000 - place.y] for place in all_locations([middle], config, 1)]
    )
    assert offsets.min() < 25 + 10
    assert offsets.max() > 256 - 25 - 10


def crowd(figures: int) -> SampledRoi:
    """An ROI with figures in rows, of which no two are at one place."""
    numbers = np.arange(figures)
    points = np.stack([100 + 60 * (numbers % 10), 100 + 60 * (numbers // 10)], axis=1)
    return SampledRoi(800, 800, Boxes(squares_around(points), np.full(figures, MITOTIC_FIGURE)))


@pytest.mark.parametrize(
    ("balance", "lone"),
    [("roi", 1 / 2), ("scanner", 1 / 2), ("figure", 1 / 83), ("sqrt_figure", 1 / (1 + 82**0.5))],
)
def test_a_figure_alone_in_its_roi_has_its_share_of_the_draws_on_figures(balance, lone):
    """Beside an ROI of 82 figures, and one of none whose draws are on figures only where these are
    taken from all ROIs."""
    rois = [crowd(1), crowd(82), SampledRoi(800, 800, Boxes())]
    config = SamplingSettings(
        patch_size=64, patches_per_roi=500, balance=balance, p_mitotic=0.5, p_imposter=0
    )
    places = all_locations(rois, config, epochs=20)
    on_figures = np.array([place.roi for place in places if place.requested == MITOTIC_FIGURE])
    share = 0.5 if balance in ("figure", "sqrt_figure") else 0.5 * 2 / 3
    # five standard errors of a binomial of this many draws, which are seeded
    assert abs(len(on_figures) / len(places) - share) <= 5 * (share * (1 - share) / 30_000) ** 0.5
    margin = 5 * (lone * (1 - lone) / len(on_figures)) ** 0.5
    assert abs((on_figures == 0).mean() - lone) <= margin
    assert not (on_figures == 2).any()
    elsewhere = np.bincount([place.roi for place in places if not place.requested], minlength=3)
    kept = np.array([5000, 5000, 5000 if share == 0.5 else 10_000])
    assert (abs(elsewhere - kept) <= 5 * (10_000 * 0.25) ** 0.5).all()


def test_every_figure_is_drawn_equally_often_by_figure():
    rois = [crowd(1), crowd(9), field(4, figures=0)]
    config = SamplingSettings(
        patch_size=64, patches_per_roi=400, balance="figure", p_mitotic=1, p_imposter=0, jitter=0
    )
    places = all_locations(rois, config, epochs=10)
    counts = Counter((place.roi, place.x, place.y) for place in places)
    assert len(counts) == 10
    expected = len(places) / 10
    # Pearson's statistic of 10 figures stays under its quantile of 0.1 %, with seeded draws
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 27.9


@pytest.mark.parametrize("balance", ["figure", "sqrt_figure"])
def test_a_draw_by_figures_depends_on_seed_epoch_and_index_alone(balance):
    rois = [field(i, figures=2 + 9 * i) for i in range(3)]
    config = SamplingSettings(patch_size=256, balance=balance)
    whole = locations(rois, config, 5, 2, range(30))
    assert [location(rois, config, 5, 2, i) for i in reversed(range(30))] == whole[::-1]
    assert locations(rois, config, 6, 2, range(30)) != whole
    assert locations(rois, config, 5, 2, range(28, 33))[:2] == whole[28:]


@pytest.mark.parametrize("balance", ["figure", "sqrt_figure"])
def test_without_any_figure_all_draws_are_anywhere(balance):
    config = SamplingSettings(patch_size=64, balance=balance, p_mitotic=1, p_imposter=0)
    places = locations([SampledRoi(300, 300, Boxes())] * 2, config, 0, 0, range(20))
    assert {place.requested for place in places} == {ANYWHERE}


@pytest.mark.parametrize("balance", ["roi", "scanner"])
def test_an_epoch_is_balanced(balance):
    rois = [field(i, scanner="A") for i in range(5)] + [field(9, scanner="B")]
    config = SamplingSettings(patch_size=256, patches_per_roi=7, balance=balance)
    for epoch in range(3):
        counts = np.bincount(roi_order(rois, config, 0, epoch), minlength=6)
        assert counts.sum() == 42
        if balance == "roi":
            assert counts.tolist() == [7] * 6
        else:
            assert abs(counts[:5].sum() - counts[5]) <= 1
            assert counts[:5].max() - counts[:5].min() <= 1


def test_a_draw_depends_on_seed_epoch_and_index_alone():
    rois, config = [field(i) for i in range(3)], SamplingSettings(patch_size=256)
    whole = locations(rois, config, 5, 2, range(30))
    assert [location(rois, config, 5, 2, i) for i in reversed(range(30))] == whole[::-1]
    assert locations(rois, config, 5, 3, range(30)) != whole
    assert locations(rois, config, 6, 2, range(30)) != whole


def test_validation_patches_are_uniform_and_fixed():
    rois, config = [field(i) for i in range(3)], SamplingSettings(patch_size=256)
    first = validation_locations(rois, config, 0)
    assert first == validation_locations(rois, config, 0)
    assert all(place.requested == ANYWHERE for place in first)
    assert np.bincount([place.roi for place in first]).tolist() == [10, 10, 10]


def test_rois_without_figures_are_looked_at_anywhere():
    empty = SampledRoi(700, 600, Boxes())
    places = locations([empty], SamplingSettings(patch_size=256, p_mitotic=0.75), 0, 0, range(10))
    assert all(
        place.requested == ANYWHERE and 0 <= place.x <= 444 and 0 <= place.y <= 344
        for place in places
    )


def test_a_roi_smaller_than_a_patch_lies_whole_in_it():
    small = field(3, size=150)
    for place in locations([small], SamplingSettings(patch_size=256), 0, 0, range(10)):
        assert 150 - 256 <= place.x <= 0
        assert 50 - 256 <= place.y <= 0


def test_a_centre_outside_the_image_does_no_harm():
    outside = SampledRoi(
        500, 500, Boxes([[-40, 100, 10, 150], [490, 490, 540, 540], [-90, 0, -40, 50]], [1, 1, 1])
    )
    config = SamplingSettings(patch_size=128, p_mitotic=1, p_imposter=0)
    for place in locations([outside], config, 0, 0, range(10)):
        assert place.requested == MITOTIC_FIGURE
        assert 0 <= place.x <= 372


FIRST = {
    "roi": [
        (0, 99, 174, 0),
        (2, -25, -118, 0),
        (0, 552, 63, 1),
        (3, 44, 437, 0),
        (1, 146, 251, 0),
        (2, -50, -45, 0),
        (0, 618, 442, 2),
        (0, 712, 644, 1),
        (1, 444, 235, 2),
        (2, 0, -3, 2),
        (3, 39, 248, 0),
        (0, 495, 614, 1),
    ],
    "scanner": [
        (0, 99, 174, 0),
        (1, 247, 84, 0),
        (3, 4, 164, 0),
        (2, -56, -152, 2),
        (0, 685, 644, 1),
        (2, -50, -45, 0),
        (3, 33, 446, 0),
        (3, 14, 452, 0),
        (2, -5, -19, 2),
        (0, 241, 387, 2),
        (2, -6, -96, 0),
        (1, 250, 236, 0),
    ],
}
MANY = {
    "roi": "50401b385b13111011992261a74a6bac2e9be8a641e78d730a696c5307c9cf64",
    "scanner": "8e55db2d6090d575579add69b2fdab9e8884a4f3c78ef4de3bb8323289c8259e",
}


def _plain(places: list[Location]) -> list[tuple[int, ...]]:
    """Places without windows, as none is drawn by default."""
    assert all(place.window is None for place in places)
    return [tuple(place[:4]) for place in places]


@pytest.mark.parametrize("balance", ["roi", "scanner"])
def test_draws_are_those_of_every_release(balance):
    rois = [
        field(0),
        field(1, 700, figures=0, scanner="B"),
        field(2, 200),
        SampledRoi(300, 900, Boxes(), "B"),
    ]
    config = SamplingSettings(patch_size=256, balance=balance)
    assert [tuple(place[:4]) for place in locations(rois, config, 7, 3, range(12))] == FIRST[
        balance
    ]
    other = config.model_copy(update={"imposters": "second_class", "jitter": 40.5})
    many = [
        tuple(place[:4])
        for seed in (0, 2**63 - 1)
        for epoch in (0, 5, 399)
        for place in locations(rois, other, seed, epoch, range(40))
    ]
    assert hashlib.sha256(repr(many).encode()).hexdigest() == MANY[balance]
    fixed = _plain(validation_locations(rois, config, 7))[:5]
    assert fixed == [
        (0, 390, 310, 0),
        (0, 665, 134, 0),
        (0, 736, 231, 0),
        (0, 730, 516, 0),
        (0, 258, 401, 0),
    ]


def mixed(balance: str, **more: object) -> tuple[list[SampledRoi], SamplingSettings]:
    """Two ROIs with figures and three without, of two scanners and two types."""
    rois = [
        replace(field(0), roi_type="hotspot"),
        replace(field(1), roi_type="hotspot", scanner="B"),
        replace(field(2, figures=0), roi_type="random"),
        replace(field(3, figures=0, imposters=0), roi_type="random"),
        replace(field(4, figures=0), roi_type="random", scanner="B"),
    ]
    return rois, SamplingSettings(patch_size=256, patches_per_roi=20, balance=balance, **more)


def test_draws_are_even_over_roi_types():
    rois, config = mixed("roi_type")
    counts = np.bincount(roi_order(rois, config, 1, 0), minlength=5)
    assert counts[:2].sum() == counts[2:].sum() == 50
    assert set(counts[:2]) == {25}
    assert set(counts[2:]) <= {16, 17}


@pytest.mark.parametrize("balance", ["roi", "scanner", "roi_type", "figure", "sqrt_figure"])
@pytest.mark.parametrize("share", [0, 0.2, 0.75])
def test_that_share_of_draws_is_in_rois_without_figures(balance, share):
    rois, config = mixed(balance, p_figure_free=share)
    for epoch in range(2):
        places = locations(rois, config, 3, epoch, range(100))
        counts = np.bincount([place.roi for place in places], minlength=5)
        assert counts[2:].sum() == round(100 * share)
        if balance not in ("figure", "sqrt_figure"):
            assert abs(counts[0] - counts[1]) <= 1
        if balance in ("roi", "roi_type"):
            assert np.ptp(counts[2:]) <= 1
        if balance == "scanner":
            assert abs(counts[2:4].sum() - counts[4]) <= 1


def test_a_share_of_none_there_are_changes_nothing():
    rois, config = [field(i) for i in range(3)], SamplingSettings(patch_size=256)
    shared = config.model_copy(update={"p_figure_free": 0.5})
    assert locations(rois, shared, 1, 0, range(30)) == locations(rois, config, 1, 0, range(30))


def mined_of(*rows: tuple[int, float, float], rois: list[SampledRoi]) -> MinedAlarms:
    """False alarms of 20 px at (roi, x, y), as many as are wanted of each scanner."""
    points = np.array([row[1:] for row in rows])
    alarms = Alarms(
        np.array([row[0] for row in rows], np.int64),
        squares_around(points, 20).astype(np.float32),
        np.linspace(0.9, 0.1, len(rows)).astype(np.float32),
    )
    scanners = [roi.scanner for roi in rois]
    return keep_hardest(alarms, scanners, [False] * len(rois), dict.fromkeys(scanners, 4.0))


def test_false_alarms_are_requested_with_their_share_and_are_whole_in_their_patch():
    rois = [field(1, scanner="A"), field(2, scanner="B"), field(3, scanner="B")]
    mined = mined_of((0, 500, 400), (1, 12, 15), (2, 700, 880), rois=rois)
    config = SamplingSettings(
        patch_size=128, patches_per_roi=60, mine_every=1, p_mined=0.2, p_imposter=0.1
    )
    length = epoch_length(rois, config)
    places = [
        place
        for epoch in range(20)
        for place in locations(rois, config, 1, epoch, range(length), mined=mined)
    ]
    requested = np.array([place.requested for place in places])
    for kind, share in {ALARM: 0.2, MITOTIC_FIGURE: 0.5, IMPOSTER: 0.1, ANYWHERE: 0.2}.items():
        margin = 5 * np.sqrt(share * (1 - share) / len(requested))
        assert abs((requested == kind).mean() - share) <= margin
    boxes = mined.alarms.boxes[np.argsort(mined.alarms.rois)]  # one of each ROI
    for place in places:
        if place.requested == ALARM:
            x1, y1, x2, y2 = boxes[place.roi]
            assert place.x <= x1 < x2 <= place.x + 128
            assert place.y <= y1 < y2 <= place.y + 128


def test_scanners_keep_their_share_of_the_draws_whatever_is_mined():
    rois = [field(1, scanner="A"), field(2, scanner="B"), field(3, scanner="B")]
    mined = mined_of((0, 500, 400), (1, 12, 15), (1, 70, 880), rois=rois)
    config = SamplingSettings(
        patch_size=128, balance="scanner", mine_every=1, p_mined=0.5, p_mitotic=0, p_imposter=0
    )
    for epoch in range(5):
        places = locations(rois, config, 0, epoch, range(epoch_length(rois, config)), mined=mined)
        counts = [sum(rois[place.roi].scanner == name for place in places) for name in "AB"]
        assert counts == [15, 15]


def test_what_is_mined_moves_no_other_draw():
    rois = [field(1), field(2)]
    config = SamplingSettings(patch_size=128, mine_every=1, p_mined=0.2, p_imposter=0.1)
    mined = mined_of((0, 500, 400), rois=rois)
    without = locations(rois, config, 3, 4, range(20))
    within = locations(rois, config, 3, 4, range(20), mined=mined)
    moved = [new for old, new in zip(without, within, strict=True) if old != new]
    assert moved
    assert {place.requested for place in moved} <= {ALARM, ANYWHERE}
    kept = [place for place in within if place.requested in (MITOTIC_FIGURE, IMPOSTER)]
    assert kept == [p for p in without if p.requested in (MITOTIC_FIGURE, IMPOSTER)]


def test_with_false_alarms_a_draw_depends_on_its_own_numbers_alone():
    rois = [field(1), field(2, scanner="B")]
    config = SamplingSettings(patch_size=128, mine_every=1, p_mined=0.25)
    mined = mined_of((0, 500, 400), (1, 30, 30), rois=rois)
    whole = locations(rois, config, 5, 2, range(40), mined=mined)
    assert ALARM in {place.requested for place in whole}
    for index in (39, 3, 17):
        assert location(rois, config, 5, 2, index, mined) == whole[index]
