"""Time of several functions that run in turns, so that other load affects all of them alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from midog.devices import is_out_of_memory
from midog.errors import DeviceError

Seconds = NDArray[np.float64]
"""(R,) seconds of one function, one value per round."""


def take_turns(
    runs: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    device: torch.device,
    warm_up: bool = True,
    enough_s: float = 60.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Seconds]:
    """Run functions in their order, round after round.

    Args:
        runs: The functions by name.
        rounds: How many rounds, at most.
        device: Awaited before and after each function.
        warm_up: Run a round before that is not counted.
        enough_s: No further round begins once those so far took that long.
        clock: Tells seconds.

    Returns:
        The seconds of each function in each round; NaN for one that ran out of memory, which gets
        no further turn.
    """
    assert rounds > 0, rounds
    taken: dict[str, list[float]] = {name: [] for name in runs}
    full = set[str]()

    def turn(name: str) -> float:
        seconds = math.nan if name in full else seconds_if_it_fits(runs[name], device, clock)
        if math.isnan(seconds):
            full.add(name)
        return seconds

    if warm_up:
        for name in runs:
            turn(name)
    began = clock()
    for _ in range(rounds):
        for name in runs:
            taken[name].append(turn(name))
        if clock() - began >= enough_s:
            break
    return {
        name: np.full(len(seconds), math.nan) if name in full else np.array(seconds)
        for name, seconds in taken.items()
    }


def fits(seconds: Seconds) -> bool:
    """Whether the memory sufficed for what was timed."""
    return not np.isnan(seconds).any()


def seconds_if_it_fits(
    run: Callable[[], object], device: torch.device, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time one call as `seconds_of`; NaN where it runs out of memory."""
    try:
        return seconds_of(run, device, clock)
    except Exception as error:
        if not did_not_fit(error):
            raise
    if device.type == "cuda":  # out here, where what the failed call held is released
        torch.cuda.empty_cache()
    return math.nan


def did_not_fit(error: Exception) -> bool:
    """Whether an error is one of memory, as a library or the detector reports it."""
    return isinstance(error, DeviceError) or is_out_of_memory(error)


def seconds_of(
    run: Callable[[], object], device: torch.device, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time one call, with all that it started on the device."""
    synchronize(device)
    began = clock()
    run()
    synchronize(device)
    return clock() - began


def best_rate(
    run: Callable[[], object], work: float, device: torch.device, at_least_s: float
) -> float:
    """Find the highest rate of any call, work per second, in at least `at_least_s` seconds.

    A call that is too short to be timed well is repeated in a burst.
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
    """Wait for all that was started on the device; a CPU is never ahead."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
