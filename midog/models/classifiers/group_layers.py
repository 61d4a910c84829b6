"""Layers on the groups of the pixel grid: when their input is moved, their output moves exactly.

Maps on a group are (B, C * G, H, W): each of C channels has a slot for each of G elements, one
behind the other, so that all that works place by place (ReLU, pooling, concatenation) is that of
plain maps. Moved maps are those of `Group.move_maps`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.errors import ConfigError
from midog.models.classifiers.groups import Group

Pooling = Literal["mean", "max"]


class GroupConvolution(nn.Module):
    """A convolution on the group (Cohen and Welling 2016, arXiv:1602.07576, equations 10 and 11).

    Filters are stored once and moved by every element through a table of indices. Weights are drawn
    after He et al. (2015, arXiv:1502.01852): the fan-in counts the slots of the input.

    Args:
        group: Of the output, and of the input unless it lifts.
        inputs: Channels of the input.
        outputs: Channels of the output, each of G slots.
        kernel: Side of the filters.
        lifts: Whether the input is plain maps (B, inputs, H, W).
        stride: Of the output, px of the input.
        padding: Of zeros on every side.
        bias: Whether each output channel, in all its slots, has a bias.
    """

    table: Tensor

    def __init__(
        self,
        group: Group,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        lifts: bool = False,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.group, self.inputs, self.outputs, self.kernel = group, inputs, outputs, kernel
        self.stride, self.padding = stride, padding
        self.slots = 1 if lifts else len(group)
        # of rank 3: whatever stores 4-dimensional weights in another order leaves these as they are
        self.weight = nn.Parameter(torch.empty(outputs, inputs, self.slots * kernel**2))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.register_buffer("table", group.filter_table(kernel, lifts=lifts), persistent=False)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def filters(self) -> Tensor:
        """Move the stored filters: (outputs * G, inputs * slots, k, k), as conv2d takes them."""
        count, places = self.table.shape
        moved = self.weight.index_select(2, self.table.flatten())
        moved = moved.view(self.outputs, self.inputs, count, places).transpose(1, 2)
        shape = (self.outputs * count, self.inputs * self.slots, self.kernel, self.kernel)
        return moved.reshape(shape)

    def forward(self, maps: Tensor) -> Tensor:
        """Filter maps (B, inputs * slots, H, W); (B, outputs * G, H', W').

        Raises:
            ConfigError: The stride leaves out pixels at the right or at the bottom. A turn would
                have others left out, and the output would be another one.
        """
        for side in maps.shape[-2:]:
            if (side + 2 * self.padding - self.kernel) % self.stride:
                raise ConfigError(
                    f"a {self.group.name} convolution of {self.kernel} px and stride {self.stride}"
                    f" does not turn with a map whose side is {side}, with {self.padding} px of"
                    " padding: filters at that stride leave pixels over at one end",
                    "choose a kernel and a side that are both even or both odd, or stride 1"
                    " before `halve`",
                )
        bias = None if self.bias is None else self.bias.repeat_interleave(len(self.group))
        return F.conv2d(maps, self.filters(), bias, self.stride, self.padding)


class GroupBatchNorm(nn.Module):
    """BatchNorm whose statistics, weight and bias are shared by all slots of a channel.

    Args:
        group: Of the maps.
        channels: C.
    """

    def __init__(self, group: Group, channels: int) -> None:
        super().__init__()
        self.group = group
        # a part and no base class: training with several processes replaces what is a BatchNorm
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps (B, C * G, H, W)."""
        batch, _, height, width = maps.shape
        shared = maps.reshape(batch, -1, len(self.group) * height, width)
        normalised: Tensor = self.norm(shared)
        return normalised.reshape(maps.shape)


def pool_slots(maps: Tensor, group: Group, how: Pooling) -> Tensor:
    """Join the slots of each channel: maps (B, C * G, H, W) on the group to plain (B, C, H, W).

    The result turns with the image, and a mean over it is the same for all of its orientations.
    """
    slotted = maps.view(len(maps), -1, len(group), *maps.shape[2:])
    return slotted.mean(dim=2) if how == "mean" else slotted.amax(dim=2)


def halve(maps: Tensor, how: Pooling) -> Tensor:
    """Halve the sides of maps (B, C, H, W), rounding up, so that the result turns with the maps.

    A side that is even is cut into windows of 2; of one that is odd, windows of 3 stand about
    every second place, and what of them is outside does not count.
    """
    windows = [2 if side % 2 == 0 else 3 for side in maps.shape[-2:]]
    outside = [window // 3 for window in windows]
    if how == "max":
        return F.max_pool2d(maps, windows, stride=2, padding=outside)
    return F.avg_pool2d(maps, windows, stride=2, padding=outside, count_include_pad=False)
