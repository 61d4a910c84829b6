"""A U-Net of places: a map of tumour at each of its views, and a score of the place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.errors import ConfigError
from midog.models.classifiers.mask_losses import MaskTerms, mask_losses
from midog.models.classifiers.network import Loss, PatchNetwork
from midog.models.classifiers.views import Images, View, views_in
from midog.models.frame import Frame
from midog.models.unet import Expanding, two_convolutions

DOWNSAMPLES: dict[int, tuple[int, ...]] = {1: (1,), 3: (1, 4, 16)}
"""By the number of inputs: 256, 64 and 16 px of one place are three views of one field."""

_TIMES = (1, 2, 4, 8, 8, 8)
"""Channels at strides 1 to 32, in multiples of the width."""


class PlaceUNet(PatchNetwork):
    """Scores every px of a place, at one or three magnifications, and the place as a whole.

    The U-Net of Ronneberger et al. (2015, arXiv:1505.04597), whose contracting path is met by a
    further view wherever its map has come to the view's size, and whose expanding path gives a map
    of tumour at each of these sizes. All views show the same field. The coarsest map, averaged, is
    scored as a whole; that score is what a classifier of patches gives.

    Args:
        classes: K, at least 2: of the whole place; the maps are of the last class.
        inputs: 1 or 3 views.
        width: Channels at the finest px.
        dropout: Share of the averaged coarsest map that training drops.
    """

    needs_masks = True
    smallest = 32

    def __init__(
        self,
        classes: int,
        *,
        inputs: Literal[1, 3] = 3,
        width: int = 16,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        assert classes >= 2, classes
        self.downsamples, self.dropout = DOWNSAMPLES[inputs], dropout
        self.frame = Frame(multiple=1)
        widths = [width * times for times in _TIMES]
        self.entries = nn.ModuleDict()
        self.levels = nn.ModuleList()
        before = 3
        for level, own in enumerate(widths):
            if level and 2**level in self.downsamples:
                self.entries[str(level)] = two_convolutions(3, own)
                before += own
            self.levels.append(two_convolutions(before, own))
            before = own
        self.expanding = Expanding(widths, widths[:-1])
        self.map_scores = nn.ModuleList(
            nn.Conv2d(widths[downsample.bit_length() - 1], 1, 1) for downsample in self.downsamples
        )
        self.scores = nn.Linear(widths[-1], classes)
        for layer in (*self.map_scores, self.scores):
            assert isinstance(layer, nn.Conv2d | nn.Linear)
            assert layer.bias is not None
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def views(self, side: int) -> tuple[View, ...]:
        """Return the views, which show one field; see `PatchNetwork.views`."""
        coarsest = self.downsamples[-1]
        if side % coarsest:
            raise ConfigError(
                f"patches of {side} px are no whole number of px at 1 / {coarsest}",
                f"give patches whose side is a multiple of {coarsest}",
                {"task.side": max(side // coarsest, 2) * coarsest},
            )
        return tuple(View(side // own, own) for own in self.downsamples)

    def forward(
        self,
        images: Images,
        labels: Tensor,
        loss: Loss = F.cross_entropy,
        masks: Tensor | None = None,
        terms: MaskTerms = MaskTerms(),
    ) -> dict[str, Tensor]:
        """Compute the losses; see `PatchNetwork`.

        Args:
            images, labels, loss: As there.
            masks: (B, S, S), 0 or 1, of the finest view; None: maps are not scored.
            terms: How maps count against masks.

        Returns:
            The four terms of three inputs weigh alike: that of the place, and one for each map,
            whose px count as the area for which they stand; as many times a half for one input.
        """
        logits, maps = self._both(images)
        losses = {"classification": loss(logits.float(), labels)}
        if masks is not None:
            losses |= mask_losses(maps, masks, terms)
        return {name: term / (1 + len(self.downsamples)) for name, term in losses.items()}

    def logits(self, images: Images) -> Tensor:
        """Score places (B, 3, S, S) float32 in [0, 1], or their views; (B, K)."""
        return self._both(images)[0]

    def maps(self, images: Images) -> tuple[Tensor, ...]:
        """Score every px of places, given as to `logits`.

        Returns:
            (B, 1, s, s) float32 log odds of the last class, for each view.
        """
        return tuple(self._both(images)[1])

    def compile_parts(self) -> None:
        """Have the levels and the expanding path compiled at their next use."""
        for part in (*self.levels, *self.entries.values(), self.expanding):
            part.compile(dynamic=False)

    def _both(self, images: Images) -> tuple[Tensor, Sequence[Tensor]]:
        """Scores of places and of their px."""
        first = images if isinstance(images, Tensor) else images[0]
        seen = views_in(images, self.views(first.shape[-1]))
        later = dict(zip(self.entries, seen[1:], strict=True))
        maps: list[Tensor] = []
        for level, convolutions in enumerate(self.levels):
            inputs = F.max_pool2d(maps[-1], 2) if maps else self.shown(seen[0])
            if str(level) in later:
                entered = self.entries[str(level)](self.frame(later[str(level)]).images)
                inputs = torch.cat([inputs, entered], dim=1)
            maps.append(convolutions(inputs))
        whole = F.dropout(maps[-1].mean(dim=(2, 3)), self.dropout, self.training)
        joined = self.expanding.every(maps)
        scored = [
            scores(joined[downsample.bit_length() - 1]).float()
            for scores, downsample in zip(self.map_scores, self.downsamples, strict=True)
        ]
        return self.scores(whole), scored
