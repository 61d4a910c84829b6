"""An ensemble's folder: a model.json that holds those of its members, beside their weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from midog.config.schema import RunConfig
from midog.errors import WeightsError
from midog.files import replacing_folder
from midog.inference.model_card import CARD, TASK, Card, parse_card
from midog.inference.model_folder import versions
from midog.json_text import checked, read_json, to_json
from midog.names import real_path

_FORMAT = 3
_WEIGHTS = r"member_[1-9][0-9]*\.safetensors"
_COPY = "copy the ensemble's folder again"


class MemberCard(BaseModel):
    """What an ensemble's model.json holds of a member.

    name: of the folder that it was copied from. weights: the file beside model.json. card: the
    member's own model.json.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    weights: str = Field(pattern=f"^{_WEIGHTS}$")
    card: dict[str, Any]


class EnsembleCard(BaseModel):
    """model.json of an ensemble; its further keys are `Detector.info`."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    format: Literal[3]
    task: Literal["detection"]
    class_names: tuple[str, ...] = Field(min_length=1)
    threshold: float = Field(ge=0, le=1)
    versions: dict[str, str]
    members: tuple[MemberCard, ...] = Field(min_length=2)


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model, read as far as its description.

    Attributes:
        name: The last two parts of its folder's place.
        weights: Its safetensors file.
        card: Its model.json.
        config: The config in that.
    """

    name: str
    weights: Path
    card: Card
    config: RunConfig


def is_ensemble(folder: Path) -> bool:
    """Whether a model's folder is that of an ensemble."""
    path = folder / CARD
    tree = read_json(path, WeightsError, _COPY) if path.is_file() else None
    return isinstance(tree, dict) and tree.get("format") == _FORMAT and "members" in tree


def read_ensemble(folder: Path) -> tuple[EnsembleCard, list[ModelFiles]]:
    """Read an ensemble's description and those of its members.

    Raises:
        WeightsError: Where it is damaged or contradicts itself.
    """
    path = folder / CARD
    card = checked(
        read_json(path, WeightsError, _COPY), EnsembleCard, str(path), WeightsError, _COPY
    )
    models = []
    for member in card.members:
        own, config = parse_card(member.card, path)
        models.append(ModelFiles(member.name, folder / member.weights, own, config))
        if own.class_names != card.class_names:
            raise WeightsError(f"{path} contradicts itself: its members differ in classes", _COPY)
    return card, models


def write_ensemble(folder: Path, models: Sequence[ModelFiles], threshold: float) -> None:
    """Write an ensemble's folder: copies of its members' weights, and what describes them.

    Args:
        folder: Where; it must not exist, or be an ensemble.
        models: The members. Their order makes no difference to what is written.
        threshold: Score in [0, 1] from which a detection counts.

    Raises:
        WeightsError: Where the folder holds other things or cannot be written.
    """
    place = real_path(folder)
    if place.exists() and not (place.is_dir() and (is_ensemble(place) or not any(place.iterdir()))):
        raise WeightsError(
            f"{folder} exists and is no ensemble", "choose another {out}", {"out": None}
        )
    ordered = sorted(models, key=lambda model: model.card.weights_sha256)
    names = [f"member_{number}.safetensors" for number in range(1, len(ordered) + 1)]
    card = {
        "format": _FORMAT,
        "task": TASK,
        "class_names": list(ordered[0].card.class_names),
        "threshold": threshold,
        "versions": versions(),
        "members": [
            {"name": model.name, "weights": name, "card": model.card.model_dump(mode="json")}
            for name, model in zip(names, ordered, strict=True)
        ],
    }
    with replacing_folder(place, WeightsError) as part:
        for name, model in zip(names, ordered, strict=True):
            shutil.copyfile(model.weights, part / name)
        (part / CARD).write_text(to_json(card, ascii_only=False), encoding="utf-8")
