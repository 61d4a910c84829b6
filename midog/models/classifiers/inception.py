"""Inception-v3 of torchvision as a classifier of patches: fixed up to a layer, of any width."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import inception as torchvisions

from midog.models.classifiers.network import Loss, PatchNetwork
from midog.models.frame import Frame

SIXTEENTHS = 16
"""Every number of channels in Inception-v3 is a multiple of this."""

_AUXILIARY_WEIGHT = 0.3  # Szegedy et al. 2015 (arXiv:1409.4842), section 5
_AUXILIARY = "AuxLogits"
_AUXILIARY_BEHIND = "Mixed_6e"
_AUXILIARY_SIDE = 17  # of the map that torchvision's auxiliary head is made for


class InceptionV3(PatchNetwork):
    """Scores patches by Inception-v3 (Szegedy et al. 2016, arXiv:1512.00567).

    Layers bear torchvision's names. In training, an auxiliary head behind Mixed_6e adds 0.3 of its
    own loss, so that the layers below learn from near by; of patches under 299 px, its pooling is
    adapted. Patches are normalised to [-1, 1], as the published weights want them.

    Args:
        classes: K, at least 2.
        sixteenths: Channels of every layer, in sixteenths of Inception-v3's: 1 to 16. Liu et al.
            (2017, arXiv:1703.02442) found 3 % of the parameters as good; 3 / 16 have 3.5 %.
        freeze_until: Name of the first layer that learns. Those before it keep their weights and
            their BatchNorm's statistics; with "fc", all features are fixed. Where no layer in front
            of the auxiliary head learns, there is none.
        dropout: Share of the last features that training drops.
    """

    body_name = "net"
    smallest = 75

    def __init__(
        self,
        classes: int,
        *,
        sixteenths: int = SIXTEENTHS,
        freeze_until: str = "Conv2d_1a_3x3",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        assert classes >= 2, classes
        assert 1 <= sixteenths <= SIXTEENTHS, sixteenths
        self.frame = Frame(multiple=1, mean=(0.5, 0.5, 0.5), sd=(0.5, 0.5, 0.5))
        net = _inception(classes, sixteenths, dropout)
        order = [name for name, _ in net.named_children() if name != _AUXILIARY]
        assert freeze_until in order, freeze_until
        self.frozen = order[: order.index(freeze_until)]
        self.net = net
        if _AUXILIARY_BEHIND in self.frozen:
            self.drop_auxiliary()
        _draw(net)
        for name in self.frozen:
            net.get_submodule(name).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> InceptionV3:
        """Set the mode as nn.Module does, but leave frozen layers in eval mode."""
        super().train(mode)
        for name in self.frozen:
            self.net.get_submodule(name).eval()
        return self

    def forward(
        self, images: Tensor, labels: Tensor, loss: Loss = F.cross_entropy
    ) -> dict[str, Tensor]:
        """Compute the losses; in training there is a part "auxiliary". See `PatchNetwork`."""
        logits, auxiliary = self._both(images)
        losses = {"classification": loss(logits.float(), labels)}
        if auxiliary is not None:
            losses["auxiliary"] = _AUXILIARY_WEIGHT * loss(auxiliary.float(), labels)
        return losses

    def logits(self, images: Tensor) -> Tensor:
        """Score images (B, 3, H, W) float32 in [0, 1]; (B, K), before the softmax."""
        return self._both(images)[0]

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Leave out of a file's tensors the heads that are of other classes."""
        own = self.net.state_dict()
        left_out = []
        for head in (f"{_AUXILIARY}.", "fc."):
            last = f"{_AUXILIARY}.fc.weight" if head != "fc." else "fc.weight"
            for name in (last, f"{self.body_name}.{last}"):
                fits = name not in state or last not in own or state[name].shape == own[last].shape
                left_out += [] if fits else [head, f"{self.body_name}.{head}"]
        return {
            name: value for name, value in state.items() if not name.startswith(tuple(left_out))
        }

    def drop_auxiliary(self) -> None:
        """Do without the auxiliary head."""
        self.net.AuxLogits, self.net.aux_logits = None, False

    def compile_parts(self) -> None:
        """Have the layers compiled at their next use, once for each shape."""
        self.net.compile(dynamic=False)

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits of the last layer, and in training those of the auxiliary head."""
        scored: Any = self.net(self.shown(images))
        if isinstance(scored, Tensor):
            return scored, None
        return scored.logits, scored.aux_logits


class _Auxiliary(nn.Module):
    """torchvision's auxiliary head, layer by layer, also for maps of under 17 x 17."""

    def __init__(self, inputs: int, classes: int, conv_block: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.conv0 = conv_block(inputs, 128, kernel_size=1)
        self.conv1 = conv_block(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Score maps (B, C, h, w)."""
        if min(x.shape[-2:]) >= _AUXILIARY_SIDE:
            pooled = F.avg_pool2d(x, kernel_size=5, stride=3)
        else:
            pooled = F.adaptive_avg_pool2d(x, 5)
        features = F.adaptive_avg_pool2d(self.conv1(self.conv0(pooled)), 1).flatten(1)
        scores: Tensor = self.fc(features)
        return scores


def _inception(classes: int, sixteenths: int, dropout: float) -> torchvisions.Inception3:
    """torchvision's network with a share of its channels."""

    def share(channels: int) -> int:
        return channels * sixteenths // SIXTEENTHS

    def convolution(inputs: int, outputs: int, **shape: Any) -> nn.Module:
        inputs = inputs if inputs == 3 else share(inputs)  # the image keeps its colours
        layer: nn.Module = torchvisions.BasicConv2d(inputs, share(outputs), **shape)
        return layer

    blocks = (
        torchvisions.InceptionA,
        torchvisions.InceptionB,
        torchvisions.InceptionC,
        torchvisions.InceptionD,
        torchvisions.InceptionE,
        _Auxiliary,
    )
    net = torchvisions.Inception3(
        classes,
        inception_blocks=[
            convolution,
            *(partial(block, conv_block=convolution) for block in blocks),
        ],
        init_weights=False,
        dropout=dropout,
    )
    net.fc = nn.Linear(share(net.fc.in_features), classes)
    assert isinstance(net.AuxLogits, _Auxiliary)
    net.AuxLogits.fc = nn.Linear(share(net.AuxLogits.fc.in_features), classes)
    return net


def _draw(net: nn.Module) -> None:
    """Draw convolutions after He et al. 2015 (arXiv:1502.01852), and logits near 0."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
