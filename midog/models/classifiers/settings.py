"""The settings of every kind of classifier of patches."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from midog.config.settings import KindSettings
from midog.models.backbone_registry import (
    BackboneSettings,
    ResNet10Settings,
    ResNetSettings,
    TimmSettings,
)


class ClassifierSettings(KindSettings):
    """Settings that every classifier of patches has."""

    @property
    def filled(self) -> ClassifierSettings:
        """Those of the network that first weights fill."""
        return self


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


class UNetSettings(ClassifierSettings):
    """Settings of the U-Net of places."""

    inputs: Literal[1, 3] = Field(
        3, description="views of a patch: 1: itself; 3: itself, and 4 and 16 times as small"
    )
    width: int = Field(
        16, ge=4, le=256, description="channels at stride 1; 8 times as many at stride 8 and more"
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of values before the score of the whole that training drops",
    )


class InceptionSettings(ClassifierSettings):
    """Settings of Inception-v3."""

    width: float = Field(
        1.0,
        ge=0.0625,
        le=1,
        multiple_of=0.0625,
        description="share of every layer's channels; 0.1875 has 3.5 % of the parameters",
    )
    freeze_until: Literal[
        "Conv2d_1a_3x3",
        "Conv2d_2a_3x3",
        "Conv2d_2b_3x3",
        "Conv2d_3b_1x1",
        "Conv2d_4a_3x3",
        "Mixed_5b",
        "Mixed_5c",
        "Mixed_5d",
        "Mixed_6a",
        "Mixed_6b",
        "Mixed_6c",
        "Mixed_6d",
        "Mixed_6e",
        "Mixed_7a",
        "Mixed_7b",
        "Mixed_7c",
        "fc",
    ] = Field(
        "Conv2d_1a_3x3",
        description="first layer that learns; Conv2d_1a_3x3: all do; fc: fixed features",
    )
    dropout: float = Field(
        0.5, ge=0, lt=1, description="share of values before the last layer that training drops"
    )
