"""What a benchmark found: our rate beside the plain way's and beside the machine's limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Compared:
    """One piece of work, done our way and the plain way in turns.

    what, plainly: the two sides in words. unit: of both rates, say "patches/s".
    ours, plain: medians over the rounds. ratio: ours / plain, over 1 where ours is quicker.
    spread: lower and upper quartile of the ratio of each round. rounds: how many there were.
    limit: what bounds the rate on this machine, in words. limit_share: ours as a share of it, None
    where unknown.
    detail: further figures, plain JSON values. also: the same with something else changed.
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
        values = {name: _short(value) for name, value in vars(self).items() if name != "also"}
        return values | {"also": [each.to_dict() for each in self.also]}


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
    """Of the rates of each round, (R,) work a second, and the limit (what it is, its rate in the
    same unit)."""
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
        limit_share=None if limit is None else own / limit[1],
        detail=detail or {},
        also=also,
    )


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _short(each) for key, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list | tuple) else value
