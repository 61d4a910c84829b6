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
    from midog.models.classifiers.group_nets import GroupCNN, GroupDenseNet
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


class GroupSettings(ClassifierSettings):
    """Settings of networks on a group of turns and mirrors."""

    group: Literal["z2", "p4", "p4m"] = Field(
        "p4m",
        description="what leaves the scores as they are; p4: quarter turns; p4m: mirrors too;"
        " z2: neither, a plain network",
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of values that training drops behind each stage"
    )


class GroupCNNSettings(GroupSettings):
    """Settings of the All-CNN on a group."""

    width: int = Field(
        96,
        ge=4,
        le=1024,
        description="channels of the first stage of a plain network with as many parameters:"
        " p4 has half of it, p4m 0.354; all that follows has twice as many",
    )
    stages: int = Field(3, ge=1, le=6, description="stages that halve the map")
    pooling: Literal["mean", "max"] = Field(
        "mean", description="how maps are halved, and how orientations are joined at the end"
    )


class GroupDenseNetSettings(GroupSettings):
    """Settings of the DenseNet on a group."""

    width: int = Field(
        26,
        ge=4,
        le=1024,
        description="channels that a block adds in a plain network with as many parameters:"
        " p4 has half of it, p4m 0.354",
    )
    blocks: int = Field(5, ge=1, le=6, description="blocks, between which the map is halved")
    padding: Literal["none", "zeros"] = Field(
        "none",
        description="what convolutions see beyond the edge; none (the paper): five blocks need"
        " patches of 65 px",
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


def _build_group_cnn(settings: GroupCNNSettings, classes: int) -> GroupCNN:
    from midog.models.classifiers.group_nets import GroupCNN
    from midog.models.classifiers.groups import GROUPS

    return GroupCNN(
        classes,
        GROUPS[settings.group],
        width=settings.width,
        stages=settings.stages,
        dropout=settings.dropout,
        pooling=settings.pooling,
    )


def _build_group_densenet(settings: GroupDenseNetSettings, classes: int) -> GroupDenseNet:
    from midog.models.classifiers.group_nets import GroupDenseNet
    from midog.models.classifiers.groups import GROUPS

    return GroupDenseNet(
        classes,
        GROUPS[settings.group],
        width=settings.width,
        blocks=settings.blocks,
        padded=settings.padding == "zeros",
        dropout=settings.dropout,
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
    "group_cnn": ClassifierEntry(
        "All-CNN on a group: turned patches score the same (Cohen and Welling 2016)",
        GroupCNNSettings,
        _build_group_cnn,
    ),
    "group_densenet": ClassifierEntry(
        "DenseNet on a group: turned patches score the same (Veeling et al. 2018)",
        GroupDenseNetSettings,
        _build_group_densenet,
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
