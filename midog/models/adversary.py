"""A domain classifier that a detector learns to mislead, by gradient reversal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from midog.models.protocol import BoxTargets, DetectionNetwork

WIDTH = 64
"""Channels of the classifier's own layers."""


def reverse_gradient(maps: Tensor, strength: float) -> Tensor:
    """Return the maps as they are; their gradient comes back times -strength.

    The gradient reversal layer of Ganin and Lempitsky (2015), arXiv:1409.7495, equations 11 and 12.

    Args:
        maps: Any shape.
        strength: lambda, 0 or more.
    """
    reversed_: Tensor = _Reversal.apply(maps, strength)
    return reversed_


def strength_at(progress: float, highest: float, gamma: float) -> float:
    """Return lambda at some point of a training, as Ganin and Lempitsky (2015) let it rise.

    highest * (2 / (1 + exp(-gamma * progress)) - 1): 0 at the beginning, as a classifier that has
    learned nothing has nothing to say.

    Args:
        progress: Share of the training that is done, in [0, 1].
        highest: What it rises to (1 in the paper).
        gamma: How fast (10 in the paper); 0: it stays 0.
    """
    return highest * (2 / (1 + math.exp(-gamma * progress)) - 1)


class DomainClassifier(nn.Module):
    """Says which domain an image is of by the maps of a detector's body.

    Every map is mixed by a 1x1 convolution and averaged over the image; two layers classify the
    averages of all maps together.

    Args:
        channels: Of the maps.
        domains: How many there are, 2 or more.
    """

    def __init__(self, channels: Sequence[int], domains: int) -> None:
        super().__init__()
        self.mix = nn.ModuleList(nn.Conv2d(count, WIDTH, kernel_size=1) for count in channels)
        self.hidden = nn.Linear(WIDTH * len(self.mix), WIDTH)
        self.logits = nn.Linear(WIDTH, domains)

    def forward(self, maps: Sequence[Tensor], strength: float) -> Tensor:
        """Compute the logits.

        Args:
            maps: (B, C, h, w) each; what is below them gets the gradient times -strength.
            strength: lambda.

        Returns:
            (B, domains) float32.
        """
        pooled = [
            mix(reverse_gradient(own, strength)).relu().mean(dim=(2, 3))
            for mix, own in zip(self.mix, maps, strict=True)
        ]
        logits: Tensor = self.logits(self.hidden(torch.cat(pooled, dim=1)).relu())
        return logits.float()


class AdversarialNetwork(nn.Module):
    """A detector, and the classifier that it learns to mislead.

    As a reference of the MIDOG challenge 2021 has it (Wilm, Breininger and Aubreville,
    arXiv:2108.11269), on `DetectionNetwork.features` of any detector.

    Args:
        detector: It is exported alone.
        domains: How many there are, 2 or more.
    """

    def __init__(self, detector: DetectionNetwork, domains: int) -> None:
        super().__init__()
        self.detector = detector
        self.classifier = DomainClassifier(feature_channels(detector), domains)

    def forward(
        self,
        images: Tensor,
        targets: BoxTargets,
        others: Tensor | None,
        domains: Tensor,
        strength: float,
    ) -> dict[str, Tensor]:
        """Compute the detector's losses of the labelled images, and "domain" of all images.

        Args:
            images: (B, 3, H, W) float32 in [0, 1], labelled.
            targets: Their true boxes.
            others: (U, 3, H, W), unlabelled; None: there are none.
            domains: (B + U,) int64 of `images` and then of `others`.
            strength: lambda: how much the detector's layers gain from misleading the classifier.
        """
        losses: dict[str, Tensor] = self.detector(images, targets)
        every = images if others is None else torch.cat([images, others])
        logits = self.classifier(self.detector.features(every), strength)
        return {**losses, "domain": functional.cross_entropy(logits, domains)}

    def domain_logits(self, images: Tensor) -> Tensor:
        """Compute the classifier's logits (B, domains) of images (B, 3, H, W) in [0, 1]."""
        logits: Tensor = self.classifier(self.detector.features(images), 0.0)
        return logits


@torch.no_grad()
def feature_channels(network: DetectionNetwork) -> list[int]:
    """Return the channels of a network's `features`, tried on a black image; its mode stays."""
    training = network.training
    channels = [own.shape[1] for own in network.eval().features(torch.zeros(1, 3, 64, 64))]
    network.train(training)
    return channels


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return maps.view_as(maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradient, None
