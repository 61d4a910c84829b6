"""A detector built from a config."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from midog.config.schema import RunConfig
from midog.models.registry import ResNetSettings, RetinaNetSettings
from midog.models.retinanet import RetinaNet
from midog.models.weights import load_weights


def num_classes(config: RunConfig) -> int:
    """Foreground classes: 2 where imposters are a class of their own, else 1."""
    return 2 if config.sampling.imposters == "second_class" else 1


def build_model(config: RunConfig, *, pretrained: bool = True) -> nn.Module:
    """The detector of config.model, on the CPU in train mode; what is random comes from torch's
    global generator.

    pretrained: load config.model.weights; False builds the architecture alone and fetches nothing.
    Raises WeightsError where the weights cannot be had or do not fit.
    """
    model = MODELS[config.model.kind](config)
    if pretrained:
        load_weights(model, config.model.weights, config.model.backbone.kind)
    return model


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Numbers of parameters that learn, and of all parameters; buffers are not counted."""
    learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return learning, sum(parameter.numel() for parameter in model.parameters())


def _retinanet(config: RunConfig) -> nn.Module:
    model = config.model
    assert isinstance(model, RetinaNetSettings)
    assert isinstance(model.backbone, ResNetSettings)
    return RetinaNet(
        model.backbone.kind,
        num_classes(config),
        anchor_sizes=model.anchor_sizes,
        anchor_ratios=model.anchor_ratios,
        unfrozen_layers=model.backbone.unfrozen_layers,
        channels=model.pyramid_channels,
        head_convs=model.head_convs,
        scale=config.model.magnification(config.sampling.patch_size),
        nms_iou=model.nms_iou,
        max_detections=model.max_detections,
    )


MODELS: dict[str, Callable[[RunConfig], nn.Module]] = {"retinanet": _retinanet}
