"""ResNets as backbones: the frozen stages keep their BatchNorm statistics too."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock

from midog.models.protocol import Backbone

_STAGES_FROM_TOP = (("layer4",), ("layer3",), ("layer2",), ("layer1",), ("conv1", "bn1"))


class ResNetBody(Backbone):
    """A ResNet (He et al. 2016, arXiv:1512.03385) up to the last stage that is asked for.

    Parameters bear torchvision's names; later stages are not built.

    Args:
        make: torchvision's function of a ResNet with random weights, such as `resnet50`.
        unfrozen_layers: 0 to 5, how many stages learn, counted as torchvision does: layer4, layer3,
            layer2, layer1, then conv1 with bn1. layer4 counts also where it is not built.
        maps: 1 to 3, how many maps are returned: of layer2 (stride 8), layer3, layer4.
    """

    def __init__(self, make: Callable[[], ResNet], unfrozen_layers: int, maps: int) -> None:
        super().__init__()
        assert 0 <= unfrozen_layers <= len(_STAGES_FROM_TOP), unfrozen_layers
        assert 1 <= maps <= 3, maps
        resnet = make()
        self.conv1, self.bn1 = resnet.conv1, resnet.bn1
        self.relu, self.maxpool = resnet.relu, resnet.maxpool
        self.layer1 = resnet.layer1
        self.returned = ("layer2", "layer3", "layer4")[:maps]
        for name in self.returned:
            self.add_module(name, getattr(resnet, name))
        widest = resnet.fc.in_features
        self.channels = (widest // 4, widest // 2, widest)[:maps]
        self.frozen = [
            name
            for stage in _STAGES_FROM_TOP[unfrozen_layers:]
            for name in stage
            if hasattr(self, name)
        ]
        for name in self.frozen:
            getattr(self, name).requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> ResNetBody:
        """Set the mode as nn.Module does, but leave frozen stages in eval mode."""
        super().train(mode)
        for name in self.frozen:
            getattr(self, name).eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of strides 8, 16, 32, as many as asked for; see `Backbone`."""
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(images)))))
        maps = []
        for name in self.returned:
            x = getattr(self, name)(x)
            maps.append(x)
        return maps


def resnet10(width: int = 64) -> ResNet:
    """Build a ResNet of one basic block in each stage, with random weights.

    Parameters bear torchvision's names and are drawn as torchvision draws them.

    Args:
        width: channels of the first stage, 64 in other ResNets; each further stage has twice as
            many.
    """
    resnet = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=1)
    if width == resnet.bn1.num_features:
        return resnet
    resnet.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    resnet.bn1 = nn.BatchNorm2d(width)
    resnet.layer1 = nn.Sequential(BasicBlock(width, width))
    resnet.layer2, resnet.layer3, resnet.layer4 = (
        nn.Sequential(_halving(width * 2**stage)) for stage in range(3)
    )
    resnet.fc = nn.Linear(width * 8, 1)
    for layer in resnet.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return resnet


def _halving(inputs: int) -> BasicBlock:
    """A block that halves the map's sides and doubles its channels."""
    outputs = 2 * inputs
    shortcut = nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=2, bias=False), nn.BatchNorm2d(outputs)
    )
    return BasicBlock(inputs, outputs, 2, shortcut)
