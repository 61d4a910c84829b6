"""CLASSIFIERS: the one entry of each classifier of patches holds all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import Field

from midog.config.settings import KindSettings
from midog.models.backbone_registry import (
    BackboneSettings,
    ResNet10Settings,
    ResNetSettings,
    TimmSettings,
    build_backbone,
    require,
)

if TYPE_CHECKING:
    from midog.models.classifier import Classifier
    from midog.models.classifiers.all_cnn import AllCNN
    from midog.models.classifiers.network import PatchNetwork


class ClassifierSettings(KindSettings):
    """Settings that every classifier of patches has."""


class OnBackboneSettings(ClassifierSettings, BackboneSettings):
    """Settings of a backbone with a linear layer on top, beside the backbone's own."""

    maps: int = Field(
        3, ge=1, le=3, description="maps of the backbone that are built: to stride 8, 16 or 32"
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of values before the last layer that training drops"
    )


class ResNetClassifierSettings(OnBackboneSettings, ResNetSettings):
    """Settings of a ResNet as a classifier."""


class ResNet10ClassifierSettings(OnBackboneSettings, ResNet10Settings):
    """Settings of ResNet-10 as a classifier."""


class TimmClassifierSettings(OnBackboneSettings, TimmSettings):
    """Settings of timm's networks as classifiers."""


class AllCNNSettings(ClassifierSettings):
    """Settings of the All-CNN."""

    width: int = Field(
        96,
        ge=4,
        le=1024,
        description="channels of the first stage; all that follows has twice as many",
    )
    stages: int = Field(
        3, ge=1, le=6, description="stages that halve the map: 2 for 32 px (the paper), 3 for 96 px"
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of values behind a stage that training drops (the paper: 0.5)",
    )
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the image that training drops (the paper: 0.2)"
    )
    norm: Literal["none", "batch"] = Field(
        "none", description="norm behind each convolution (the paper: none)"
    )
    start: Literal["he", "glorot"] = Field(
        "he", description="how the first weights are drawn; from glorot it hardly learns"
    )


OfClassifier = TypeVar("OfClassifier", bound=ClassifierSettings)


@dataclass(frozen=True)
class ClassifierEntry(Generic[OfClassifier]):
    """A classifier of patches.

    Args:
        about: Its words for help and listings; starts with a noun.
        settings: The class of its section.
        build: Builds it, with random weights, from its settings and the number of classes.
        needs: A package that it imports and midog does not always install; empty: none.
    """

    about: str
    settings: type[OfClassifier]
    build: Callable[[OfClassifier, int], PatchNetwork]
    needs: str = ""


def _build_on_backbone(settings: OnBackboneSettings, classes: int) -> Classifier:
    from midog.models.classifier import Classifier

    return Classifier(build_backbone(settings, settings.maps), classes, settings.dropout)


def _build_all_cnn(settings: AllCNNSettings, classes: int) -> AllCNN:
    from midog.models.classifiers.all_cnn import AllCNN

    return AllCNN(
        classes,
        width=settings.width,
        stages=settings.stages,
        dropout=settings.dropout,
        input_dropout=settings.input_dropout,
        norm=settings.norm == "batch",
        start=settings.start,
    )


CLASSIFIERS: dict[str, ClassifierEntry[Any]] = {
    "resnet10": ClassifierEntry(
        "ResNet-10, of any width", ResNet10ClassifierSettings, _build_on_backbone
    ),
    "resnet18": ClassifierEntry("ResNet-18", ResNetClassifierSettings, _build_on_backbone),
    "resnet34": ClassifierEntry("ResNet-34", ResNetClassifierSettings, _build_on_backbone),
    "resnet50": ClassifierEntry("ResNet-50", ResNetClassifierSettings, _build_on_backbone),
    "timm": ClassifierEntry(
        "any network of timm that serves as a backbone, by its name",
        TimmClassifierSettings,
        _build_on_backbone,
        needs="timm",
    ),
    "all_cnn": ClassifierEntry(
        "All-CNN, of convolutions alone (Springenberg et al. 2015)",
        AllCNNSettings,
        _build_all_cnn,
    ),
}
"""The classifiers of patches by name. A further one is a file and an entry here."""


def build_patch_network(settings: ClassifierSettings, classes: int) -> PatchNetwork:
    """Build a classifier of patches with random weights, drawn from torch's global generator.

    Args:
        settings: Of any kind in CLASSIFIERS.
        classes: K, at least 2.

    Raises:
        ConfigError: If it needs a package that is not installed.
    """
    entry = CLASSIFIERS[settings.kind]
    require(entry.needs, f"the classifier {settings.kind}")
    network: PatchNetwork = entry.build(settings, classes)
    return network
