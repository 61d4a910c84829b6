"""Seconds of named things that run in turns, so that what else the machine does tells on all of
them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
"""Of one thing, one value a round (R,)."""


def take_turns(
    things: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    device: torch.device,
    warm_up: bool = True,
    enough_s: float = 60.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Seconds]:
    """Run all things in their order, `rounds` times over; the seconds that each took in each round.

    device: what is under way on it is waited for before and after each thing. warm_up: a round
    before, not counted.
    enough_s: no further round begins when those so far took that long; there is always one.
    """
    assert rounds > 0, rounds
    if warm_up:
        for run in things.values():
            run()
    taken: dict[str, list[float]] = {name: [] for name in things}
    began = clock()
    for _ in range(rounds):
        for name, run in things.items():
            taken[name].append(seconds_of(run, device, clock))
        if clock() - began >= enough_s:
            break
    return {name: np.array(each) for name, each in taken.items()}


def seconds_of(
    run: Callable[[], object], device: torch.device, clock: Callable[[], float] = time.perf_counter
) -> float:
    """How long one call takes, with all that it set going on the device."""
    synchronize(device)
    began = clock()
    run()
    synchronize(device)
    return clock() - began


def best_rate(
    run: Callable[[], object], work: float, device: torch.device, at_least_s: float
) -> float:
    """The most work a second of any call (or burst of short calls) in some `at_least_s` seconds:
    what can be reached.

    A call that is over too soon to be timed well is repeated in a burst.
    """
    run()
    burst = max(1, int(at_least_s / 10 / max(seconds_of(run, device), 1e-7)))

    def calls() -> None:
        for _ in range(burst):
            run()

    best, spent = 0.0, 0.0
    while spent < at_least_s:
        seconds = seconds_of(calls, device)
        best, spent = max(best, burst * work / seconds), spent + seconds
    return best


def synchronize(device: torch.device) -> None:
    """Wait for what was set going on the device; a CPU is never ahead."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
