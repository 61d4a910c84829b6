"""Seconds per update, measured once for each kind of training whose budget is in seconds."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from midog.data.roi import Roi
from midog.errors import CheckpointError, MidogError
from midog.files import make_folder, replace_text
from midog.json_text import checked, read_json, to_json
from midog.locks import locked
from midog.training.identity import Identity
from midog.training.log import read_metrics
from midog.training.train import train

_UPDATES = 20
"""Updates of a trial's epoch; the second of two epochs counts, as the first one warms up."""


class Rates:
    """The rates of a study's trainings, kept in a file of its folder.

    Args:
        folder: Of the study.
        measure: Measure what is not known by a trial of some 40 updates; else it is NaN.
        say: Called with a line before a trial.
    """

    def __init__(self, folder: Path, *, measure: bool, say: Callable[[str], None]) -> None:
        self._folder, self._measure, self._say = folder, measure, say

    def of(self, training: Identity, rois: Sequence[Roi]) -> float:
        """Return the seconds of one update; NaN where they are not known.

        Trainings that differ in ROIs, seed and number of epochs have one rate.

        Args:
            training: Its settings.
            rois: Its ROIs.

        Raises:
            MidogError: As of `train`.
        """
        key = _key(training)
        if key in (rates := self._read()) or not self._measure:
            return rates.get(key, math.nan)
        make_folder(self._folder / "rates")
        with locked(self._folder / "rates"):  # one process measures, the others wait for it
            rates = self._read()
            if key not in rates:
                self._say(
                    f"measuring the rate of {training.config.model.kind} for a budget in seconds"
                )
                rates[key] = _measured(training, rois, self._folder / "rates")
                replace_text(self._folder / "rates" / "rates.json", to_json(rates))
        return rates[key]

    def _read(self) -> dict[str, float]:
        path = self._folder / "rates" / "rates.json"
        if not path.is_file():
            return {}
        fix = "delete it: the rates are measured anew"
        return checked(
            read_json(path, CheckpointError, fix), dict[str, float], str(path), CheckpointError, fix
        )


def _key(training: Identity) -> str:
    neutral = training.config.with_values(train={"seed": 0, "epochs": 1, "validate_every": 1})
    return Identity(neutral, "").digest()


def _measured(training: Identity, rois: Sequence[Roi], folder: Path) -> float:
    """Seconds per update in the second epoch of a short training."""
    config = training.config
    patches = config.train.batch_size * config.train.accumulate
    chosen = [roi for roi in rois if roi.split == "train"]
    # one is enough to validate on
    chosen += [roi for roi in rois if roi.split == "val" and roi.boxes.has_figures][:1]
    per_roi = -(-_UPDATES * patches // (len(chosen) - 1))
    trial = config.with_values(
        sampling={"patches_per_roi": per_roi}, train={"epochs": 2, "validate_every": 2}
    )
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run = train(trial, rois=chosen, runs=scratch, name="trial")
        rate = float(read_metrics(run / "metrics.csv")[-1]["train/patches_per_second"])
    if not rate > 0:
        raise MidogError("the rate of a training cannot be measured", "state a budget in updates")
    return patches / rate
