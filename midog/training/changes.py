"""A run that is resumed with other settings: which may change, and what becomes of its progress."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from midog.config.load import parse_config, resumable_keys
from midog.config.schema import TrainSettings
from midog.config.settings import OnResume
from midog.errors import ConfigError, MidogError
from midog.files import replace_text
from midog.json_text import checked, read_json, to_json
from midog.training.checkpoint import TrainingProgress
from midog.training.identity import Identity

logger = logging.getLogger(__name__)

_PACE = ("epochs", "batch_size", "accumulate")


@dataclass(frozen=True)
class _Change:
    """An entry of changes.json: epoch from 1 and batch from which the settings are others."""

    epoch: int
    batch: int
    before: dict[str, Any]
    now: dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """Settings by key path under which a run is resumed that was started with others."""

    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Raise ConfigError where a setting may not change."""
        may = resumable_keys(OnResume.ASKED)
        if wrong := [key for key in self.values if key not in may]:
            raise ConfigError(
                f"{', '.join(wrong)} cannot be changed for a run that exists",
                f"change {', '.join(may)}, or start a new run",
            )

    def __bool__(self) -> bool:
        return bool(self.values)

    def __str__(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.values.items())

    def applied(self, asked: Identity, own: Identity) -> Identity:
        """The same with the changes.

        Args:
            asked: The settings asked for.
            own: The run's: it keeps what may change and is not named.
        """
        tree, values = asked.config.to_dict(), own.config.by_key()
        kept = {key: values[key] for key in resumable_keys(OnResume.ASKED)}
        for key, value in {**kept, **self.values}.items():
            section, name = key.split(".")
            tree[section][name] = value
        return replace(asked, config=parse_config(tree, "resume_with"))


def adapt(
    progress: TrainingProgress,
    before: TrainSettings,
    now: TrainSettings,
    steps_before: int,
    steps: int,
) -> None:
    """Bring the progress of a run to other settings.

    The learning rate goes on where the new schedule is at this epoch. With batches of another size
    an epoch that is not complete starts again.

    Args:
        progress: Of the checkpoint; changed in place.
        before: The run's settings until now.
        now: Those from now on.
        steps_before: Batches of an epoch until now.
        steps: Those from now on.
    """
    if before.batch_size != now.batch_size and progress.batch:
        if progress.batch >= steps_before:
            progress.batch = steps
            scale = steps / max(steps_before, 1)
            progress.losses = {name: value * scale for name, value in progress.losses.items()}
        else:
            logger.info(
                "epoch %d starts again: its batches are of another size", progress.epoch + 1
            )
            progress.batch, progress.losses, progress.lost = 0, {}, 0
    elif progress.batch < steps:  # an update is not begun in the middle
        progress.batch -= progress.batch % now.accumulate
    if any(getattr(before, name) != getattr(now, name) for name in _PACE):
        updates = -(-steps // now.accumulate)
        position = progress.epoch * updates + -(-progress.batch // now.accumulate)
        progress.schedule_offset = position - progress.step


def differing(before: Identity, now: Identity) -> dict[str, tuple[Any, Any]]:
    """Return what a resumed run has other values of, by key path: the value before, and now."""
    old, new = before.config.by_key(), now.config.by_key()
    return {
        key: (old[key], new[key]) for key in resumable_keys(OnResume.ASKED) if old[key] != new[key]
    }


def record_changes(
    folder: Path, progress: TrainingProgress, changed: Mapping[str, tuple[Any, Any]]
) -> None:
    """Add what changes to changes.json of a run, and log it.

    Args:
        folder: Of the run.
        progress: From which on.
        changed: As of `differing`.
    """
    path, entries = folder / "changes.json", []
    if path.exists():
        try:
            entries = checked(read_json(path), list[_Change], str(path))
        except MidogError as error:
            logger.warning("%s; it is written anew", error)
    before = {key: value for key, (value, _) in changed.items()}
    now = {key: value for key, (_, value) in changed.items()}
    entries.append(_Change(progress.epoch + 1, progress.batch, before, now))
    replace_text(path, to_json([asdict(entry) for entry in entries]))
    words = ", ".join(f"{key} {before[key]} -> {now[key]}" for key in changed)
    logger.info("run %s from epoch %d on: %s", folder.name, progress.epoch + 1, words)
