"""ResNet feature pyramids: the stages that do not learn are frozen together with their BatchNorm
statistics."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models import ResNet, resnet18, resnet34, resnet50
from torchvision.ops.feature_pyramid_network import (
    ExtraFPNBlock,
    FeaturePyramidNetwork,
    LastLevelP6P7,
)

BACKBONES: dict[str, Callable[[], ResNet]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
}
TORCHVISION_CHANNELS = 256
MAX_LEVELS = 5

_STAGES_FROM_TOP = (("layer4",), ("layer3",), ("layer2",), ("layer1",), ("conv1", "bn1"))


class ResNetBody(nn.Module):
    """A ResNet up to the last stage that is asked for; parameters bear torchvision's names.

    returned: the stages whose output is returned, a run of layer2, layer3, layer4; later ones are
    not built.
    unfrozen_layers: 0 to 5, how many stages learn, counted as torchvision does: layer4, layer3,
    layer2, layer1, then conv1 with bn1. layer4 counts also where it is not built.
    """

    def __init__(self, resnet: ResNet, returned: tuple[str, ...], unfrozen_layers: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu, self.maxpool = (
            resnet.conv1,
            resnet.bn1,
            resnet.relu,
            resnet.maxpool,
        )
        self.layer1 = resnet.layer1
        for name in returned:
            self.add_module(name, getattr(resnet, name))
        self.returned = returned
        self.frozen = [
            n for stage in _STAGES_FROM_TOP[unfrozen_layers:] for n in stage if hasattr(self, n)
        ]
        for name in self.frozen:
            getattr(self, name).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> ResNetBody:
        """As nn.Module does, but frozen stages stay in eval mode, so that their BatchNorm
        statistics keep still."""
        super().train(mode)
        for name in self.frozen:
            getattr(self, name).eval()
        return self

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Feature maps by stage name, finest first, of images (B, 3, H, W) float."""
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        features = OrderedDict()
        for name in self.returned:
            x = getattr(self, name)(x)
            features[name] = x
        return features


class LastLevelP6(ExtraFPNBlock):  # type: ignore[misc]  # torchvision is untyped
    """P6 alone, of C5: torchvision's LastLevelP6P7 without its P7."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1)
        nn.init.kaiming_uniform_(self.p6.weight, a=1)
        assert self.p6.bias is not None
        nn.init.zeros_(self.p6.bias)

    def forward(
        self, p: list[Tensor], c: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        return [*p, self.p6(c[-1])], [*names, "p6"]


class ResNetPyramid(nn.Module):
    """A ResNet with a feature pyramid (Lin et al. 2017, arXiv:1612.03144) from P3 (stride 8) up.

    name: a key of BACKBONES; its weights are random, see midog.models.weights.
    levels: 1 to 5, how many maps from P3 up. Stages above the last map are not built: layer4 is
    needed from 3 on. P6 and P7 are strided convolutions of C5, as in torchvision's
    retinanet_resnet50_fpn_v2, whose names are kept.
    unfrozen_layers: 0 to 5, see ResNetBody. The pyramid itself always learns.
    channels: of every map.
    """

    def __init__(
        self,
        name: str,
        levels: int = MAX_LEVELS,
        unfrozen_layers: int = 5,
        channels: int = TORCHVISION_CHANNELS,
    ) -> None:
        super().__init__()
        assert 1 <= levels <= MAX_LEVELS, levels
        assert 0 <= unfrozen_layers <= len(_STAGES_FROM_TOP), unfrozen_layers
        resnet = BACKBONES[name]()
        c5 = resnet.fc.in_features
        stages = {"layer2": c5 // 4, "layer3": c5 // 2, "layer4": c5}
        returned = tuple(stages)[:levels]
        extra: dict[int, Callable[[int, int], nn.Module]] = {4: LastLevelP6, 5: LastLevelP6P7}
        self.body = ResNetBody(resnet, returned, unfrozen_layers)
        self.fpn = FeaturePyramidNetwork(
            [stages[stage] for stage in returned],
            channels,
            extra_blocks=extra[levels](c5, channels) if levels in extra else None,
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps (B, channels, H / 8, W / 8), … / 16, … of images (B, 3, H, W) float, sides rounded
        up."""
        return list(self.fpn(self.body(images)).values())
