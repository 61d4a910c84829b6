"""What every classifier of patches offers, and the tensors that go in and out."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from torch import Tensor, nn
from torch.nn import functional as F

from midog.errors import ConfigError
from midog.models.classifiers.views import View
from midog.models.frame import Frame

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits (B, K) float32 and labels (B,) int64 to a scalar float32."""


class PatchNetwork(nn.Module, ABC):
    """A network that scores the classes of whole patches.

    Patches are (B, 3, S, S) float32 RGB in [0, 1]. How they are normalised and padded is the
    network's own business, as it is a detector's. A network that looks at several magnifications
    names them in `views`; it takes the views one by one, or cuts them from the patch.

    Attributes:
        frame: How images are shown to the layers.
        body_name: Dotted name of the submodule that is a backbone of the registry, which weights of
            a classifier fill; empty where there is none.
        smallest: Least side S of a patch, px.
        needs_masks: Whether it learns masks as well; `forward` takes them and their terms then, and
            `maps` scores every px.
    """

    frame: Frame
    body_name: ClassVar[str] = ""
    smallest: int = 1
    needs_masks: ClassVar[bool] = False

    def forward(
        self, images: Any, labels: Tensor, loss: Loss = F.cross_entropy
    ) -> dict[str, Tensor]:
        """Compute the losses, in train and in eval mode alike.

        Args:
            images: (B, 3, S, S) float32 in [0, 1], or one such for each of `views`.
            labels: (B,) int64, 0 to K - 1.
            loss: Of logits and labels, such as a focal loss or one that weighs the classes.

        Returns:
            A scalar float32 by the name of the part; training minimises their sum. The part
            "classification" is that of `logits`.
        """
        return {"classification": loss(self.logits(images).float(), labels)}

    @abstractmethod
    def logits(self, images: Any) -> Tensor:
        """Score images (B, 3, S, S) float32 in [0, 1]; (B, K), before the softmax.

        A network of several views takes `Images`.
        """

    def views(self, side: int) -> tuple[View, ...]:
        """Return what is seen of patches of `side` px, the first in the most detail.

        Raises:
            ConfigError: It has no views of such patches.
        """
        return (View(side),)

    def shown(self, images: Tensor) -> Tensor:
        """Show images (B, 3, S, S) to the layers.

        Raises:
            ConfigError: They are smaller than `smallest`.
        """
        side = min(images.shape[-2:])
        if side < self.smallest:
            raise ConfigError(
                f"patches of {side} px are too small for this classifier, whose last map would be"
                f" empty under {self.smallest} px",
                "use larger patches, or a classifier that halves its maps less often",
            )
        framed: Tensor = self.frame(images).images
        return framed

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take a file's tensors by the names that they have; see `DetectionNetwork.own_names`."""
        return dict(state)

    def for_inference(self) -> Self:
        """Copy the network, which stays as it is: in eval mode, float32, without gradients."""
        return copy.deepcopy(self).eval().requires_grad_(False).float()

    def drop_auxiliary(self) -> None:
        """Do without heads that help training alone, where this network is part of another one."""

    def compile_parts(self) -> None:
        """Have the costly parts compiled at their next use, once for each shape."""
        self.compile(dynamic=False)
