"""A classifier of crops: a backbone of the registry, its last map averaged, one linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.models.classifiers.network import PatchNetwork
from midog.models.frame import Frame
from midog.models.protocol import Backbone


class Classifier(PatchNetwork):
    """Scores the classes of images of one size.

    Args:
        body: Maps of an image; the coarsest one is used.
        classes: K, at least 2.
        dropout: Share of the averaged map's values that training drops.
    """

    body_name = "body"

    def __init__(self, body: Backbone, classes: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        assert classes >= 2, classes
        self.frame = Frame(mean=body.mean, sd=body.sd)
        self.body = body
        self.dropout = dropout
        self.head = nn.Linear(body.channels[-1], classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def logits(self, images: Tensor) -> Tensor:
        """Score images (B, 3, H, W) float32 in [0, 1]; (B, K), before the softmax."""
        maps: list[Tensor] = self.body(self.shown(images))
        averaged = maps[-1].mean(dim=(2, 3))
        scores: Tensor = self.head(F.dropout(averaged, self.dropout, self.training))
        return scores

    def compile_parts(self) -> None:
        """Have the body compiled at its next use, once for each shape."""
        self.body.compile(dynamic=False)


def log_odds(logits: Tensor) -> Tensor:
    """Return log(p / (1 - p)) of the last of K classes.

    Args:
        logits: (B, K), before the softmax.

    Returns:
        (B,) float32.
    """
    scores = logits.float()
    return scores[:, -1] - torch.logsumexp(scores[:, :-1], dim=1)
