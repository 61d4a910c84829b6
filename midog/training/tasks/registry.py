"""TASKS: what a run can learn, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from midog.config.settings import KindSettings, OnResume, by_kind
from midog.models.classifiers.registry import (
    CLASSIFIERS,
    ClassifierSettings,
    OnBackboneSettings,
    ResNetClassifierSettings,
)
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
    crop: int = Field(64, ge=32, le=512, description="side of a crop, px")
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
    body: Literal["detector", "own", "patches"] = Field(
        "detector",
        description="detector: backbone and first weights of the detector; own: those below;"
        " patches: `network`, or that of `classifier`",
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
    network: Annotated[
        SerializeAsAny[ClassifierSettings], by_kind(lambda: CLASSIFIERS, "resnet18")
    ] = Field(
        default_factory=lambda: ResNetClassifierSettings(kind="resnet18"),
        description="classifier of patches, with random first weights, where `body` is patches",
    )
    classifier: Path | None = Field(
        None,
        description="run or model folder of `midog patches train` whose network and weights are"
        " the first ones, where `body` is patches",
    )

    @model_validator(mode="after")
    def _settled(self) -> VerifySettings:
        if self.p_figure + self.p_imposter > 1:
            raise ValueError(
                f"p_figure + p_imposter = {self.p_figure + self.p_imposter:g} is over 1"
            )
        if self.weights == "coco":
            raise ValueError("weights coco are a detector's: choose imagenet, none or a file")
        if self.crop % 32 and self.body != "patches":
            raise ValueError(f"crop is {self.crop}: a backbone needs a multiple of 32")
        if self.classifier is not None and self.body != "patches":
            raise ValueError(f"a classifier is for body patches, and body is {self.body}")
        return self


class PatchesSettings(TaskSettings):
    """Settings of a classifier of patches; its sections are `data`, `augment` and `train`, too."""

    kind: str = "patches"
    stem: Annotated[str, OnResume.FREELY] = Field(
        "camelyonpatch_level_2",
        pattern=r"^[^/\\]+$",
        description="start of the names of HDF5 files: STEM_split_train_x.h5 and so on",
    )
    classes: tuple[str, ...] = Field(
        (),
        max_length=2,
        description="names of the two classes, that of label 1 last; of class folders, those that"
        " are read; none: 0 and 1, or the folders' names in their order",
    )
    slide_pattern: str = Field(
        "",
        max_length=1000,
        description="regular expression for the slide or case in the start of a picture's name",
    )
    val_share: float = Field(
        0.15, gt=0, lt=1, description="share of patches in val, where slides are dealt to parts"
    )
    test_share: float = Field(
        0.25, gt=0, lt=1, description="share of patches in test, where slides are dealt to parts"
    )
    split_seed: int = Field(0, ge=0, lt=2**63, description="seed by which slides are dealt")
    side: int | None = Field(
        None, ge=8, le=1024, description="side of the middle of a patch that is seen, px; null: all"
    )
    jitter: float = Field(0, ge=0, le=256, description="largest shift of a training patch, px")
    patches_per_epoch: int | None = Field(
        None, ge=1, le=100_000_000, description="patches drawn in an epoch; null: as many as exist"
    )
    balance: Literal["none", "draws", "loss"] = Field(
        "none",
        description="draws: both classes are drawn equally often; loss: the rarer one weighs more",
    )
    loss: Literal["cross_entropy", "focal"] = Field(
        "cross_entropy", description="loss of a patch; focal: that of Lin et al. 2017"
    )
    focal_gamma: float = Field(
        2.0, ge=0, le=10, description="how little patches count that are classified well"
    )
    score: Literal["auc", "ap", "balanced_accuracy"] = Field(
        "auc", description="score on val by which the best model is chosen"
    )
    network: Annotated[
        SerializeAsAny[ClassifierSettings], by_kind(lambda: CLASSIFIERS, "resnet18")
    ] = Field(
        default_factory=lambda: ResNetClassifierSettings(kind="resnet18"), description="network"
    )
    weights: str = Field(
        "none",
        description="first weights of its backbone, or of inception_v3: none, imagenet, or a file"
        " (.safetensors, .pth)",
    )

    @model_validator(mode="after")
    def _settled(self) -> PatchesSettings:
        if len(self.classes) == 1 or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"classes are {', '.join(self.classes)}: name two, or none")
        if self.weights == "coco":
            raise ValueError("weights coco are a detector's: choose none, imagenet or a file")
        filled = self.network.filled
        own = CLASSIFIERS[filled.kind].imagenet
        if self.weights != "none" and not (own or isinstance(filled, OnBackboneSettings)):
            raise ValueError(f"weights fill a backbone or Inception-v3, and {filled.kind} has none")
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


def _read_patches(config: RunConfig, rois: Iterable[Roi] | None) -> TaskData:
    from midog.training.tasks.patches_data import read_patches_data

    return read_patches_data(config, rois)


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
    "patches": TaskEntry(
        "patches of two classes, such as atypical against normal mitotic figures",
        PatchesSettings,
        _read_patches,
        "midog patches evaluate {model} --report scores.html",
        config="patches_resnet18",
    ),
}
