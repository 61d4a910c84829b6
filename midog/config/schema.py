"""The settings of a run: sections, their fields with ranges, and what each means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import Field, SerializeAsAny, create_model, model_validator

from midog.augment.op import Op
from midog.augment.ops import OPS
from midog.config.sampling import Imposters, SamplingSettings
from midog.config.settings import Chosen, OnResume, Paths, Settings, auto_or_number, by_kind
from midog.config.training import MachineSettings, TrainSettings
from midog.models.registry import DETECTORS, DetectorSettings, RetinaNetSettings
from midog.mpp import HIGHEST_MPP, LOWEST_MPP
from midog.training.tasks.registry import TASKS, DetectionSettings, TaskSettings

__all__ = [
    "AugmentSettings",
    "DataSettings",
    "Imposters",
    "InferenceSettings",
    "MachineSettings",
    "RunConfig",
    "SamplingSettings",
    "TrainSettings",
    "augment_settings",
]
_FREE = OnResume.FREELY
_MAGNIFICATION = 8


class DataSettings(Settings):
    """Which images and annotations a run reads."""

    dir: Annotated[Paths, _FREE] = Field(
        Path("data"),
        description="folder with images/, one annotation file and split.csv; a list: used as one",
    )
    annotations: Annotated[Path | None, _FREE] = Field(
        None, description="annotation file; null: the only one in `dir`"
    )
    split: Annotated[str | None, _FREE] = Field(
        None, description="split CSV or a shipped name (midog21); null: `dir`/split.csv"
    )
    bbox: Annotated[Literal["auto", "xyxy", "xywh"], _FREE] = Field(
        "auto", description="how the annotation file writes boxes"
    )
    classes: Annotated[str, _FREE] = Field(
        "",
        description="further names of classes, such as 'tumor cell=skip,Mitosis=mitotic figure'",
    )
    annotations_format: Annotated[str, _FREE] = Field(
        "auto",
        description="format of the annotations; auto: the one that their file shows; tupac16 and"
        " mitos14: tables without a header, one per image",
    )
    mpp: float = Field(
        0.25,
        ge=LOWEST_MPP,
        le=HIGHEST_MPP,
        description="um/px that the model sees; ROIs over 10 % off are resampled",
    )
    cache: Annotated[bool, _FREE] = Field(True, description="keep decoded ROIs in the cache folder")


class AugmentSettings(Settings):
    """How training patches are augmented: a field for each of OPS, see `augment_settings`."""

    if TYPE_CHECKING:  # the fields are those of OPS

        def __getattr__(self, name: str) -> Any: ...


def augment_settings() -> type[AugmentSettings]:
    """The class of the section `augment`, with a field for each op that OPS has now."""
    return _augment_settings(tuple(OPS.items()))


@lru_cache
def _augment_settings(ops: tuple[tuple[str, Op], ...]) -> type[AugmentSettings]:
    fields: dict[str, Any] = {
        name: (op.setting, Field(op.default, description=op.about)) for name, op in ops
    }
    return create_model("AugmentSettings", __base__=AugmentSettings, **fields)


class InferenceSettings(Settings):
    """How a detector runs over a whole image."""

    tile: Annotated[Literal["auto"] | int, auto_or_number(64, 8192, step=32)] = Field(
        "auto", description="side of a tile, px; auto: the one that wastes least and fits in memory"
    )
    overlap: int = Field(
        64, ge=8, le=512, description="figures up to this side are whole in some tile, px"
    )
    batch_size: Annotated[Literal["auto"] | int, auto_or_number(1, 4096), _FREE] = Field(
        "auto", description="tiles per step; auto: as many as fit in memory"
    )
    precision: Literal["auto", "32-true", "bf16"] = Field(
        "auto", description="auto: bf16 where the device has it in hardware, else 32-true"
    )
    floor: float = Field(0.05, ge=0, lt=1, description="lowest score that is written")

    @model_validator(mode="after")
    def _overlap(self) -> InferenceSettings:
        if self.tile != "auto" and self.overlap > self.tile // 2:
            raise ValueError(f"overlap {self.overlap} is over half of tile {self.tile}")
        return self


class RunConfig(Settings):
    """Everything that decides a run. `RunConfig()` equals configs/default.yaml; see `load_config`.

    `model` and `task` are of the class that their `kind` names; `augment` has a field per op.
    """

    task: Annotated[SerializeAsAny[TaskSettings], by_kind(lambda: TASKS, "detection")] = Field(
        DetectionSettings(), description="what is learned"
    )
    data: DataSettings = DataSettings()
    model: Annotated[SerializeAsAny[DetectorSettings], by_kind(lambda: DETECTORS, "retinanet")] = (
        Field(RetinaNetSettings(), description="detector")
    )
    sampling: SamplingSettings = SamplingSettings()
    augment: Annotated[
        SerializeAsAny[AugmentSettings],
        Chosen(lambda value: (augment_settings(), value), lambda: [augment_settings()]),
    ] = Field(default_factory=lambda: augment_settings()())
    train: TrainSettings = TrainSettings()
    machine: MachineSettings = MachineSettings()
    inference: InferenceSettings = InferenceSettings()

    @model_validator(mode="after")
    def _magnified(self) -> RunConfig:
        resize, side = self.model.resize, self.sampling.patch_size
        if resize and resize > _MAGNIFICATION * side:
            raise ValueError(
                f"model.resize {resize} is over {_MAGNIFICATION} times sampling.patch_size {side}"
            )
        return self

    def with_values(self, **sections: Mapping[str, Any]) -> RunConfig:
        """The same with some values changed, section by section; checked as all settings are."""
        changed = {}
        for name, values in sections.items():
            section = getattr(self, name)
            kept = {key: getattr(section, key) for key in type(section).model_fields}
            changed[name] = type(section).model_validate(kept | dict(values))
        return self.model_copy(update=changed)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON and YAML types, every key present."""
        return self.model_dump(mode="json")

    def by_key(self) -> dict[str, Any]:
        """Every setting by its key path, of plain types: {"train.lr": 0.0001, …}."""
        return _flatten(self.to_dict(), "")

    def to_yaml(self) -> str:
        """The YAML text that `load_config` reads back to an equal config."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, default_flow_style=None, width=100)


def _flatten(tree: dict[str, Any], path: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{path}{name}"
        flat |= _flatten(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return flat
