"""Tasks by name: what a run can be trained for."""

from __future__ import annotations

from dataclasses import dataclass

from midog.config.settings import KindSettings


class TaskSettings(KindSettings):
    """Settings that every task has."""


class DetectionSettings(TaskSettings):
    """Settings of the detection task; its sections are `model`, `sampling` and `inference`."""

    kind: str = "detection"


@dataclass(frozen=True)
class TaskEntry:
    """A task.

    Args:
        about: Its words for help and listings.
        settings: The class of its section `task`.
    """

    about: str
    settings: type[TaskSettings]


TASKS: dict[str, TaskEntry] = {
    "detection": TaskEntry("mitotic figures as boxes in whole ROIs", DetectionSettings)
}
