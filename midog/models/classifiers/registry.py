"""CLASSIFIERS: the one entry of each classifier of patches holds all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import Field, SerializeAsAny

from midog.config.settings import by_kind
from midog.models.backbone_registry import build_backbone, require
from midog.models.classifiers.settings import (
    AllCNNSettings,
    ClassifierSettings,
    GroupCNNSettings,
    GroupDenseNetSettings,
    InceptionSettings,
    OnBackboneSettings,
    ResNet10ClassifierSettings,
    ResNetClassifierSettings,
    TimmClassifierSettings,
    UNetSettings,
)

if TYPE_CHECKING:
    from midog.models.classifier import Classifier
    from midog.models.classifiers.all_cnn import AllCNN
    from midog.models.classifiers.group_nets import GroupCNN, GroupDenseNet
    from midog.models.classifiers.inception import InceptionV3
    from midog.models.classifiers.network import PatchNetwork
    from midog.models.classifiers.two_towers import TwoTowers
    from midog.models.classifiers.unet import PlaceUNet


__all__ = [
    "CLASSIFIERS",
    "ClassifierEntry",
    "ClassifierSettings",
    "OnBackboneSettings",
    "ResNetClassifierSettings",
    "TwoTowersSettings",
    "build_patch_network",
    "packages_of",
]

OfClassifier = TypeVar("OfClassifier", bound=ClassifierSettings)


@dataclass(frozen=True)
class ClassifierEntry(Generic[OfClassifier]):
    """A classifier of patches.

    Args:
        about: Its words for help and listings; starts with a noun.
        settings: The class of its section.
        build: Builds it, with random weights, from its settings and the number of classes.
        imagenet: URL of weights of its own that were trained on ImageNet; empty: none, or those of
            its backbone.
        needs: A package that it imports and midog does not always install; empty: none.
    """

    about: str
    settings: type[OfClassifier]
    build: Callable[[OfClassifier, int], PatchNetwork]
    imagenet: str = ""
    needs: str = ""


def _towers() -> dict[str, ClassifierEntry[Any]]:
    """The classifiers that can be a tower: all but those of several views."""
    several = ("two_towers", "unet")
    return {name: entry for name, entry in CLASSIFIERS.items() if name not in several}


class TwoTowersSettings(ClassifierSettings):
    """Settings of two towers."""

    tower: Annotated[SerializeAsAny[ClassifierSettings], by_kind(_towers, "inception_v3")] = Field(
        default_factory=lambda: InceptionSettings(kind="inception_v3"),
        description="network of each of the two towers",
    )
    factor: int = Field(
        2,
        ge=2,
        le=16,
        description="how many px of the patch a px of the far view stands for; the near view is"
        " the middle of the patch, of as many px",
    )
    features: int = Field(
        128, ge=2, le=4096, description="numbers that each tower gives to the layer that joins them"
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the joined features that training drops"
    )

    @property
    def filled(self) -> ClassifierSettings:
        """Those of the towers, which begin with the same weights."""
        return self.tower


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


def _build_inception(settings: InceptionSettings, classes: int) -> InceptionV3:
    from midog.models.classifiers.inception import SIXTEENTHS, InceptionV3

    return InceptionV3(
        classes,
        sixteenths=round(settings.width * SIXTEENTHS),
        freeze_until=settings.freeze_until,
        dropout=settings.dropout,
    )


def _build_two_towers(settings: TwoTowersSettings, classes: int) -> TwoTowers:
    from midog.models.classifiers.two_towers import TwoTowers

    near, far = (build_patch_network(settings.tower, settings.features) for _ in range(2))
    return TwoTowers(
        near,
        far,
        settings.features,
        classes,
        factor=settings.factor,
        dropout=settings.dropout,
    )


def _build_unet(settings: UNetSettings, classes: int) -> PlaceUNet:
    from midog.models.classifiers.unet import PlaceUNet

    return PlaceUNet(
        classes, inputs=settings.inputs, width=settings.width, dropout=settings.dropout
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
    "inception_v3": ClassifierEntry(
        "Inception-v3 of torchvision, of any width, for patches of 75 px or more",
        InceptionSettings,
        _build_inception,
        imagenet="https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
    ),
    "two_towers": ClassifierEntry(
        "two networks at two magnifications, any of these (Liu et al. 2017)",
        TwoTowersSettings,
        _build_two_towers,
    ),
    "unet": ClassifierEntry(
        "U-Net of one or three views, which learns masks too (Ronneberger et al. 2015)",
        UNetSettings,
        _build_unet,
    ),
}
"""The classifiers of patches by name. A further one is a file and an entry here."""


def packages_of(settings: ClassifierSettings) -> set[str]:
    """Return the packages that a classifier, or a tower of it, needs and midog may lack."""
    return {CLASSIFIERS[own.kind].needs for own in (settings, settings.filled)} - {""}


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
