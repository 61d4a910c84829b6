"""A detector built from a config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode
from torchvision.models import ResNet, resnet18, resnet34, resnet50

from midog.config.schema import RunConfig
from midog.models.backbones import ResNetBody
from midog.models.protocol import DetectionNetwork
from midog.models.pyramid import BACKBONE_LEVELS
from midog.models.registry import ResNetSettings, RetinaNetSettings
from midog.models.retinanet import RetinaNet
from midog.models.weights import load_weights


def num_classes(config: RunConfig) -> int:
    """Foreground classes: 2 where imposters are a class of their own, else 1."""
    return 2 if config.sampling.imposters == "second_class" else 1


def build_model(config: RunConfig, *, pretrained: bool = True) -> DetectionNetwork:
    """The detector of config.model, on the CPU in train mode; what is random comes from torch's
    global generator.

    pretrained: load config.model.weights; False builds the architecture alone and fetches nothing.
    Raises WeightsError where the weights cannot be had or do not fit.
    """
    model = MODELS[config.model.kind](config)
    if pretrained:
        load_weights(model, config.model.weights, config.model.backbone.kind)
    return model


def without_first_weights() -> TorchFunctionMode:
    """A context in which networks are built without drawing weights, as all will be loaded.

    Their weights are whatever the memory held; no random number is drawn.
    """
    return _NoDraws()


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Numbers of parameters that learn, and of all parameters; buffers are not counted."""
    learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return learning, sum(parameter.numel() for parameter in model.parameters())


class _NoDraws(TorchFunctionMode):
    """Takes the calls that draw, of torch.nn.init or of a tensor, and returns the tensor as is."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in ("normal_", "uniform_", "kaiming_uniform_"):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


RESNETS: dict[str, Callable[[], ResNet]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
}


def _retinanet(config: RunConfig) -> DetectionNetwork:
    model = config.model
    assert isinstance(model, RetinaNetSettings)
    assert isinstance(model.backbone, ResNetSettings)
    maps = min(len(model.anchor_sizes), BACKBONE_LEVELS)
    return RetinaNet(
        ResNetBody(RESNETS[model.backbone.kind], model.backbone.unfrozen_layers, maps),
        num_classes(config),
        anchor_sizes=model.anchor_sizes,
        anchor_ratios=model.anchor_ratios,
        channels=model.pyramid_channels,
        head_convs=model.head_convs,
        magnification=model.magnification(config.sampling.patch_size),
        nms_iou=model.nms_iou,
        max_detections=model.max_detections,
    )


MODELS: dict[str, Callable[[RunConfig], DetectionNetwork]] = {"retinanet": _retinanet}
