"""The hotspot is that of brute force, ties and borders included; order changes nothing."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from midog import hotspot
from midog.errors import DetectionsError
from midog.metrics.hotspot import smallest_circle

SLACK = 1e-9
SHAPES = ("4:3", "circle", "1:2")


def random_points(seed: int) -> np.ndarray:
    """Few points or many, on a lattice whose steps the window's sides are multiples of (ties,
    points on its border), doubled, or anywhere."""
    numbers = np.random.default_rng(seed)
    count = int(numbers.integers(1, 13))
    if seed % 3 == 0:
        return numbers.uniform(0, 3, (count, 2))
    steps = numbers.integers(0, 5, (count, 2)).astype(float)
    return steps * (0.5 if seed % 3 == 1 else 0.1)


def window_of(seed: int) -> tuple[float, str]:
    """Areas whose sides are whole steps of the lattice, and others."""
    shape = SHAPES[seed % len(SHAPES)]
    if shape == "circle":
        return (math.pi * (0.5, 0.25, 0.1)[seed % 3] ** 2, shape)
    sides = {"4:3": (0.4, 0.3), "1:2": (0.5, 1.0)}[shape]
    return (sides[0] * sides[1] * (1, 4, 2.25)[seed % 3], shape)


def sets_of_points(points: np.ndarray, width: float, height: float, circle: bool) -> set[frozenset]:
    """Every set of points that the window holds at a place where one comes in."""
    unit = np.array([width, height])
    scaled, reach = points / unit, 0.5 + SLACK
    if circle:
        places = [*scaled]
        for first, second in itertools.combinations(scaled, 2):
            half = np.hypot(*(second - first)) / 2
            if 0 < half <= reach:
                away = math.sqrt(reach**2 - half**2) * np.array([-1, 1])
                away = away * (second - first)[::-1] / (2 * half)
                places += [(first + second) / 2 + away, (first + second) / 2 - away]
        apart = np.hypot(*(np.array(places)[:, None] - scaled).transpose(2, 0, 1))
    else:
        xs, ys = (np.unique(column) - reach for column in scaled.T)
        places = [(x + 2 * reach, y + 2 * reach) for x in xs for y in ys]
        apart = np.abs(np.array(places)[:, None] - scaled).max(axis=2)
        # those that end at a point as well as those that begin at one
        starts = np.array([(x, y) for x in xs + 2 * reach for y in ys + 2 * reach]) - 2 * reach
        apart = np.concatenate([apart, np.abs(starts[:, None] - scaled).max(axis=2)])
    return {frozenset(np.flatnonzero(row <= reach + 1e-12).tolist()) for row in apart}


def around(points: np.ndarray, circle: bool) -> np.ndarray:
    """The middle of the bounding box, or of the smallest circle by trying all pairs and triples."""
    if not circle or len(points) == 1:
        return (points.min(axis=0) + points.max(axis=0)) / 2
    best = (math.inf, points[0])
    for size in (2, 3):
        for chosen in itertools.combinations(np.unique(points, axis=0), size):
            middle = np.mean(chosen, axis=0)
            if size == 3:
                edges = 2 * (np.array(chosen[1:]) - chosen[0])
                if abs(np.linalg.det(edges)) < 1e-12:
                    continue
                right = (np.square(chosen[1:]) - np.square(chosen[0])).sum(axis=1)
                middle = np.linalg.solve(edges, right)
            radius = np.hypot(*(points - middle).T).max()
            if radius < best[0] - 1e-12:
                best = (radius, middle)
    return best[1]


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_it_is_that_of_brute_force(first: int) -> None:
    for seed in range(first, first + 50):
        points, (area, shape) = random_points(seed), window_of(seed // 3)
        actual = hotspot(points, area, shape)
        window = actual.window
        assert window.area_mm2 == pytest.approx(area)
        sets = sets_of_points(points, window.width_mm, window.height_mm, shape == "circle")
        most = max(map(len, sets))
        assert actual.count == most, seed
        assert actual.holds(points).sum() == most, seed
        middles = [
            around(points[sorted(chosen)], shape == "circle")
            for chosen in sets
            if len(chosen) == most
        ]
        y, x = min((round(y, 7), round(x, 7)) for x, y in middles)
        assert (actual.x_mm, actual.y_mm) == pytest.approx((x, y), abs=1e-6), seed


@pytest.mark.parametrize("shape", SHAPES)
def test_no_point_one_point_and_equal_points(shape: str) -> None:
    nothing = hotspot(np.zeros((0, 2)), shape=shape)
    assert nothing.count == 0
    assert nothing.per_mm2 == 0
    assert math.isnan(nothing.x_mm)
    for count in (1, 40):
        one = hotspot(np.full((count, 2), 3.7), shape=shape)
        assert (one.count, one.x_mm, one.y_mm) == (count, pytest.approx(3.7), pytest.approx(3.7))
        assert one.per_mm2 == pytest.approx(count / 2)


@pytest.mark.parametrize(("area", "shape"), [(0.12, "4:3"), (0.01 * math.pi, "circle")])
def test_borders_are_inside_whatever_rounding_and_nothing_beyond(area: float, shape: str) -> None:
    width = hotspot(np.zeros((1, 2)), area, shape).window.width_mm
    for offset in (0.0, 0.1, 1 / 3, 77.7, 123.456):
        pair = np.array([(offset, offset), (offset + width, offset)])
        assert hotspot(pair, area, shape).count == 2
        pair[1, 0] += 1e-6 * width
        assert hotspot(pair, area, shape).count == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_the_order_of_points_makes_no_difference(shape: str) -> None:
    numbers = np.random.default_rng(5)
    points = numbers.integers(0, 40, (300, 2)) * 0.25
    first = hotspot(points, 2.0, shape)
    for _ in range(3):
        assert hotspot(numbers.permutation(points), 2.0, shape) == first


@pytest.mark.parametrize("shape", ["4:3", "circle"])
def test_many_points_are_no_more_work_than_few_places(shape: str) -> None:
    """Of 100,000 points in clusters; no place nearby holds more."""
    numbers = np.random.default_rng(1)
    middles = numbers.uniform(1, 19, (50, 2))
    points = np.concatenate([numbers.normal(middle, 0.6, (2000, 2)) for middle in middles])
    actual = hotspot(points, shape=shape)
    assert actual.holds(points).sum() == actual.count
    half = np.array([actual.window.width_mm, actual.window.height_mm]) / 2
    for place in numbers.normal((actual.x_mm, actual.y_mm), 0.1, (30, 2)):
        apart = (points - place) / half
        norm = np.hypot(*apart.T) if shape == "circle" else np.abs(apart).max(axis=1)
        assert (norm <= 1).sum() <= actual.count


def test_a_rectangle_is_moved_into_the_image_and_keeps_its_points() -> None:
    points = np.array([(0.1, 0.1), (0.2, 0.3), (4.95, 2.9)])
    actual = hotspot(points, size_mm=(5.0, 3.0))
    assert actual.count == actual.holds(points).sum() == 2
    x1, y1, x2, _ = actual.box_mm
    assert (x1, y1) == (pytest.approx(0), pytest.approx(0))
    assert x2 - x1 == pytest.approx(math.sqrt(2 * 4 / 3))
    assert actual.inside_mm2 == pytest.approx(2.0)


def test_in_an_image_smaller_than_the_window_all_of_it_is_looked_at() -> None:
    points = np.array([(0.1, 0.1), (0.3, 0.3)])
    actual = hotspot(points, size_mm=(0.4, 0.4))
    assert (actual.count, actual.x_mm, actual.y_mm) == (2, 0.2, 0.2)
    assert actual.inside_mm2 == pytest.approx(0.16)
    assert actual.per_mm2 == pytest.approx(2 / 0.16)


@pytest.mark.parametrize("shape", ["4:3", "circle"])
def test_the_middle_is_kept_where_it_is_allowed(shape: str) -> None:
    """Against brute force: all places on a lattice that is finer than the points'."""
    numbers = np.random.default_rng(3)
    for _ in range(12):
        points = numbers.integers(0, 20, (15, 2)) / 10 + 0.05
        allowed = numbers.random((8, 8)) < 0.15
        actual = hotspot(points, 0.12, shape, allowed=allowed, allowed_px_mm=(0.25, 0.25))
        half = np.array([actual.window.width_mm, actual.window.height_mm]) / 2
        ticks = (np.arange(160) + 0.5) / 80
        x, y = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
        inside = allowed[(y / 0.25).astype(int), (x / 0.25).astype(int)]
        apart = (points - np.stack([x, y], 1)[inside][:, None]) / half
        norm = np.hypot(*np.moveaxis(apart, 2, 0)) if shape == "circle" else np.abs(apart).max(2)
        assert actual.count >= (norm <= 1).sum(axis=1).max(initial=0)
        if actual.count:
            assert actual.holds(points).sum() == actual.count
            row, column = int((actual.y_mm - 1e-9) / 0.25), int((actual.x_mm - 1e-9) / 0.25)
            near = allowed[max(row, 0) : row + 2, max(column, 0) : column + 2]
            assert near.any()


def test_nowhere_allowed_is_no_hotspot() -> None:
    nowhere = np.zeros((5, 5), bool)
    assert hotspot(np.ones((3, 2)), allowed=nowhere).count == 0
    far = np.zeros((5, 5), bool)
    far[4, 4] = True
    assert hotspot(np.ones((3, 2)), allowed=far, allowed_px_mm=(9.0, 9.0)).count == 0


@pytest.mark.parametrize(
    ("area", "shape", "words"),
    [
        (0, "4:3", "0 mm2"),
        (-1, "4:3", "-1 mm2"),
        (math.nan, "4:3", "nan mm2"),
        (1e9, "circle", "at|0.001 to 1000"),
        (2, "square", "'square'"),
        (2, "4:0", "'4:0'"),
        (2, "100:1", "20 times"),
        (2, "", "''"),
    ],
)
def test_what_is_no_window_is_refused(area: float, shape: str, words: str) -> None:
    with pytest.raises(DetectionsError, match=words):
        hotspot(np.ones((3, 2)), area, shape)


def test_points_that_are_none_are_refused() -> None:
    with pytest.raises((DetectionsError, ValueError)):
        hotspot([(0.0, math.nan)])
    with pytest.raises(ValueError):
        hotspot([(0.0, 1.0, 2.0)])


@pytest.mark.parametrize("seed", range(30))
def test_the_smallest_circle_is_that_of_all_pairs_and_triples(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    points = numbers.uniform(0, 1, (int(numbers.integers(2, 10)), 2))
    if seed % 2:
        points = points.round(1)
    expected = around(points, circle=True)
    assert smallest_circle(points) == pytest.approx(expected, abs=1e-9)
