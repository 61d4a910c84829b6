"""benchmarks/equivariance.py: what it counts, and its table."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.equivariance import Cost, kept_bytes, measure, rows


def test_a_step_of_a_group_keeps_what_a_plain_network_as_wide_does_and_more_than_a_plain_one():
    costs = measure("group_cnn", 16, 16, 2, 1, torch.device("cpu"))
    assert [*costs] == ["plain", "p4", "plain as wide as p4", "p4m", "plain as wide as p4m"]
    for group, order in (("p4", 4), ("p4m", 8)):
        own, wide = costs[group], costs[f"plain as wide as {group}"]
        assert 0.5 < costs["plain"].parameters / own.parameters < 2
        assert wide.parameters > order / 2 * own.parameters
        assert own.kept_mib > 1.5 * costs["plain"].kept_mib
        assert min(own.step_s, own.infer_s) > 0


def test_what_is_kept_is_counted_once_and_without_weights():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, images, labels):
            hidden = self.layer(images)
            return {"classification": (hidden * hidden).sum()}

    assert kept_bytes(Doubled(), torch.rand(8, 4), torch.zeros(8)) == 2 * 8 * 4 * 4


def test_ratios_are_those_of_the_table():
    costs = {
        "plain": Cost(10, 1.0, 0.5, 4.0),
        "p4": Cost(11, 3.0, 1.0, 8.0),
        "plain as wide as p4": Cost(40, 2.0, 2.0, 16.0),
    }
    assert rows(costs)[3].split(" | ") == [
        "| p4", "11", "3.000", "3.00", "1.50", "1.000", "2.00", "0.50", "8.0", "2.00", "0.50 |"
    ]  # fmt: skip
