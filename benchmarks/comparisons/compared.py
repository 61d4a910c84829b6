"""The result of a comparison: our rate beside the baseline's and beside the machine's limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.bench.measured import six_digits


@dataclass(frozen=True)
class Compared:
    """One piece of work, done our way and the baseline's in turns.

    Args:
        what: Our side in words.
        plainly: The baseline in words.
        unit: Of both rates, such as "patches/s".
        ours: Our rate, the median over the rounds; NaN where it did not fit into the memory.
        plain: The baseline's rate.
        ratio: ours / plain, over 1 if ours is faster.
        spread: Lower and upper quartile of the rounds' own ratios.
        rounds: How many there were.
        limit: What bounds the rate on this machine, in words.
        limit_share: Our rate as a share of that bound; None if it is unknown.
        detail: Further figures, plain JSON values.
        also: The same work with something changed.
    """

    what: str
    plainly: str
    unit: str
    ours: float
    plain: float
    ratio: float
    spread: tuple[float, float]
    rounds: int
    limit: str
    limit_share: float | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[Compared, ...] = ()

    def with_also(self, *others: Compared) -> Compared:
        """The same with others beside it."""
        return replace(self, also=(*self.also, *others))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; floats in six digits, as no timing has more."""
        values = {name: six_digits(value) for name, value in vars(self).items() if name != "also"}
        return values | {"also": [other.to_dict() for other in self.also]}


def compare(
    what: str,
    plainly: str,
    unit: str,
    ours: NDArray[np.float64],
    plain: NDArray[np.float64],
    *,
    limit: tuple[str, float] | None = None,
    detail: Mapping[str, Any] | None = None,
    also: tuple[Compared, ...] = (),
) -> Compared:
    """Summarise both sides' rates of all rounds.

    Args:
        what: Our side in words.
        plainly: The baseline in words.
        unit: Of the rates.
        ours: (R,) work per second, one of each round.
        plain: (R,) the same of the baseline.
        limit: What bounds the rate, in words, and that bound in the same unit.
        detail: Further figures, plain JSON values.
        also: The same work with something changed.
    """
    assert ours.shape == plain.shape, (ours.shape, plain.shape)
    own, other = float(np.median(ours)), float(np.median(plain))
    low, high = np.quantile(ours / plain, [0.25, 0.75]).tolist()
    return Compared(
        what=what,
        plainly=plainly,
        unit=unit,
        ours=own,
        plain=other,
        ratio=own / other,
        spread=(low, high),
        rounds=len(ours),
        limit="" if limit is None else limit[0],
        limit_share=None if limit is None or math.isnan(own) else own / limit[1],
        detail=detail or {},
        also=also,
    )
