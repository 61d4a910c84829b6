"""`midog bench` as text."""

from __future__ import annotations

from midog.bench.tables import HEADER, limit_share, machine_lines, rows
from tests.bench.small import MACHINE


def test_the_machine_is_described_with_its_limits():
    lines = list(machine_lines(MACHINE.to_dict()))
    assert lines[0] == "a CPU, 1 of 2 cores, 8 GiB"
    assert lines[-1] == "convolution, GFLOP/s: float32 100, bfloat16 200"


def test_a_row_per_piece_of_work_and_a_dash_for_an_unknown_limit():
    tree = {"what": "w", "rate": 2.0, "unit": "x/s", "spread": [1.5, 2.5], "rounds": 3}
    tree |= {"limit_share": None, "limit": "", "also": []}
    both = list(rows("stage", tree | {"also": [tree | {"limit_share": 0.5, "limit": "l"}]}))
    assert both[0] == ["stage  w", "2", "x/s", "1.5-2.5", "3", "-"]
    assert both[1] == ["       w", "2", "x/s", "1.5-2.5", "3", "50.0% of l"]
    assert {len(row) for row in both} == {len(HEADER)}
    assert limit_share(tree) == "-"
