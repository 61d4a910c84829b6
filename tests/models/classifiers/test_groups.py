"""The groups of the pixel grid: products, inverses, and how maps on them move."""

from __future__ import annotations

import pytest
import torch

from midog.models.classifiers.groups import GROUPS


@pytest.mark.parametrize(("name", "order"), [("z2", 1), ("p4", 4), ("p4m", 8)])
def test_a_group_is_one(name, order):
    group = GROUPS[name]
    everyone = range(order)
    assert len(group) == order
    assert group.products[0] == tuple(everyone)
    for row in group.products:
        assert sorted(row) == list(everyone)
    for first in everyone:
        assert group.products[first][group.inverses[first]] == 0
        for second in everyone:
            for third in everyone:
                product = group.products[group.products[first][second]][third]
                assert product == group.products[first][group.products[second][third]]


def test_elements_are_the_eight_orientations_of_a_square():
    image = torch.arange(6).view(2, 3)
    moved = [GROUPS["p4m"].move(image, number) for number in range(8)]
    assert torch.equal(moved[1], torch.rot90(image))
    assert torch.equal(moved[4], image.flip(-1))
    assert moved[1].shape == (3, 2)
    assert len({tuple(map(tuple, one.tolist())) for one in moved}) == 8
    assert GROUPS["p4"].elements == GROUPS["p4m"].elements[:4]


def test_mirrors_and_turns_do_not_commute():
    products = GROUPS["p4m"].products
    assert products[1][4] != products[4][1]


@pytest.mark.parametrize("name", GROUPS)
def test_maps_moved_twice_are_moved_by_the_product(name):
    group = GROUPS[name]
    maps = torch.rand(1, 2 * len(group), 3, 4)
    for first in range(len(group)):
        for second in range(len(group)):
            twice = group.move_maps(group.move_maps(maps, second), first)
            assert torch.equal(twice, group.move_maps(maps, group.products[first][second]))


@pytest.mark.parametrize("lifts", [False, True])
@pytest.mark.parametrize("name", GROUPS)
def test_every_row_of_a_table_is_another_order_of_all_weights(name, lifts):
    group = GROUPS[name]
    table = group.filter_table(3, lifts=lifts)
    slots = 1 if lifts else len(group)
    assert table.shape == (len(group), slots * 9)
    assert torch.equal(table.sort(dim=1).values, torch.arange(slots * 9).expand(len(group), -1))
    assert torch.equal(table[0], torch.arange(slots * 9))
    assert len({tuple(row.tolist()) for row in table}) == len(group)
