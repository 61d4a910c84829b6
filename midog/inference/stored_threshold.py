"""The thresholds that a model.json holds: for images as they are, and in several orientations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from midog.errors import WeightsError
from midog.files import replace_text
from midog.json_text import checked, read_json, to_json

ORIENTED = "oriented"
"""Key of the thresholds for several orientations, by their number."""
TUNED = "tuned"
"""Key of how a threshold was chosen, where training did not choose it."""

OF_TRAINING = "best F1 on val in training"
"""How a threshold was chosen that nobody tuned."""


@dataclass(frozen=True)
class LeftOutRun:
    """A run whose detections on ROIs that it was not trained on helped to choose a threshold.

    Attributes:
        run: Its name.
        weights: Digest of its model's weights file.
        seed: Of its training.
        groups: What it was not trained on, such as scanners.
        rois: The names of their val ROIs, on which it was scored.
    """

    run: str
    weights: str
    seed: int
    groups: tuple[str, ...]
    rois: tuple[str, ...]


@dataclass(frozen=True)
class Tuning:
    """How a threshold was chosen.

    Attributes:
        goal: In words.
        subset: The role of the ROIs.
        rois: Their number.
        leave_out: The column of the split by which runs left ROIs out, such as scanner; "": the
            model itself was scored, on val.
        runs: Those runs.
    """

    goal: str
    subset: str = "val"
    rois: int = 0
    leave_out: str = ""
    runs: tuple[LeftOutRun, ...] = field(default_factory=tuple)

    def __str__(self) -> str:
        words = f"{self.goal} on {self.rois} {self.subset} ROIs"
        if not self.leave_out:
            return words
        parts = [f"{', '.join(run.groups)} by {run.run}" for run in self.runs]
        return f"{words}, each of a {self.leave_out} left out of training: {'; '.join(parts)}"


@dataclass(frozen=True)
class Threshold:
    """A threshold.

    Attributes:
        value: In [0, 1].
        origin: How it was chosen, in words.
        is_tuned: It was chosen for detections that are made like these.
    """

    value: float
    origin: str
    is_tuned: bool = True


@dataclass(frozen=True)
class _Oriented:
    threshold: float
    tuned: Tuning


def stored_threshold(
    own: float, further: Mapping[str, Any], orientations: int, path: Path, *, untuned: str = ""
) -> Threshold:
    """Return the threshold of a model for a number of orientations.

    Args:
        own: That of the model as it is.
        further: What its model.json holds beside its own keys.
        orientations: In which images are shown to it.
        path: The model.json, for errors.
        untuned: How the model's own was chosen if nobody tuned it, where that was not by training.

    Raises:
        WeightsError: If what model.json holds of thresholds is no such thing.
    """
    tuned = further.get(TUNED)
    plain = Threshold(own, untuned or OF_TRAINING, not untuned)
    if tuned is not None:
        plain = Threshold(own, str(checked(tuned, Tuning, f"{path}: {TUNED}", WeightsError)))
    if orientations == 1:
        return plain
    oriented = _oriented(further, path).get(str(orientations))
    if oriented is None:
        return Threshold(own, f"chosen without orientations: {plain.origin}", is_tuned=False)
    return Threshold(oriented.threshold, f"{oriented.tuned}, in {orientations} orientations")


def store_threshold(path: Path, threshold: float, tuning: Tuning, orientations: int) -> None:
    """Write a threshold into a model.json, in place of the one for so many orientations.

    Args:
        path: The model.json.
        threshold: In [0, 1].
        tuning: How it was chosen.
        orientations: For which it was chosen.

    Raises:
        MidogError: If the file cannot be read or written; it is then as it was.
    """
    tree: dict[str, Any] = read_json(path, WeightsError)
    entry = {"threshold": threshold, TUNED: plain_tuning(tuning)}
    if orientations == 1:
        tree |= entry
    else:
        tree[ORIENTED] = {**tree.get(ORIENTED, {}), str(orientations): entry}
    replace_text(path, to_json(tree, ascii_only=False))


def plain_tuning(tuning: Tuning) -> dict[str, Any]:
    """Return plain JSON values, without those that say nothing."""
    return {key: value for key, value in asdict(tuning).items() if value not in ("", ())}


def _oriented(further: Mapping[str, Any], path: Path) -> dict[str, _Oriented]:
    entries = checked(
        further.get(ORIENTED, {}), dict[str, _Oriented], f"{path}: {ORIENTED}", WeightsError
    )
    for number, entry in entries.items():
        if not 0 <= entry.threshold <= 1:
            raise WeightsError(
                f"{path}: {ORIENTED}.{number}.threshold is {entry.threshold:g}, no score",
                "choose it again with `midog tune`",
            )
    return entries
