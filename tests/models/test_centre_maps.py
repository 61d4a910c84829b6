"""What a map of centres should be, its losses by hand, and where its peaks are."""

from __future__ import annotations

import math

import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from midog.models.centre_maps import (
    RADIUS,
    SIGMA,
    CentreTargets,
    centre_targets,
    find_peaks,
    map_loss,
)
from midog.models.protocol import pad_targets

STRIDE = 4


def targets_of(boxes, labels=None, ignore=()):
    own = {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels or [1] * len(boxes), dtype=torch.int64),
        "ignore": torch.tensor(ignore, dtype=torch.float32).reshape(-1, 4),
    }
    return pad_targets([own])


def about(x, y, side=50.0):
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def drawn(targets, kind, classes=1, size=96, shown=None):
    shape = (1, classes, size // STRIDE, size // STRIDE)
    return centre_targets(shape, STRIDE, targets, shown or (size, size), kind)


def test_a_gaussian_has_its_height_by_the_distance_in_px():
    wanted = drawn(targets_of([about(41, 50)]), "focal").wanted[0, 0]
    assert wanted[50 // 4, 41 // 4] == 1
    for row, column in ((12, 12), (10, 10), (15, 9)):
        square = (4 * column + 2 - 41) ** 2 + (4 * row + 2 - 50) ** 2
        assert wanted[row, column] == pytest.approx(math.exp(-square / 2 / (SIGMA * 50) ** 2))


@pytest.mark.parametrize("kind", ["disc_focal", "tversky"])
def test_a_disc_holds_the_cells_whose_middle_it_holds(kind):
    wanted = drawn(targets_of([about(41, 50)]), kind).wanted[0, 0]
    for row in range(24):
        for column in range(24):
            square = (4 * column + 2 - 41) ** 2 + (4 * row + 2 - 50) ** 2
            assert wanted[row, column] == (square <= (RADIUS * 50) ** 2)


@pytest.mark.parametrize("kind", ["focal", "disc_focal", "tversky"])
@pytest.mark.parametrize(("x", "y", "side"), [(0, 96, 50), (96, 0, 50), (33, 31, 1)])
def test_every_figure_has_a_cell_also_at_the_edge_and_when_it_is_small(kind, x, y, side):
    wanted = drawn(targets_of([about(x, y, side)]), kind).wanted[0, 0]
    assert wanted[min(y // 4, 23), min(x // 4, 23)] == 1


def test_classes_have_maps_of_their_own_and_padding_draws_nothing():
    wanted = drawn(targets_of([about(20, 20), about(70, 70)], [2, 1]), "disc_focal", 2)
    assert [int(own.sum()) for own in wanted.wanted[0]] == [
        int(drawn(targets_of([about(at, at)]), "disc_focal").wanted.sum()) for at in (70, 20)
    ]
    assert wanted.figures == 2
    empty = drawn(targets_of([]), "focal")
    assert empty.wanted.sum() == 0
    assert empty.figures == 1
    assert empty.taught.all()


def test_ignored_boxes_and_padding_are_not_taught_but_figures_in_them_are():
    targets = targets_of([about(50, 50)], ignore=[(40, 40, 80, 80), (0, 0, 0, 0)])
    found = drawn(targets, "disc_focal", shown=(96, 88))
    taught, figure = found.taught[0, 0], found.wanted[0, 0] == 1
    for row in range(24):
        for column in range(24):
            x, y = 4 * column + 2, 4 * row + 2
            ignored = 40 <= x <= 80 and 40 <= y <= 80
            assert taught[row, column] == (x < 88 and (not ignored or bool(figure[row, column])))


def example(kind):
    generator = torch.Generator().manual_seed(3)
    boxes = [about(30, 30), about(60, 66)]
    targets = drawn(targets_of(boxes, ignore=[(70, 0, 96, 30)]), kind)
    return torch.randn((1, 1, 24, 24), generator=generator) - 2, targets


def test_the_focal_loss_is_centernets_by_the_number_of_figures():
    logits, targets = example("focal")
    total = 0.0
    for z, y, taught in zip(*(t.flatten().double() for t in (logits, *targets[:2])), strict=True):
        p = 1 / (1 + math.exp(-float(z)))
        part = (1 - p) ** 2 * math.log(p) if y == 1 else (1 - y) ** 4 * p**2 * math.log(1 - p)
        total -= float(taught * part)
    assert float(map_loss(logits, targets, "focal")) == pytest.approx(total / 2, rel=1e-5)


def test_the_focal_loss_of_discs_is_torchvisions_by_the_cells_of_the_discs():
    logits, targets = example("disc_focal")
    cells = sigmoid_focal_loss(logits, targets.wanted, alpha=-1, gamma=2)
    expected = (cells * targets.taught).sum() / targets.wanted.sum()
    torch.testing.assert_close(map_loss(logits, targets, "disc_focal"), expected)


def test_the_focal_tversky_loss_by_hand():
    score = torch.tensor([0.9, 0.2, 0.6, 0.1, 0.99])
    targets = CentreTargets(
        torch.tensor([1.0, 1, 0, 0, 0]).view(1, 1, 1, 5),
        torch.tensor([True, True, True, True, False]).view(1, 1, 1, 5),
        torch.tensor(1.0),
    )
    index = (1.1 + 1) / (1.1 + 0.7 * (0.1 + 0.8) + 0.3 * (0.6 + 0.1) + 1)
    loss = map_loss(score.logit().view(1, 1, 1, 5), targets, "tversky")
    assert float(loss) == pytest.approx((1 - index) ** 0.75)


def test_peaks_are_the_cells_that_no_neighbour_exceeds_best_first():
    logits = torch.full((1, 2, 16, 20), -30.0)
    logits[0, 0, 5, 7], logits[0, 0, 5, 8], logits[0, 1, 10, 3] = 1.0, 0.5, 3.0
    peaks = find_peaks(logits, STRIDE, 9)
    assert peaks.scores[0, :2].tolist() == pytest.approx([1 / (1 + math.exp(-z)) for z in (3, 1)])
    assert peaks.labels[0, :2].tolist() == [2, 1]
    assert peaks.centres[0, 0].tolist() == pytest.approx([14, 42])
    two = [1 / (1 + math.exp(-z)) for z in (1, 0.5)]
    assert peaks.centres[0, 1].tolist() == pytest.approx([30 + 4 * two[1] / sum(two), 22])
    assert (peaks.scores[0, 2:] < 1e-6).all()


@pytest.mark.parametrize(("x", "y"), [(41.0, 50.0), (2.0, 2.0), (94.0, 37.5)])
def test_the_peak_of_a_drawn_gaussian_is_within_a_cell_of_its_figure(x, y):
    wanted = drawn(targets_of([about(x, y)]), "focal").wanted
    (centre,) = find_peaks(wanted.clamp(1e-6, 1 - 1e-6).logit(), STRIDE, 1).centres[0].tolist()
    assert max(abs(centre[0] - x), abs(centre[1] - y)) <= STRIDE / 2
