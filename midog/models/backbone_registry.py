"""BACKBONES: the one entry of each holds all that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import Field

from midog.config.settings import KindSettings
from midog.errors import ConfigError

if TYPE_CHECKING:
    from midog.models.protocol import Backbone

_WEIGHTS = "https://download.pytorch.org/models/"


class BackboneSettings(KindSettings):
    """Settings that every backbone has."""


class ResNetSettings(BackboneSettings):
    """Settings of torchvision's ResNets."""

    unfrozen_layers: int = Field(
        5, ge=0, le=5, description="backbone stages that are trained, counted from the top"
    )


class ResNet10Settings(ResNetSettings):
    """Settings of ResNet-10."""

    width: int = Field(64, ge=8, le=256, description="channels of the first of its four stages")


class TimmSettings(BackboneSettings):
    """Settings of timm's networks."""

    name: str = Field(
        "convnext_tiny",
        pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?$",
        description="network of timm, with or without the tag of its weights",
    )


OfBackbone = TypeVar("OfBackbone", bound=BackboneSettings)


@dataclass(frozen=True)
class BackboneEntry(Generic[OfBackbone]):
    """A backbone.

    Args:
        about: Its words for help and listings; starts with a noun.
        settings: The class of its section `model.backbone`.
        build: Builds it, with random weights, from its settings and the number of maps wanted: 1 to
            3, of strides 8, 16 and 32.
        imagenet: URL of weights trained on ImageNet with the backbone's names, or a function that
            gives it for its settings; empty: none.
        needs: A package that it imports and midog does not always install; empty: none.
    """

    about: str
    settings: type[OfBackbone]
    build: Callable[[OfBackbone, int], Backbone]
    imagenet: str | Callable[[OfBackbone], str] = ""
    needs: str = ""


def _build_resnet(settings: ResNetSettings, maps: int) -> Backbone:
    from torchvision import models

    from midog.models.backbones import ResNetBody

    makers = {
        "resnet18": models.resnet18,
        "resnet34": models.resnet34,
        "resnet50": models.resnet50,
    }
    return ResNetBody(makers[settings.kind], settings.unfrozen_layers, maps)


def _build_resnet10(settings: ResNet10Settings, maps: int) -> Backbone:
    from midog.models.backbones import ResNetBody, resnet10

    return ResNetBody(partial(resnet10, settings.width), settings.unfrozen_layers, maps)


def _build_timm(settings: TimmSettings, maps: int) -> Backbone:
    from midog.models.timm_backbone import TimmBody

    return TimmBody(settings.name, maps)


def _timm_weights(settings: TimmSettings) -> str:
    from midog.models.timm_backbone import weights_url

    return weights_url(settings.name)


BACKBONES: dict[str, BackboneEntry[Any]] = {
    "resnet10": BackboneEntry(
        "ResNet-10, of any width: the fastest, for two cores and minutes",
        ResNet10Settings,
        _build_resnet10,
    ),
    "resnet18": BackboneEntry(
        "ResNet-18, for machines without a GPU",
        ResNetSettings,
        _build_resnet,
        imagenet=f"{_WEIGHTS}resnet18-f37072fd.pth",
    ),
    "resnet34": BackboneEntry(
        "ResNet-34", ResNetSettings, _build_resnet, imagenet=f"{_WEIGHTS}resnet34-b627a593.pth"
    ),
    "resnet50": BackboneEntry(
        "ResNet-50, of the reference study",
        ResNetSettings,
        _build_resnet,
        imagenet=f"{_WEIGHTS}resnet50-0676ba61.pth",  # torchvision's own detectors start from it
    ),
    "timm": BackboneEntry(
        "any network of timm with maps of strides 8, 16 and 32, by its name",
        TimmSettings,
        _build_timm,
        imagenet=_timm_weights,
        needs="timm",
    ),
}
"""The backbones by name. A further one is a file and an entry here."""


def build_backbone(settings: BackboneSettings, maps: int) -> Backbone:
    """Build a backbone with random weights, drawn from torch's global generator.

    Args:
        settings: Of any kind in BACKBONES.
        maps: 1 to 3, how many maps it returns: of strides 8, 16 and 32.

    Raises:
        ConfigError: If it needs a package that is not installed.
    """
    entry = BACKBONES[settings.kind]
    require(entry.needs, f"model.backbone.kind={settings.kind}")
    return entry.build(settings, maps)


def require(package: str, what: str) -> None:
    """Refuse what needs a package that is not installed; `what` is the setting that asks for it."""
    if package and find_spec(package) is None:
        raise ConfigError(f"{what} needs {package}, which is not installed", f"install {package}")
