"""TASKS: what a run can learn, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from midog.config.settings import KindSettings, OnResume, by_kind
from midog.models.registry import BACKBONES, BackboneSettings, ResNetSettings

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


class VerifySettings(TaskSettings):
    """Settings of a verifier; its sections are `data`, `augment` and `train`, too."""

    kind: str = "verify"
    detector: Annotated[Path | None, OnResume.FREELY] = Field(
        None, description="run or model folder of the detector whose detections are verified"
    )
    candidates: Annotated[Path | None, OnResume.FREELY] = Field(
        None,
        description="false alarms in train ROIs: a CSV of `midog alarms`, or a folder of"
        " detections of models that did not train on these ROIs",
    )
    crop: int = Field(64, ge=32, le=512, multiple_of=32, description="side of a crop, px")
    border: Literal["mirrored", "white"] = Field(
        "mirrored", description="what a crop shows beyond the image's edge"
    )
    jitter: float = Field(
        4, ge=0, le=256, description="largest shift of a training crop's centre, px"
    )
    crops_per_epoch: int = Field(1000, ge=1, le=1_000_000, description="crops drawn in an epoch")
    p_figure: float = Field(0.5, gt=0, lt=1, description="share of draws that are mitotic figures")
    p_imposter: float = Field(
        0.2, ge=0, lt=1, description="share of draws that are imposters; the rest: false alarms"
    )
    body: Literal["detector", "own"] = Field(
        "detector",
        description="detector: backbone and first weights of the detector; own: those below",
    )
    backbone: Annotated[
        SerializeAsAny[BackboneSettings], by_kind(lambda: BACKBONES, "resnet18")
    ] = Field(ResNetSettings(kind="resnet18"), description="network, where `body` is own")
    weights: str = Field(
        "imagenet",
        description="its first weights: imagenet, none, or a file (.safetensors, .pth)",
    )
    maps: int = Field(
        2, ge=1, le=3, description="maps of the backbone that are built: to stride 8, 16 or 32"
    )

    @model_validator(mode="after")
    def _settled(self) -> VerifySettings:
        if self.p_figure + self.p_imposter > 1:
            raise ValueError(
                f"p_figure + p_imposter = {self.p_figure + self.p_imposter:g} is over 1"
            )
        if self.weights == "coco":
            raise ValueError("weights coco are a detector's: choose imagenet, none or a file")
        return self


@dataclass(frozen=True)
class TaskEntry:
    """A task.

    Args:
        about: Its words for help and listings.
        settings: The class of its section `task`.
        read: Reads and checks what a run with this config trains on: the ROIs that are given, or
            else what the config names. Raises DataError.
        next: What to do with a trained model, for the terminal; {data} is the data folder, {model}
            the model's.
        config: The shipped config that `midog train --task` takes where none is named; empty: the
            defaults.
    """

    about: str
    settings: type[TaskSettings]
    read: Callable[[RunConfig, Iterable[Roi] | None], TaskData]
    next: str = ""
    config: str = ""


def _read_detection(config: RunConfig, rois: Iterable[Roi] | None) -> TaskData:
    from midog.training.tasks.detection_data import read_detection_data

    return read_detection_data(config, rois)


def _read_adversarial(config: RunConfig, rois: Iterable[Roi] | None) -> TaskData:
    from midog.training.tasks.adversarial_data import with_unlabelled
    from midog.training.tasks.detection_data import read_detection_data

    assert isinstance(config.task, AdversarialSettings)
    return with_unlabelled(read_detection_data(config, rois), config.task)


def _read_verify(config: RunConfig, rois: Iterable[Roi] | None) -> TaskData:
    from midog.training.tasks.verify_data import read_verify_data

    return read_verify_data(config, rois)


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
    "verify": TaskEntry(
        "a second look at a detector's detections, crop by crop",
        VerifySettings,
        _read_verify,
        "midog infer {data} --subset test --verifier {model}",
        config="verify",
    ),
}
