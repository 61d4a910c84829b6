"""What a study has left to do, and how long that will take by what is done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from midog.studies.budget import count_updates
from midog.studies.costs import cost_of
from midog.studies.plan import Plan
from midog.studies.trainings import Training, finished_run, run_of
from midog.training.identity import Identity
from midog.training.runs import read_state


def outlook(plan: Plan, runs: Path) -> tuple[list[list[str]], list[str]]:
    """Describe a plan.

    Args:
        plan: The plan.
        runs: Folder of its runs.

    Returns:
        A row of text for each training (name, updates, detectors and rows that share it, state),
        and closing lines.
    """
    rows, left = [], []
    for training in plan.trainings:
        users = [one for one in plan.detectors if training in one.needs]
        names = list(dict.fromkeys(one.row.name for one in users))
        names = names or _looking_at(plan, training)
        state = _state(runs, training)
        if state != "done":
            left.append(training)
        updates = count_updates(training)
        rows.append([training.name, str(updates), str(len(users)), ", ".join(names), state])
    rows_asked = {detector.row.name for detector in plan.detectors}
    asked = sum(len(detector.needs) for detector in plan.detectors)
    closing = [
        f"{len(plan.detectors)} detectors of {len(rows_asked)} rows need {asked} trainings;"
        f" {len(plan.trainings)} are planned, as equal ones are shared, and"
        f" {len(plan.trainings) - len(left)} are done",
        _estimate(plan, runs, left),
    ]
    return rows, [line for line in closing if line]


def _looking_at(plan: Plan, training: Training) -> list[str]:
    """Rows whose second look is trained on a training's false alarms."""
    looks = [one for one in plan.detectors if one.verifier and training in one.verifier.sources]
    return [f"{name} (second look)" for name in dict.fromkeys(one.row.name for one in looks)]


def _state(runs: Path, training: Training) -> str:
    if finished_run(runs, training) is not None:
        return "done"
    begun = run_of(runs, training)
    if begun is None:
        return "to do"
    epochs = read_state(begun).get("epoch", 0)
    return f"begun, {epochs} of {training.config.train.epochs} epochs"


def _estimate(plan: Plan, runs: Path, left: list[Training]) -> str:
    """A line on the time that is left, from the seconds per update of equal settings, else of all
    that is done."""
    if not left:
        return ""
    seconds = _seconds_per_update(plan, runs)
    if not seconds:
        return "what it costs can be told when the first training is done"
    mean = math.fsum(seconds.values()) / len(seconds)
    total = math.fsum(
        seconds.get(_kind(training), mean) * count_updates(training) for training in left
    )
    hours = total / 3600
    amount = f"{hours:.1f} hours" if hours >= 1 else f"{total / 60:.1f} minutes"
    return (
        f"{len(left)} trainings are left: about {amount} of one process, by those that are done;"
        " tests come on top"
    )


def _seconds_per_update(plan: Plan, runs: Path) -> Mapping[str, float]:
    """By settings, those of the trainings that are done, with validation where that was noted."""
    costs: dict[str, list[float]] = {}
    for training in plan.trainings:
        if (folder := finished_run(runs, training)) is not None:
            cost = cost_of(folder, training.config.train)
            seconds = cost.update_seconds if math.isnan(cost.seconds) else cost.seconds
            if cost.updates and not math.isnan(seconds):
                costs.setdefault(_kind(training), []).append(seconds / cost.updates)
    return {kind: math.fsum(those) / len(those) for kind, those in costs.items()}


def _kind(training: Training) -> str:
    """Settings but for the seed and the number of epochs."""
    neutral = training.config.with_values(train={"seed": 0, "epochs": 1, "validate_every": 1})
    return Identity(neutral, "").digest()
