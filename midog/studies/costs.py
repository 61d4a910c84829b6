"""What trainings cost: updates, patches and seconds, as their runs tell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from time import perf_counter

from midog.config.training import TrainSettings
from midog.errors import MidogError
from midog.files import replace_text
from midog.json_text import read_json, to_json
from midog.training.log import read_metrics

_FILE = ".seconds.json"


@dataclass(frozen=True)
class Cost:
    """The cost of a training, or the mean of some.

    Attributes:
        updates: Of the weights.
        patches: That these saw.
        update_seconds: Of the updates alone.
        seconds: From its start to its end, with loading, validation and saving, of the processes
            that ended by themselves; NaN where that was not noted.
    """

    updates: float
    patches: float
    update_seconds: float
    seconds: float


@contextmanager
def timed(run: Path) -> Iterator[None]:
    """Add the time that a block takes to what a run's training took so far.

    The block makes the run's folder, if it is a new one; it is noted however the block ends.
    """
    begun = perf_counter()
    try:
        yield
    finally:
        if run.is_dir():
            took = _noted(run) if (run / _FILE).is_file() else 0.0
            replace_text(run / _FILE, to_json({"seconds": took + perf_counter() - begun}))


def cost_of(run: Path, settings: TrainSettings) -> Cost:
    """Read what a training cost so far.

    Args:
        run: Its folder.
        settings: Batch and accumulation.
    """
    patches = settings.batch_size * settings.accumulate
    updates, seconds = 0, 0.0
    for row in read_metrics(run / "metrics.csv"):
        step = int(row.get("step") or 0)
        rate = float(row.get("train/patches_per_second") or "nan")
        seconds += (step - updates) * patches / rate if rate > 0 else math.nan
        updates = step
    return Cost(updates, updates * patches, seconds, _noted(run))


def summed_cost(costs: Sequence[Cost]) -> Cost:
    """Return the cost of several trainings that one detector needs."""
    return Cost(*(math.fsum(getattr(cost, field.name) for cost in costs) for field in fields(Cost)))


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """Return the mean of some; NaN of none."""
    count = len(costs) or math.nan
    total = summed_cost(costs)
    return Cost(*(getattr(total, field.name) / count for field in fields(Cost)))


def _noted(run: Path) -> float:
    try:
        tree = read_json(run / _FILE)
    except MidogError:
        return math.nan
    seconds = tree.get("seconds") if isinstance(tree, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else math.nan
