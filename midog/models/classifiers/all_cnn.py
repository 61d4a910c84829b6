"""The All-CNN: convolutions alone, of which the last of each stage halves the map."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from midog.models.classifiers.network import PatchNetwork
from midog.models.frame import Frame

Start = Literal["he", "glorot"]
"""How first weights are drawn: He et al. 2015 (arXiv:1502.01852) or Glorot and Bengio 2010."""


class AllCNN(PatchNetwork):
    """All-CNN-C (Springenberg et al. 2015, arXiv:1412.6806, table 1 and 2), for larger images.

    A stage is three convolutions of 3 x 3, the third of stride 2. The first stage has `width`
    channels and all that follows twice as many: further stages, then a convolution of 3 x 3, one of
    1 x 1, and one of 1 x 1 to the classes, whose map is averaged. Behind each but the last stands a
    ReLU. The paper has two stages for images of 32 px (1,369,738 parameters for ten classes); a
    third one serves 96 px (2,364,098 for two classes). Other than there, maps are padded by 1
    everywhere, and no ReLU cuts the logits.

    Args:
        classes: K, at least 2.
        width: Channels of the first stage.
        stages: How often the map is halved.
        dropout: Share of values that training drops behind each stage.
        input_dropout: Share of the image's values that training drops.
        norm: Whether BatchNorm stands behind the convolutions, which then have no bias.
        start: How the weights are drawn.
    """

    def __init__(
        self,
        classes: int,
        *,
        width: int = 96,
        stages: int = 3,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        norm: bool = False,
        start: Start = "he",
    ) -> None:
        super().__init__()
        assert classes >= 2, classes
        assert stages >= 1, stages
        self.smallest = 2**stages
        self.frame = Frame(multiple=1)
        layers: list[nn.Module] = [nn.Dropout(input_dropout)] if input_dropout else []
        inputs = 3
        for stage in range(stages):
            outputs = width if stage == 0 else 2 * width
            for stride in (1, 1, 2):
                layers += _convolution(inputs, outputs, 3, stride, norm)
                inputs = outputs
            layers += [nn.Dropout(dropout)] if dropout else []
        layers += _convolution(inputs, 2 * width, 3, 1, norm)
        layers += _convolution(2 * width, 2 * width, 1, 1, norm)
        self.layers = nn.Sequential(*layers)
        self.scores = nn.Conv2d(2 * width, classes, 1)
        _draw(self, start)

    def logits(self, images: Tensor) -> Tensor:
        """Score images (B, 3, H, W) float32 in [0, 1]; (B, K), before the softmax."""
        scores: Tensor = self.scores(self.layers(self.shown(images)))
        return scores.mean(dim=(2, 3))

    def compile_parts(self) -> None:
        """Have the layers compiled at their next use, once for each shape."""
        self.layers.compile(dynamic=False)


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, norm: bool
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=not norm)
    return [convolution, *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU()]


def _draw(network: AllCNN, start: Start) -> None:
    """Draw the weights; biases are 0. From He's start, logits begin near 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            if start == "glorot":
                nn.init.xavier_uniform_(layer.weight)
            elif layer is network.scores:
                nn.init.normal_(layer.weight, std=0.01)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
