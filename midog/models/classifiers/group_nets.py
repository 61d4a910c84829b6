"""Classifiers whose scores stay as they are when the patch is turned (p4) or mirrored too (p4m)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.models.classifiers.group_layers import (
    GroupBatchNorm,
    GroupConvolution,
    Pooling,
    halve,
    pool_slots,
)
from midog.models.classifiers.groups import Group
from midog.models.classifiers.network import PatchNetwork
from midog.models.frame import Frame


def channels_of(width: int, group: Group) -> int:
    """Channels on a group that have about as many parameters as `width` plain ones.

    A layer of C channels on a group of G elements has C * C * G filters, so C is width / sqrt(G),
    rounded: of 26, 13 for p4 and 9 for p4m.
    """
    return max(round(width / math.sqrt(len(group))), 1)


class GroupCNN(PatchNetwork):
    """The All-CNN of `all_cnn` on a group, with norms, and pooling where it strides.

    A stage is two convolutions of 3 x 3, `halve`, and a third convolution: all of the sizes of the
    All-CNN's, and exact for every side of the patch. The slots are joined behind the last map.

    Args:
        classes: K, at least 2.
        group: Under whose elements the scores stay as they are.
        width: Channels of a plain first stage; see `channels_of`. All that follows has twice that.
        stages: How often the map is halved.
        dropout: Share of values that training drops behind each stage.
        pooling: How the map is halved and how the slots are joined.
    """

    def __init__(
        self,
        classes: int,
        group: Group,
        *,
        width: int = 96,
        stages: int = 3,
        dropout: float = 0.0,
        pooling: Pooling = "mean",
    ) -> None:
        super().__init__()
        assert classes >= 2, classes
        self.group, self.dropout, self.pooling = group, dropout, pooling
        self.smallest = 2**stages
        self.frame = Frame(multiple=1)
        first, later = channels_of(width, group), channels_of(2 * width, group)
        widths = [3, first, *[later] * (stages - 1)]
        self.stages = nn.ModuleList(
            _Stage(group, widths[stage], widths[stage + 1], pooling, lifts=stage == 0)
            for stage in range(stages)
        )
        self.last = nn.Sequential(
            _convolution(group, widths[-1], later, 3), _convolution(group, later, later, 1)
        )
        self.scores = _scores(later, classes)

    def logits(self, images: Tensor) -> Tensor:
        """Score images (B, 3, H, W) float32 in [0, 1]; (B, K), before the softmax."""
        maps = self.shown(images)
        for stage in self.stages:
            maps = F.dropout(stage(maps), self.dropout, self.training)
        return _scored(self.last(maps), self.group, self.pooling, self.scores)


class GroupDenseNet(PatchNetwork):
    """The DenseNet of Veeling et al. (2018, arXiv:1806.03962) on a group.

    A convolution of 3 x 3; then blocks of BatchNorm, ReLU and a convolution of 3 x 3, whose output
    joins its input; between blocks BatchNorm, ReLU, a convolution of 1 x 1 that keeps the channels,
    and `halve` by the mean. Convolutions are not padded in the paper, and what joins is cropped.
    Last come BatchNorm, ReLU, the mean over slots and places, and one linear layer.

    The paper states 119 K parameters for p4m, but no widths. With a width of 26, as Romero et al.
    (2020, arXiv:2002.03830) rebuilt it, the layers below the last are theirs: p4m has 123,455
    parameters for two classes here, p4 129,183 and the plain net 130,600.

    Args:
        classes: K, at least 2.
        group: Under whose elements the scores stay as they are.
        width: Channels that a plain first convolution has and a block adds; see `channels_of`.
        blocks: Of one layer each.
        padded: Whether convolutions are padded, so that smaller patches do.
        dropout: Share of values that training drops behind each block's convolution.
    """

    def __init__(
        self,
        classes: int,
        group: Group,
        *,
        width: int = 26,
        blocks: int = 5,
        padded: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        assert classes >= 2, classes
        self.group, self.padded, self.dropout = group, padded, dropout
        self.smallest = _smallest(blocks, padded)
        self.frame = Frame(multiple=1)
        growth, padding = channels_of(width, group), int(padded)
        self.first = GroupConvolution(group, 3, growth, 3, lifts=True, padding=padding)
        self.layers, self.transitions = nn.ModuleList(), nn.ModuleList()
        channels = growth
        for block in range(blocks):
            if block:
                self.transitions.append(_norm_first(group, channels, channels, 1))
            self.layers.append(_norm_first(group, channels, growth, 3, padding))
            channels += growth
        self.norm = GroupBatchNorm(group, channels)
        self.scores = _scores(channels, classes)

    def logits(self, images: Tensor) -> Tensor:
        """Score images (B, 3, H, W) float32 in [0, 1]; (B, K), before the softmax."""
        maps = self.first(self.shown(images))
        for block, layer in enumerate(self.layers):
            if block:
                maps = halve(self.transitions[block - 1](maps), "mean")
            grown = F.dropout(layer(maps), self.dropout, self.training)
            kept = maps if self.padded else maps[..., 1:-1, 1:-1]
            maps = torch.cat([kept, grown], dim=1)
        return _scored(F.relu(self.norm(maps)), self.group, "mean", self.scores)


class _Stage(nn.Module):
    """Two convolutions, the map halved, and a third convolution."""

    def __init__(
        self, group: Group, inputs: int, outputs: int, pooling: Pooling, *, lifts: bool
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.before = nn.Sequential(
            _convolution(group, inputs, outputs, 3, lifts=lifts),
            _convolution(group, outputs, outputs, 3),
        )
        self.after = _convolution(group, outputs, outputs, 3)

    def forward(self, maps: Tensor) -> Tensor:
        halved: Tensor = self.after(halve(self.before(maps), self.pooling))
        return halved


def _convolution(
    group: Group, inputs: int, outputs: int, kernel: int, *, lifts: bool = False
) -> nn.Sequential:
    return nn.Sequential(
        GroupConvolution(group, inputs, outputs, kernel, lifts=lifts, padding=kernel // 2),
        GroupBatchNorm(group, outputs),
        nn.ReLU(),
    )


def _norm_first(
    group: Group, inputs: int, outputs: int, kernel: int, padding: int = 0
) -> nn.Sequential:
    return nn.Sequential(
        GroupBatchNorm(group, inputs),
        nn.ReLU(),
        GroupConvolution(group, inputs, outputs, kernel, padding=padding),
    )


def _scores(channels: int, classes: int) -> nn.Linear:
    layer = nn.Linear(channels, classes)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


def _scored(maps: Tensor, group: Group, pooling: Pooling, scores: nn.Linear) -> Tensor:
    """Logits (B, K) of maps (B, C * G, H, W) on a group."""
    logits: Tensor = scores(pool_slots(maps, group, pooling).mean(dim=(2, 3)))
    return logits


def _smallest(blocks: int, padded: bool) -> int:
    """Least side of a patch of which the last map has a place."""
    if padded:
        return 1 << (blocks - 1)
    side = 1
    for _ in range(blocks - 1):
        side = 2 * (side + 2) - 1  # halving rounds up
    return side + 4
