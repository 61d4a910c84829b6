"""model.json: what a model is of, of any task; read without trust."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from midog._version import __version__
from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.errors import ConfigError, WeightsError
from midog.json_text import read_json
from midog.models.build import num_classes
from midog.mpp import HIGHEST_MPP, LOWEST_MPP

CARD = "model.json"
FORMAT = 2
TASK = "detection"
"""The task whose models a Detector is made of."""


class AnyCard(BaseModel):
    """model.json, of any task."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    format: Literal[2]
    task: str
    config: dict[str, Any]
    class_names: tuple[str, ...] = Field(min_length=1)
    mpp: float = Field(ge=LOWEST_MPP, le=HIGHEST_MPP)
    threshold: float = Field(ge=0, le=1)
    versions: dict[str, str]
    weights_sha256: str = Field(pattern="[0-9a-f]{64}")


class Card(AnyCard):
    """model.json of a detector; its further keys are `Detector.info`."""

    task: Literal["detection"]


_COPY = "copy the model's folder again"

CardT = TypeVar("CardT", bound=AnyCard)


def read_card(path: Path) -> tuple[Card, RunConfig]:
    """Read model.json of a detector and the config in it.

    Raises:
        WeightsError: where it is missing, damaged, of another format, or contradicts itself.
    """
    return parse_card(_read(path), path)


def parse_card(tree: Any, path: Path) -> tuple[Card, RunConfig]:
    """Check what model.json, or an ensemble's for one of its members, holds; see `read_card`."""
    card, config = _parse(tree, path, Card, TASK)
    classes = num_classes(config.sampling)
    if len(card.class_names) != classes or card.mpp != config.data.mpp:
        raise WeightsError(
            f"{path} contradicts itself: classes {', '.join(card.class_names)} and mpp {card.mpp},"
            f" but its config has {classes} class(es) and mpp {config.data.mpp}",
            _COPY,
        )
    return card, config


def read_any_card(path: Path, kind: type[CardT], task: str) -> tuple[CardT, RunConfig]:
    """Read model.json of a model of one task, and the config in it.

    Raises:
        WeightsError: where it is missing, damaged, of another format or of another task.
    """
    return _parse(_read(path), path, kind, task)


def read_task(path: Path) -> str:
    """Return the task that a model.json states, "" where it states none.

    Raises:
        WeightsError: It is missing or damaged.
    """
    tree = _read(path)
    return str(tree.get("task", "")) if isinstance(tree, dict) else ""


def _read(path: Path) -> Any:
    if not path.exists():
        raise WeightsError(f"{path} does not exist", _COPY)
    return read_json(path, WeightsError, _COPY)


def _parse(tree: Any, path: Path, kind: type[CardT], task: str) -> tuple[CardT, RunConfig]:
    if isinstance(tree, dict) and tree.get("task", task) != task:
        raise WeightsError(
            f"{path} is of a model of task {tree['task']}", f"give a model of task {task}"
        )
    if not isinstance(tree, dict) or "format" not in tree:
        raise WeightsError(f"{path} is not a model's description: it has no key format", _COPY)
    wrote = tree.get("versions")
    writer = f"midog {wrote.get('midog', '?') if isinstance(wrote, dict) else '?'}"
    if tree["format"] != FORMAT:
        raise WeightsError(
            f"{path} has format {tree['format']}, this midog reads format {FORMAT}",
            f"use {writer}, which wrote it",
        )
    try:
        card = kind.model_validate(tree)
    except ValidationError as error:
        text = "; ".join(
            f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" for wrong in error.errors()
        )
        raise WeightsError(f"{path}: {text}", _COPY) from None
    try:
        config = parse_config(card.config, source=f"config in {path}")
    except ConfigError as error:
        raise WeightsError(
            f"{error} (written by {writer}, this is {__version__})", f"use {writer}"
        ) from None
    return card, config
