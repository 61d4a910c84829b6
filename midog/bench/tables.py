"""`midog bench` as text: the machine, then a table with a row per measured piece of work."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

HEADER = ["what", "rate", "unit", "quartiles", "rounds", "share of the limit"]


def machine_lines(machine: Mapping[str, Any]) -> Iterator[str]:
    """Describe the machine and its limits, given as `Machine.to_dict` does."""
    yield (
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores,"
        f" {machine['memory_gib']:.0f} GiB"
    )
    bf16 = "with" if machine["bf16"] else "without"
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    yield f"device {machine['device']}, {bf16} bfloat16 in hardware; {versions}"
    for name, unit in (
        ("copy_gb_s", "GB/s"),
        ("matrix_gflop_s", "GFLOP/s"),
        ("convolution_gflop_s", "GFLOP/s"),
    ):
        values = ", ".join(f"{key} {value:.4g}" for key, value in machine[name].items())
        yield f"{name.split('_')[0]}, {unit}: {values}"


def rows(stage: str, tree: Mapping[str, Any]) -> Iterator[list[str]]:
    """A stage's rows, given as `Measured.to_dict` does."""
    low, high = tree["spread"]
    figures = (
        ["did not fit", "-", "-", "-", "-"]
        if math.isnan(tree["rate"])
        else [
            f"{tree['rate']:.4g}",
            tree["unit"],
            f"{low:.4g}-{high:.4g}",
            str(tree["rounds"]),
            limit_share(tree),
        ]
    )
    yield [f"{stage}  {tree['what']}", *figures]
    for other in tree["also"]:
        yield from rows(" " * len(stage), other)


def limit_share(tree: Mapping[str, Any]) -> str:
    """The share of the limit with the limit's words; "-" if it is unknown."""
    share = tree["limit_share"]
    return "-" if share is None else f"{share:.1%} of {tree['limit']}"
