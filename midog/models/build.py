"""A detector built from a config."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from midog.config.schema import RunConfig, SamplingSettings
from midog.models.protocol import DetectionNetwork
from midog.models.registry import build_detector
from midog.models.weights import load_pretrained


def num_classes(sampling: SamplingSettings) -> int:
    """Number of foreground classes: 2 where imposters are a class of their own, else 1."""
    return 2 if sampling.imposters == "second_class" else 1


def build_model(config: RunConfig, *, pretrained: bool = True) -> DetectionNetwork:
    """Build the detector of a config, on the CPU in train mode.

    Random weights are drawn from torch's global generator.

    Args:
        config: of which `model`, the classes and the patch's size matter.
        pretrained: load config.model.weights; False builds the architecture alone and fetches
            nothing.

    Raises:
        ConfigError: where a package is missing.
        WeightsError: where the weights cannot be fetched or do not fit.
    """
    settings, sampling = config.model.at_mpp(config.data.mpp), config.sampling
    magnification = settings.magnification(sampling.patch_size)
    network = build_detector(settings, num_classes(sampling), magnification)
    if pretrained:
        load_pretrained(network, settings)
    return network


def without_first_weights() -> TorchFunctionMode:
    """Make a context in which networks are built without drawing weights, as all will be loaded.

    Their weights are whatever the memory held; no random number is drawn.
    """
    return _NoDraws()


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Count the parameters that learn, and all parameters; buffers are no parameters."""
    counts = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(count for count, learns in counts if learns), sum(count for count, _ in counts)


class _NoDraws(TorchFunctionMode):
    """Takes the calls that draw, of torch.nn.init or of a tensor, and returns the tensor as is."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in ("normal_", "uniform_", "kaiming_uniform_"):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)
