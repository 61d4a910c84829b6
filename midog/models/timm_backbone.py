"""Any network of timm with feature maps of strides 8, 16 and 32 as a backbone."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from midog.errors import ConfigError, WeightsError
from midog.models.protocol import Backbone

_STRIDES = (8, 16, 32)
_PROBE = (64, 96)  # height and width, px: multiples of 32 that are no square
_HUB = "https://huggingface.co"


class TimmBody(Backbone):
    """A network of timm (Apache-2.0) up to the last stage that is asked for; all of it learns.

    Images are normalised as its published weights want them.

    Args:
        name: of timm, with or without the tag of its weights: convnext_tiny,
            convnext_tiny.fb_in1k.
        maps: 1 to 3, how many maps are returned: of strides 8, 16, 32.

    Raises:
        ConfigError: timm has no such network, or it gives no such maps of images of any size.
    """

    named_norms = False  # nothing is known of the order of layers that bear a name

    def __init__(self, name: str, maps: int) -> None:
        super().__init__()
        published = _published(name)
        self.mean, self.sd = _three(published.mean), _three(published.std)
        wanted = _STRIDES[:maps]
        places = _places(name, wanted)
        self.net = _create(name, out_indices=places)
        self.channels = tuple(_stages(self.net).channels())
        with torch.enable_grad():
            unused = _without_part(self.net, self._probe(name, wanted))
        if unused:
            _cut(self.net, unused)
            self._probe(name, wanted)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of strides 8, 16, 32, as many as asked for; see `Backbone`."""
        if images.dtype == torch.float32:
            return list(self.net(images))
        # a network of any kind of layer: each in the precision that suits it
        with torch.autocast(images.device.type, images.dtype):
            return [level.to(images.dtype) for level in self.net(images)]

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Find the weights of timm's whole network by their names, whose dots may be others here.

        A state that holds none of them is returned as it is.
        """
        published = {_flat(name): value for name, value in state.items()}
        own = {name: _flat(name.removeprefix("net.")) for name in self.state_dict()}
        named = {name: published[flat] for name, flat in own.items() if flat in published}
        return named or dict(state)

    def _probe(self, name: str, strides: tuple[int, ...]) -> list[Tensor]:
        """Return maps of a black image; refuse a network that gives others than are wanted."""
        height, width = _PROBE
        try:
            maps = list(self.net.eval()(torch.zeros(1, 3, height, width)))
        except Exception as error:  # every network says it in its own way
            raise _unfit(name, f"does not take images of any size ({error})") from None
        finally:
            self.net.train()
        shapes = [tuple(level.shape) for level in maps]
        wanted = [
            (1, channels, height // stride, width // stride)
            for channels, stride in zip(self.channels, strides, strict=True)
        ]
        if shapes != wanted:
            raise _unfit(name, f"gives maps of {shapes} where {wanted} are wanted")
        return maps


def weights_url(name: str) -> str:
    """Where timm's own weights of a network are; the HF_ENDPOINT of a mirror is heeded.

    Raises:
        ConfigError: timm has no such network.
        WeightsError: timm has no weights of it.
    """
    published = _published(name)
    if published.hf_hub_id:
        file = published.hf_hub_filename or "model.safetensors"
        hub = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
        return f"{hub}/{published.hf_hub_id}/resolve/main/{file}"
    if published.url and isinstance(published.url, str):
        return published.url
    raise WeightsError(
        f"model.weights=imagenet does not exist for model.backbone.name={name}: timm has none",
        settings={"model.weights": "none"},
    )


def _published(name: str) -> Any:
    """What timm knows of a network's weights and their images."""
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        likely = difflib.get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.6)
        hint = f" (did you mean {', '.join(likely)}?)" if likely else ""
        raise ConfigError(
            f"model.backbone.name is {name!r}: timm {timm.__version__} has no such network{hint}",
            "choose one that timm.list_models() gives",
        )
    try:
        return timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        tags = timm.list_pretrained(f"{architecture}.*")
        raise ConfigError(
            f"model.backbone.name is {name!r}: timm {timm.__version__} has no weights of that tag",
            f"choose {', '.join(tags) or architecture}",
        ) from None


def _places(name: str, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Which of a network's stages give the strides; the last of several of one stride."""
    try:
        with torch.device("meta"):
            whole = _create(name)
    except ConfigError:  # some compute with their weights while they are built
        whole = _create(name)
    strides = list(_stages(whole).reduction())
    if not set(wanted) <= set(strides):
        raise _unfit(name, f"gives maps of strides {', '.join(map(str, strides))}")
    return tuple(len(strides) - 1 - strides[::-1].index(stride) for stride in wanted)


def _create(name: str, **choice: Any) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(name, features_only=True, **choice)
    except Exception as error:  # every network says it in its own way
        raise _unfit(name, f"gives no feature maps ({error})") from None
    return network


def _without_part(network: nn.Module, maps: list[Tensor]) -> set[Tensor]:
    """The weights that no map depends on: some networks keep stages behind the last that is asked
    for."""
    weights = list(network.parameters())
    total = torch.stack([level.float().sum() for level in maps]).sum()
    gradients = torch.autograd.grad(total, weights, allow_unused=True)
    pairs = zip(weights, gradients, strict=True)
    return {weight for weight, gradient in pairs if gradient is None}


def _cut(network: nn.Module, unused: set[Tensor]) -> None:
    """Replace the layers all of whose weights are unused by ones that do nothing."""
    for name, layer in list(network.named_children()):
        weights = set(layer.parameters())
        if weights and weights <= unused:
            setattr(network, name, nn.Identity())
        elif weights & unused:
            _cut(layer, unused)


def _stages(network: nn.Module) -> Any:
    """What timm says of the maps that a network gives: their strides and channels."""
    return network.feature_info


def _unfit(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"model.backbone.name={name} {why}",
        "choose a convolutional network with maps of strides 8, 16 and 32, such as convnext_tiny",
    )


def _flat(name: str) -> str:
    """A weight's name as the module that holds stages alone has it, in which dots are others."""
    return re.sub(r"[._]", "_", name)


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
