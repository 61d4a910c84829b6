"""The result of a stage: its rate, and the share of the machine's limit that it reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Measured:
    """How fast one piece of work is.

    Args:
        what: The work in words.
        unit: Of the rate, such as "patches/s".
        rate: Median over the rounds; NaN where the work did not fit into the device's memory.
        spread: Lower and upper quartile of the rounds.
        rounds: How many there were.
        limit: What bounds the rate on this machine, in words.
        limit_share: The rate as a share of that bound; None if it is unknown.
        detail: Further figures, plain JSON values.
        also: The same work with something changed.
    """

    what: str
    unit: str
    rate: float
    spread: tuple[float, float]
    rounds: int
    limit: str
    limit_share: float | None
    detail: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[Measured, ...] = ()

    def with_also(self, *others: Measured) -> Measured:
        """The same with others beside it."""
        return replace(self, also=(*self.also, *others))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; floats in six digits, as no timing has more."""
        values = {name: six_digits(value) for name, value in vars(self).items() if name != "also"}
        return values | {"also": [other.to_dict() for other in self.also]}


def measured(
    what: str,
    unit: str,
    rates: NDArray[np.float64],
    *,
    limit: tuple[str, float] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Measured:
    """Summarise the rates of all rounds.

    Args:
        what: The work in words.
        unit: Of the rates.
        rates: (R,) work per second, one of each round.
        limit: What bounds the rate, in words, and that bound in the same unit.
        detail: Further figures, plain JSON values.
    """
    rate = float(np.median(rates))
    low, high = np.quantile(rates, [0.25, 0.75]).tolist()
    share = None if limit is None or math.isnan(rate) else rate / limit[1]
    return Measured(
        what=what,
        unit=unit,
        rate=rate,
        spread=(low, high),
        rounds=len(rates),
        limit="" if limit is None else limit[0],
        limit_share=share,
        detail=detail or {},
    )


def did_not_fit(what: str) -> Measured:
    """Return the result of work for which the device's memory did not suffice."""
    return measured(what, "-", np.array([math.nan]))


def six_digits(value: Any) -> Any:
    """Plain values with every float in six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: six_digits(inner) for key, inner in value.items()}
    return [six_digits(inner) for inner in value] if isinstance(value, list | tuple) else value
