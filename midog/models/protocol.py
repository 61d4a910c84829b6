"""What every backbone and every detection network offers, and the tensors that go in and out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, Self, TypedDict

import torch
from torch import Tensor, nn

from midog.models.frame import IMAGENET_MEAN, IMAGENET_SD, Frame

ROWS = 8
"""Padded boxes come in multiples of this many rows: with few shapes, compiled code stays valid."""


class BoxTargets(TypedDict):
    """The true boxes of B images, padded with zeros: a row of label 0 or without area is none.

    boxes: (B, N, 4) float32 `x1 y1 x2 y2`, px of the image, inside the image.
    labels: (B, N) int64, 1 to K; 0 where padded.
    ignore: (B, M, 4) float32, px; may reach over the image's edge. Neither a target nor background.
    """

    boxes: Tensor
    labels: Tensor
    ignore: Tensor


class Candidates(NamedTuple):
    """Boxes that B images may hold, C of each, before suppression; those of score 0 are none.

    boxes: (B, C, 4) float32 `x1 y1 x2 y2`, px of the image, inside the image.
    scores: (B, C) float32 in [0, 1].
    labels: (B, C) int64, 1 to K.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class ImageDetections(TypedDict):
    """The detections in one image, best first.

    boxes: (N, 4) float32 `x1 y1 x2 y2`, px of the image, inside the image.
    scores: (N,) float32 in [0, 1].
    labels: (N,) int64, 1 to K.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class Backbone(nn.Module, ABC):
    """A classifier's layers as a source of feature maps, for detectors with a pyramid.

    Which of its layers learn is its own business: it freezes them when it is built and keeps them
    in eval mode.

    Attributes:
        channels: of each map that it returns, finest first.
        mean: of the colours R, G, B in [0, 1] that the images' normalisation subtracts.
        sd: of the same colours, by which it divides.
        named_norms: whether a BatchNorm stands behind the convolution that its name is made of
            (bn1, conv1), so that the two can be merged.
    """

    channels: tuple[int, ...]
    named_norms: ClassVar[bool] = True
    mean: tuple[float, float, float] = IMAGENET_MEAN
    sd: tuple[float, float, float] = IMAGENET_SD

    @abstractmethod
    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the feature maps, finest first.

        Args:
            images: (B, 3, H, W) float, normalised; H and W are multiples of 32.

        Returns:
            Maps (B, channels[i], H / s, W / s), of strides s = 8, 16, 32: as many as there are
            `channels`.
        """

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename a classifier's published weights to the names that they have here.

        Args:
            state: Tensors by name, of any file.
        """
        return dict(state)


class DetectionNetwork(nn.Module, ABC):
    """A network that detects figures: what training, inference and reports call, and nothing else.

    It is a class and not a typing.Protocol because it must be an nn.Module to whatever moves,
    wraps, averages or saves it; all its methods are left to the networks.

    Images are (B, 3, H, W) float32 RGB in [0, 1] of any H and W; boxes go in and come out in px of
    these images. How they are normalised, magnified and padded is the network's own business: its
    `frame`.

    Attributes:
        frame: how images are shown to the layers.
        body_name: dotted name of the submodule that is a backbone of the registry, which weights of
            a classifier fill; empty where there is none.
        head_name: name of the submodule that depends on the classes, which weights of a detector of
            other classes do not fill; empty where there is none.
    """

    frame: Frame
    body_name: ClassVar[str] = ""
    head_name: ClassVar[str] = ""

    @abstractmethod
    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        """Compute the losses, in train and in eval mode alike.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].
            targets: the true boxes of these images.

        Returns:
            A scalar float32 by the name of the part; training minimises their sum.
        """

    @abstractmethod
    def candidates(self, images: Tensor, floor: float) -> Candidates:
        """Propose boxes, before suppression, without waiting for the device.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].
            floor: candidates need a score over this, in [0, 1].
        """

    @abstractmethod
    def detections(self, images: Tensor, floor: float) -> list[ImageDetections]:
        """Detect figures: the candidates after suppression.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].
            floor: detections need a score over this, in [0, 1].

        Returns:
            One entry per image.
        """

    @abstractmethod
    def features(self, images: Tensor) -> list[Tensor]:
        """Describe images by the maps that the layers before the detector's own see.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].

        Returns:
            Maps (B, C, h, w), finest first, each with its own C, h and w.
        """

    @abstractmethod
    def for_detection(self, dtype: torch.dtype) -> Self:
        """Copy the network for inference; the network itself stays as it is.

        Args:
            dtype: of the layers' weights. Scores and boxes are float32 whatever it is.

        Returns:
            A copy in eval mode, without gradients, whose `candidates` are those of this network up
            to rounding.
        """

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename published weights to the names that they have here, and leave out what is other.

        Args:
            state: Tensors by name, of any file.
        """
        return dict(state)

    @abstractmethod
    def compile_parts(self) -> None:
        """Have the costly parts compiled at their next use, once for each shape.

        The state dict's names stay as they are, and a copy of the network is not compiled.
        """


def pad_targets(targets: Sequence[Mapping[str, Tensor]]) -> BoxTargets:
    """Pad the boxes of images to one shape.

    Args:
        targets: of each image "boxes" (N, 4) float32 px, "labels" (N,) int64 and, optionally,
            "ignore" (M, 4) float32 px.
    """
    none = targets[0]["boxes"].new_zeros((0, 4))
    return BoxTargets(
        boxes=_padded([target["boxes"] for target in targets]),
        labels=_padded([target["labels"] for target in targets]),
        ignore=_padded([target.get("ignore", none) for target in targets]),
    )


def example_targets(count: int, device: torch.device) -> BoxTargets:
    """One box of 48 px in each of `count` images, to try out whether a training step fits."""
    box = torch.tensor([[8.0, 8.0, 56.0, 56.0]], device=device)
    label = torch.ones(1, dtype=torch.int64, device=device)
    return pad_targets([{"boxes": box, "labels": label}] * count)


def _padded(rows: Sequence[Tensor]) -> Tensor:
    """(B, N, …) with zeros below the rows of each image, N a multiple of ROWS and not 0."""
    longest = max(len(own) for own in rows)
    length = max(-(-longest // ROWS), 1) * ROWS
    padded = rows[0].new_zeros((len(rows), length, *rows[0].shape[1:]))
    for image, own in zip(padded, rows, strict=True):
        image[: len(own)] = own
    return padded
