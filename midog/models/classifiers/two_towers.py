"""Two towers: a place seen in detail and, half as large or less, with what surrounds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.errors import ConfigError
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.views import Images, View, views_in
from midog.models.frame import Frame


class TwoTowers(PatchNetwork):
    """Scores patches by two networks, each at a magnification of its own.

    After Liu et al. (2017, arXiv:1703.02442, section 3): a tower for each magnification, and a
    layer that sees the features of both. Both views have the same centre and as many px; the near
    one is the middle of the patch, the far one all of it, 1 / `factor` as large. Other than there,
    a tower is any classifier: what would be its scores of classes are its features, which are
    normalised and cut by a ReLU before they are joined.

    Args:
        near: Tower of the detailed view; its classes are `features`.
        far: Tower of the other one, of as many classes.
        features: Numbers that each tower gives.
        classes: K, at least 2.
        factor: How many px of the patch, along each side, a px of the far view stands for.
        dropout: Share of the joined features that training drops.
    """

    def __init__(
        self,
        near: PatchNetwork,
        far: PatchNetwork,
        features: int,
        classes: int,
        *,
        factor: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        assert classes >= 2, classes
        assert factor >= 2, factor
        self.factor, self.dropout = factor, dropout
        self.smallest = factor * max(near.smallest, far.smallest)
        self.frame = Frame(multiple=1)  # each tower shows its images by its own
        self.towers = nn.ModuleList([near, far])
        for tower in (near, far):
            tower.drop_auxiliary()
        # features begin near 0, as scores of classes do
        self.norms = nn.ModuleList(nn.LayerNorm(features) for _ in range(2))
        self.scores = nn.Linear(2 * features, classes)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.zeros_(self.scores.bias)

    def views(self, side: int) -> tuple[View, ...]:
        """Return the near and the far view; see `PatchNetwork.views`."""
        inner, rest = divmod(side, self.factor)
        if rest or (side - inner) % 2:
            multiple = 2 * self.factor
            raise ConfigError(
                f"patches of {side} px have no middle of 1 / {self.factor} of their side with whole"
                " px around it, as the near tower sees it",
                f"give patches whose side is a multiple of {multiple}",
                {"task.side": max(side // multiple, 1) * multiple},
            )
        return View(inner), View(inner, self.factor)

    def logits(self, images: Images) -> Tensor:
        """Score patches (B, 3, S, S) float32 in [0, 1], or their two views; (B, K)."""
        side = images.shape[-1] if isinstance(images, Tensor) else self.factor * _side(images)
        seen = views_in(images, self.views(side))
        towers = cast(Iterable[PatchNetwork], self.towers)
        features = [
            F.relu(norm(tower.logits(view)))
            for tower, norm, view in zip(towers, self.norms, seen, strict=True)
        ]
        joined = F.dropout(torch.cat(features, dim=1), self.dropout, self.training)
        scores: Tensor = self.scores(joined)
        return scores

    def compile_parts(self) -> None:
        """Have both towers compiled as they are on their own."""
        for tower in cast(Iterable[PatchNetwork], self.towers):
            tower.compile_parts()


def _side(views: Images) -> int:
    return int(views[0].shape[-1])
