"""The grid covers, the edge rule loses nothing, the merge leaves one of each: many images, tiles
and figures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.ops import nms

from midog.tiling import fit_batch, fit_tile, grid, inside_tile, merge, neighbours, settled

TILE, OVERLAP = 1024, 64
Array = NDArray[np.float64]


def inside(
    boxes: Array, origin: tuple[int, int], tile: int, overlap: int, width: int, height: int
) -> NDArray[np.bool_]:
    """`inside_tile` of a tile in an image of that size, all of which is looked at."""
    x, y = origin
    inner = np.array([x > 0, y > 0, x + tile < width, y + tile < height])
    return inside_tile(boxes, origin, tile, overlap, inner)


def random_cases(count: int, seed: int) -> NDArray[np.int64]:
    """Rows width, height, tile, overlap: all kinds of sizes, also far smaller than a tile, and any
    allowed overlap."""
    rng = np.random.default_rng(seed)
    tile = rng.integers(2, 1100, count)
    tile[::3] = tile[::3] // 32 * 32 + 32  # tiles of whole strides, as `auto` takes them
    overlap = rng.integers(0, tile // 2 + 1)
    width, height = (
        rng.integers(1, (tile * rng.uniform(0.2, 6, count)).astype(int) + 2) for _ in range(2)
    )
    return np.stack([width, height, tile, overlap], axis=1)


def check_axis(starts: NDArray[np.int64], length: int, tile: int, overlap: int) -> None:
    """One side of an image: covered, and the worst box of side `overlap` is whole in some tile
    wherever it begins."""
    aligned = tile % 32 == 0 and overlap <= tile - 32
    unit = 32 if aligned else 1
    assert starts[0] == 0
    assert (starts % unit == 0).all()
    over = starts[-1] + tile - length
    assert 0 <= over < unit or (over > 0 and len(starts) == 1), "the last one ends with the image"
    steps = np.diff(starts)
    assert (steps > 0).all(), "no tile twice"
    # A box that begins just before the next tile does ends `overlap` further: this tile must reach
    # as far.
    assert (starts[1:] + overlap <= starts[:-1] + tile).all()
    assert np.ptp(steps) <= unit if len(steps) else True, "spread evenly"
    assert len(starts) == 1 or starts[-1] > (len(starts) - 2) * ((tile - overlap) // unit * unit), (
        "no more of them than it takes"
    )


def check_grid(width: int, height: int, tile: int, overlap: int) -> NDArray[np.int64]:
    """The grid is the product of two good axes, row by row."""
    origins = grid(width, height, tile, overlap)
    x, y = np.unique(origins[:, 0]), np.unique(origins[:, 1])
    check_axis(x, width, tile, overlap)
    check_axis(y, height, tile, overlap)
    assert origins.dtype == np.int64
    assert np.array_equal(origins, [(column, row) for row in y for column in x])
    return origins


def whole_in_some(boxes: Array, origins: NDArray[np.int64], tile: int) -> NDArray[np.bool_]:
    low = boxes[:, None, :2] >= origins
    high = boxes[:, None, 2:] <= origins + tile
    return np.asarray((low & high).all(axis=2).any(axis=1))


def test_ten_thousand_grids_cover_without_doubles_and_hold_every_small_box_whole() -> None:
    rng = np.random.default_rng(1)
    for width, height, tile, overlap in random_cases(10_000, seed=0).tolist():
        origins = check_grid(width, height, tile, overlap)
        sides = np.minimum(rng.uniform(0, overlap, (8, 2)), (width, height))
        corners = rng.uniform(0, 1, (8, 2)) * ((width, height) - sides)
        assert whole_in_some(np.hstack([corners, corners + sides]), origins, tile).all()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_grid_and_any_box_in_it(data: st.DataObject) -> None:
    tile = data.draw(st.integers(1, 300))
    overlap = data.draw(st.integers(0, tile // 2))
    width, height = data.draw(st.integers(1, 600)), data.draw(st.integers(1, 600))
    origins = check_grid(width, height, tile, overlap)
    side_x, side_y = (data.draw(st.integers(0, min(overlap, length))) for length in (width, height))
    x, y = data.draw(st.integers(0, width - side_x)), data.draw(st.integers(0, height - side_y))
    assert whole_in_some(np.array([[x, y, x + side_x, y + side_y]], float), origins, tile).all()


def test_an_image_smaller_than_a_tile_has_one_tile() -> None:
    assert grid(40, 30, 64, 8).tolist() == [[0, 0]]
    assert grid(64, 64, 64, 8).tolist() == [[0, 0]]
    assert grid(65, 30, 64, 8).tolist() == [[0, 0], [32, 0]]
    assert grid(65, 30, 60, 8).tolist() == [[0, 0], [5, 0]]


def test_tiles_of_whole_strides_begin_at_whole_strides() -> None:
    """A place is shown in the same phase of a network's grid in any image that begins at one."""
    assert grid(1000, 512, 512, 64)[:, 0].tolist() == [0, 256, 512]
    assert grid(40_000, 256, 1536, 64)[:3, 0].tolist() == [0, 1408, 2848]
    # tile - overlap = 16 leaves no whole stride: every px
    assert grid(80, 10, 32, 16)[:, 0].tolist() == [0, 16, 32, 48]


@pytest.mark.parametrize(
    ("width", "height", "tile", "overlap"),
    [(0, 5, 64, 8), (5, 0, 64, 8), (5, 5, 0, 0), (5, 5, 64, 33), (5, 5, 64, -1)],
)
def test_a_grid_that_cannot_be_is_refused(width: int, height: int, tile: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        grid(width, height, tile, overlap)


@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    overlap=st.integers(0, 300),
    most=st.integers(64, 2500),
)
@settings(max_examples=300, deadline=None)
def test_the_tile_that_is_chosen_makes_a_good_grid_and_wastes_least(
    width: int, height: int, overlap: int, most: int
) -> None:
    tile = fit_tile(width, height, overlap, most)
    origins = check_grid(width, height, tile, overlap)
    least = max(256, -(-2 * overlap // 32) * 32)
    assert tile % 32 == 0
    assert least <= tile <= max(most, least)
    assert tile < max(width, height) + 32 or tile == least, "no larger than the image asks for"
    for side in range(least, most + 1, 32):
        pixels, ours = len(grid(width, height, side, overlap)) * side**2, len(origins) * tile**2
        assert ours < pixels or (ours == pixels and tile >= side)


def test_tiles_for_some_images() -> None:
    assert fit_tile(7215, 5412, 64, 2048) == 1856
    assert len(grid(7215, 5412, 1856, 64)) == 12
    assert fit_tile(1536, 1536, 64, 2048) == 1536
    assert fit_tile(100, 50, 64, 2048) == 256
    assert fit_tile(600, 500, 64, 2048) == 608


@given(tiles=st.integers(1, 500), most=st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_batches_are_as_few_as_can_be_and_evenly_filled(tiles: int, most: int) -> None:
    size = fit_batch(tiles, most)
    steps = -(-tiles // size)
    assert 1 <= size <= most
    assert steps == -(-tiles // most)
    assert size * steps - tiles < steps, "a smaller batch would not do"


def box_at(center_x: float, center_y: float, side: float = 50) -> Array:
    return np.array(
        [[center_x - side / 2, center_y - side / 2, center_x + side / 2, center_y + side / 2]]
    )


@pytest.mark.parametrize(
    ("box", "stays"),
    [
        (box_at(500, 500), True),
        (box_at(1023 - 14, 500, side=20), False),  # centre 15 px from the right edge
        (box_at(1024 - 17, 500, side=20), True),  # centre 17 px from it, and not cut
        (
            np.array([[976, 475, 1024, 525.0]]),
            False,
        ),  # cut, 48 px of it left: the neighbour has it whole
        (
            np.array([[970, 475, 1024, 525.0]]),
            True,
        ),  # cut, 54 px left: larger than what a neighbour surely has
        (np.array([[990, 475, 1019, 525.0]]), True),  # ends 5 px before the edge: whole
    ],
)
def test_the_edge_rule_at_a_tile_whose_right_edge_lies_inside(box: Array, stays: bool) -> None:
    width, height = 3000, TILE
    assert inside(box, (0, 0), TILE, OVERLAP, width, height).tolist() == [stays]
    mirrored = np.array([[3000 - box[0, 2], box[0, 1], 3000 - box[0, 0], box[0, 3]]])
    assert inside(mirrored, (3000 - TILE, 0), TILE, OVERLAP, width, height).tolist() == [stays]
    turned = box[:, [1, 0, 3, 2]]
    assert inside(turned, (0, 0), TILE, OVERLAP, height, width).tolist() == [stays]


def test_the_edge_rule_spares_the_edges_of_the_image() -> None:
    boxes = np.vstack([box_at(x, y, side=30) for x in (3, 500, 1021) for y in (3, 500, 1021)])
    assert inside(boxes, (0, 0), TILE, OVERLAP, TILE, TILE).all()
    assert inside(boxes, (0, 0), TILE, OVERLAP, 1022, 700).all(), "also where the tile hangs over"
    assert inside(boxes, (0, 0), TILE, OVERLAP, 1025, TILE).tolist() == [True] * 6 + [False] * 3
    assert inside(np.zeros((0, 4)), (0, 0), TILE, OVERLAP, TILE, TILE).shape == (0,)


def seen_by_tiles(
    figures: Array, size: tuple[int, int], jitter: Array, min_visible: float
) -> tuple[Array, NDArray[np.int64]]:
    """What a model that sees one tile at a time reports of figures (F, 4): boxes in image px, and
    whose figure each is.

    It boxes each figure of which the tile shows at least `min_visible`, clips the box to the tile,
    and errs by jitter (T, F, 2, 2), px: shift of the centre and change of the side, in x and y,
    drawn anew for each tile.
    """
    boxes, owners = [], []
    for origin, (shift, change) in zip(
        grid(*size, TILE, OVERLAP), np.moveaxis(jitter, 2, 1), strict=True
    ):
        low, high = origin, origin + TILE
        shown = np.clip(figures, np.tile(low, 2), np.tile(high, 2))
        visible = (shown[:, 2:] - shown[:, :2]).prod(axis=1) / (
            figures[:, 2:] - figures[:, :2]
        ).prod(axis=1)
        guess = figures + np.hstack([shift - change / 2, shift + change / 2])
        guess = np.clip(guess, np.tile(low, 2), np.tile(high, 2))
        reported = (visible >= min_visible) & (guess[:, 2:] > guess[:, :2]).all(axis=1)
        reported[reported] = inside(guess[reported], tuple(origin), TILE, OVERLAP, *size)
        boxes.append(guess[reported])
        owners.append(np.flatnonzero(reported))
    return np.concatenate(boxes), np.concatenate(owners)


def check_one_each(
    figures: Array,
    size: tuple[int, int],
    jitter: Array,
    rng: np.random.Generator,
    min_visible: float = 0.5,
) -> None:
    """Exactly one merged detection per figure, near it, whichever view has the best score."""
    boxes, owners = seen_by_tiles(figures, size, jitter, min_visible)
    apart = boxes + np.stack(
        [owners * 10_000.0, np.zeros(len(owners))] * 2, axis=1
    )  # so that figures do not meet
    kept = merge(apart, rng.uniform(0.05, 1, len(boxes)), np.ones(len(boxes), np.int64), 0.3)
    times = np.bincount(owners[kept], minlength=len(figures))
    assert times.min() == 1, f"lost: {figures[np.argmin(times)]}"
    assert times.max() == 1, f"twice: {figures[np.argmax(times)]}"
    shift = (
        boxes[kept].reshape(-1, 2, 2).mean(axis=1)
        - figures[owners[kept]].reshape(-1, 2, 2).mean(axis=1)
    ).ravel()
    assert np.abs(shift).max() <= 20, "7.5 um are 30 px"


def figures_around(point: tuple[float, float], sides: Array, step: float, reach: float) -> Array:
    offsets = np.arange(-reach, reach + step, step)
    return np.vstack(
        [
            box_at(point[0] + x, point[1] + y, s)
            for x, y, s in itertools.product(offsets, offsets, sides)
        ]
    )


# middle of the 64 px that two tiles share in an image of 1984 px, the narrowest seam there is
SEAM = 992.0


@pytest.mark.parametrize("min_visible", [0.5, 0.1])
@pytest.mark.parametrize("sides", [(50.0, 52.0), (60.0, 70.0)])
def test_no_figure_is_lost_or_doubled_where_four_tiles_meet(
    sides: tuple[float, float], min_visible: float
) -> None:
    rng = np.random.default_rng(0)
    size = (1984, 1984)
    figures = figures_around((SEAM, SEAM), np.array(sides), step=2.5, reach=90)
    shape = (4, len(figures), 1, 2)
    shift, change = rng.uniform(-2, 2, shape), rng.uniform(-8, 8, shape)
    check_one_each(figures, size, np.concatenate([shift, change], axis=2), rng, min_visible)
    extremes = np.concatenate([rng.choice([-2, 2], shape), rng.choice([-8, 8], shape)], axis=2)
    check_one_each(figures, size, extremes, rng, min_visible)


def test_no_figure_is_lost_or_doubled_anywhere_in_images_of_any_size() -> None:
    rng = np.random.default_rng(0)
    for width, height in rng.integers(80, 5000, (40, 2)).tolist():
        sides = rng.uniform(50, 70, (500, 1))
        corners = rng.uniform(0, 1, (500, 2)) * ((width, height) - sides)
        tiles = len(grid(width, height, TILE, OVERLAP))
        jitter = rng.uniform(-1, 1, (tiles, 500, 2, 2)) * np.array([2, 8])[:, None]
        check_one_each(np.hstack([corners, corners + sides]), (width, height), jitter, rng)


@given(
    offset=st.tuples(st.floats(-90, 90), st.floats(-90, 90)),
    side=st.floats(50, 70),
    shift=st.lists(st.floats(-2, 2), min_size=8, max_size=8),
    change=st.lists(st.floats(-8, 8), min_size=8, max_size=8),
    size=st.tuples(st.integers(1900, 2300), st.integers(1900, 2300)),
)
@settings(max_examples=200, deadline=None)
def test_no_jitter_of_single_tiles_loses_or_doubles_a_figure(
    offset: tuple[float, float],
    side: float,
    shift: list[float],
    change: list[float],
    size: tuple[int, int],
) -> None:
    tiles = len(grid(*size, TILE, OVERLAP))
    jitter = np.stack([np.resize(shift, (tiles, 1, 2)), np.resize(change, (tiles, 1, 2))], axis=2)
    check_one_each(
        box_at(SEAM + offset[0], SEAM + offset[1], side),
        size,
        jitter,
        np.random.default_rng(0),
        0.2,
    )


def random_boxes(
    count: int, seed: int, extent: float = 600
) -> tuple[Array, Array, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    corners, sides = (
        rng.uniform(0, extent, (count, 2)),
        rng.choice([15, 50, 60, 200], (count, 1)) + rng.uniform(0, 9),
    )
    boxes = np.hstack([corners, corners + sides * rng.uniform(0.7, 1.3, (count, 2))])
    return boxes, rng.permutation(count) / count, rng.integers(1, 3, count)


@pytest.mark.parametrize("iou", [0.0, 0.3, 0.7, 1.0])
def test_merge_is_the_usual_suppression_within_each_class(iou: float) -> None:
    boxes, scores, labels = random_boxes(800, seed=3)
    expected = set()
    for label in (1, 2):
        own = np.flatnonzero(labels == label)
        kept = nms(torch.from_numpy(boxes[own]), torch.from_numpy(scores[own]), iou)
        expected |= set(own[kept.numpy()].tolist())
    kept = merge(boxes, scores, labels, iou)
    assert set(kept.tolist()) == expected
    assert (np.diff(scores[kept]) < 0).all()


@given(
    st.lists(
        st.tuples(
            st.integers(-50, 400), st.integers(-50, 400), st.integers(0, 300), st.integers(0, 300)
        ),
        max_size=40,
    )
)
@settings(max_examples=200, deadline=None)
def test_merge_finds_every_pair_whatever_the_sizes(rows: list[tuple[int, int, int, int]]) -> None:
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in rows], dtype=float).reshape(-1, 4)
    kept: list[int] = []
    for i, box in enumerate(boxes):  # greedily, by falling score
        area = (box[2:] - box[:2]).prod()
        others = boxes[kept]
        shared = (
            (np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]))
            .clip(0)
            .prod(axis=1)
        )
        if not (
            shared > 0.2 * ((others[:, 2:] - others[:, :2]).prod(axis=1) + area - shared)
        ).any():
            kept.append(i)
    scores = np.arange(len(boxes), 0, -1.0)
    assert merge(boxes, scores, np.ones(len(boxes), np.int64), 0.2).tolist() == kept


def test_merge_looks_at_many_pairs_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes, scores, labels = random_boxes(800, seed=5)
    whole = merge(boxes, scores, labels, 0.3)
    monkeypatch.setattr("midog.tiling._PAIRS", 100)
    assert np.array_equal(merge(boxes, scores, labels, 0.3), whole)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_merge_does_not_depend_on_the_order_of_its_input(seed: int) -> None:
    boxes, scores, labels = random_boxes(60, seed % 1000, extent=150)
    scores = np.round(scores, 1)  # many ties
    boxes[::7] = boxes[0]
    order = np.random.default_rng(seed).permutation(60)
    one, other = (
        merge(boxes, scores, labels, 0.3),
        order[merge(boxes[order], scores[order], labels[order], 0.3)],
    )
    for column in (boxes, scores, labels):
        assert np.array_equal(column[one], column[other])


def test_merge_of_nothing_of_points_and_of_very_many() -> None:
    assert merge(np.zeros((0, 4)), np.zeros(0), np.zeros(0), 0.3).shape == (0,)
    assert merge(
        np.array([[5, 5, 5, 5]] * 2), np.array([0.5, 0.5]), np.array([1, 1]), 0.3
    ).tolist() == [0, 1]
    rng = np.random.default_rng(0)
    points = np.stack(np.meshgrid(np.arange(150) * 70, np.arange(150) * 70), axis=-1).reshape(-1, 2)
    doubled = np.repeat(points, 2, axis=0) + rng.uniform(-5, 5, (45_000, 2))
    boxes = np.hstack([doubled - 25, doubled + 25])
    assert len(merge(boxes, rng.uniform(0, 1, 45_000), np.ones(45_000, np.int64), 0.3)) == 22_500


def test_neighbours_are_those_of_the_whole_grid_that_are_looked_at() -> None:
    origins = grid(640, 448, 256, 64)  # three columns, two rows
    middle_missing = np.array([True, False, True, True, True, True])
    assert neighbours(origins, middle_missing).tolist() == [
        [False, False, False, True],
        [True, False, True, True],
        [False, False, False, True],
        [False, True, True, False],
        [True, False, True, False],
        [True, True, False, False],
    ]
    assert neighbours(grid(10, 10, 64, 8), np.ones(1, bool)).tolist() == [[False] * 4]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_a_figure_that_is_whole_in_a_tile_is_reported_whichever_tiles_are_left_out(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    width, height, tile, overlap = 700, 500, 256, 64
    origins = grid(width, height, tile, overlap)
    looked_at = rng.random(len(origins)) < rng.uniform(0.2, 1)
    inner = neighbours(origins, looked_at)
    sides = rng.uniform(8, overlap, (60, 2))
    corners = rng.uniform(0, 1, (60, 2)) * ((width, height) - sides)
    figures = np.hstack([corners, corners + sides])
    reported = np.zeros(60, bool)
    for number in np.flatnonzero(looked_at).tolist():
        whole = whole_in_some(figures, origins[number : number + 1], tile)
        kept = inside_tile(figures, tuple(origins[number]), tile, overlap, inner[number])
        reported |= whole & kept
    assert reported[whole_in_some(figures, origins[looked_at], tile)].all()


def test_settled_is_what_nothing_below_the_line_can_change() -> None:
    column = np.array([[0, y, 40, y + 40] for y in (0, 20, 40, 200)], float)
    apart = np.array([[100.0, 0, 140, 40]])
    boxes, labels = np.vstack([column, apart]), np.ones(5, int)
    assert settled(boxes, labels, 0.2, 100).tolist() == [True, True, True, False, True]
    assert settled(boxes, labels, 0.2, 70).tolist() == [False, False, False, False, True]
    other_class = np.array([1, 2, 1, 1, 1])
    assert settled(boxes, other_class, 0.2, 70).tolist() == [True, True, False, False, True]
    assert settled(boxes[:0], labels[:0], 0.2, 70).tolist() == []
