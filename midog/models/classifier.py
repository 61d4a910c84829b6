"""A classifier of crops: a backbone of the registry, its last map averaged, one linear layer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.models.frame import Frame
from midog.models.protocol import Backbone


class Classifier(nn.Module):
    """Scores the classes of images of one size.

    Args:
        body: Maps of an image; the coarsest one is used.
        classes: K, at least 2.
    """

    body_name = "body"

    def __init__(self, body: Backbone, classes: int = 2) -> None:
        super().__init__()
        assert classes >= 2, classes
        self.frame = Frame(mean=body.mean, sd=body.sd)
        self.body = body
        self.head = nn.Linear(body.channels[-1], classes)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses, in train and in eval mode alike.

        Args:
            images: (B, 3, H, W) float32 in [0, 1].
            labels: (B,) int64, 0 to K - 1.

        Returns:
            The mean cross-entropy under "classification", float32.
        """
        return {"classification": F.cross_entropy(self.logits(images).float(), labels)}

    def logits(self, images: Tensor) -> Tensor:
        """Score images (B, 3, H, W) float32 in [0, 1]; (B, K), before the softmax."""
        maps: list[Tensor] = self.body(self.frame(images).images)
        scores: Tensor = self.head(maps[-1].mean(dim=(2, 3)))
        return scores

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take a file's tensors by the names that they have; see `DetectionNetwork.own_names`."""
        return dict(state)

    def for_inference(self) -> Self:
        """Copy the network, which stays as it is: in eval mode, float32, without gradients."""
        return copy.deepcopy(self).eval().requires_grad_(False).float()

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
