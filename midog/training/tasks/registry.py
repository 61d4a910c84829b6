"""TASKS: what a run can learn, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from midog.config.settings import KindSettings

if TYPE_CHECKING:
    from midog.config.schema import RunConfig
    from midog.data.roi import Roi
    from midog.training.tasks.task import TaskData


class TaskSettings(KindSettings):
    """Settings that every task has."""


class DetectionSettings(TaskSettings):
    """Settings of the detection task; its sections are `model`, `sampling` and `inference`."""

    kind: str = "detection"


class AdversarialSettings(TaskSettings):
    """Settings of the adversarial task, beside those of the detection task."""

    kind: str = "adversarial"
    weight: float = Field(
        1.0, ge=0, le=1000, description="what lambda of the reversed gradient rises to"
    )
    ramp: float = Field(
        10.0, ge=0, le=1000, description="gamma: how fast lambda rises; 0: it stays 0"
    )
    unlabelled_share: float = Field(
        0.33, gt=0, le=10, description="patches of unlabelled ROIs in a batch, per labelled one"
    )


@dataclass(frozen=True)
class TaskEntry:
    """A task.

    Args:
        about: Its words for help and listings.
        settings: The class of its section `task`.
        read: Reads and checks what a run with this config trains on: the ROIs that are given, or
            else what the config names. Raises DataError.
        next: What to do with a trained model, for the terminal; {data} is the data folder.
    """

    about: str
    settings: type[TaskSettings]
    read: Callable[[RunConfig, Iterable[Roi] | None], TaskData]
    next: str = ""


def _read_detection(config: RunConfig, rois: Iterable[Roi] | None) -> TaskData:
    from midog.training.tasks.detection_data import read_detection_data

    return read_detection_data(config, rois)


def _read_adversarial(config: RunConfig, rois: Iterable[Roi] | None) -> TaskData:
    from midog.training.tasks.adversarial_data import with_unlabelled
    from midog.training.tasks.detection_data import read_detection_data

    assert isinstance(config.task, AdversarialSettings)
    return with_unlabelled(read_detection_data(config, rois), config.task)


_DETECT = "midog infer {data} --subset test; midog evaluate detections --data {data}"

TASKS: dict[str, TaskEntry] = {
    "detection": TaskEntry(
        "mitotic figures as boxes in whole ROIs",
        DetectionSettings,
        _read_detection,
        _DETECT,
    ),
    "adversarial": TaskEntry(
        "mitotic figures, hidden from a classifier of scanners; unlabelled ROIs join in",
        AdversarialSettings,
        _read_adversarial,
        _DETECT,
    ),
}
