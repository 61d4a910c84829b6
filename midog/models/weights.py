"""Weights to start from: COCO's, ImageNet's or a file's, fetched once, loaded as plain tensors,
fitted by name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet34_Weights, ResNet50_Weights
from torchvision.models.detection import RetinaNet_ResNet50_FPN_V2_Weights

from midog.errors import WeightsError

logger = logging.getLogger(__name__)

COCO_URLS: dict[str, str] = {"resnet50": RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1.url}
IMAGENET_URLS: dict[str, str] = {
    "resnet18": ResNet18_Weights.IMAGENET1K_V1.url,
    "resnet34": ResNet34_Weights.IMAGENET1K_V1.url,
    "resnet50": ResNet50_Weights.IMAGENET1K_V1.url,  # what torchvision's own detectors start from
}

_BODY = "backbone.body."
_HEAD = "head."
_WITHOUT = "start without them by --set model.weights=none"


def load_weights(model: nn.Module, weights: str, backbone: str) -> None:
    """Fills `model`, which has torchvision's RetinaNet names (backbone.body, backbone.fpn, head),
    with weights.

    weights: "coco" (torchvision's retinanet_resnet50_fpn_v2 without its head; ResNet-50 alone),
    "imagenet" (the body alone), "none", or a .safetensors or .pth file with a whole model or a
    ResNet. What the weights lack or shape otherwise, such as a head of other classes, is left as it
    is and logged.
    backbone: "resnet18", "resnet34" or "resnet50", the backbone that `model` has.
    Raises WeightsError where weights cannot be fetched or read, or are those of another network.
    """
    if weights == "none":
        if not all(parameter.requires_grad for parameter in model.parameters()):
            logger.warning(
                "model.weights is none: the frozen backbone stages stay at random weights"
            )
        return
    if weights == "coco":
        state = _fetch(_url(COCO_URLS, weights, backbone))
        state = {name: value for name, value in state.items() if not name.startswith(_HEAD)}
    elif weights == "imagenet":
        state = _fetch(_url(IMAGENET_URLS, weights, backbone))
    else:
        state = _read_given(Path(weights).expanduser())
    _fit(model, state, source=f"model.weights={weights}", backbone=backbone)


def checkpoints_dir() -> Path:
    """Where fetched weights are kept and looked for: torch's own folder, which TORCH_HOME moves."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _url(urls: Mapping[str, str], weights: str, backbone: str) -> str:
    if backbone not in urls:
        raise WeightsError(
            f"model.weights={weights} is there for {', '.join(urls)} only, not for"
            f" model.backbone={backbone}",
            "use --set model.weights=imagenet or --set model.weights=none",
        )
    return urls[backbone]


def _fetch(url: str) -> dict[str, Tensor]:
    """The tensors behind `url`, from the checkpoints folder where they are there already."""
    path = checkpoints_dir() / Path(urlparse(url).path).name
    if not path.is_file():
        _download(url, path)
    try:
        return _read(path)
    except WeightsError as error:
        raise WeightsError(
            error.what, f"delete {path} and start again to fetch it anew, or {_WITHOUT}"
        ) from None


def _download(url: str, path: Path) -> None:
    """Fetches `url` to `path`, whole or not at all; its name holds the start of its SHA-256, as
    torch.hub has it."""
    digest = torch.hub.HASH_REGEX.search(path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digest.group(1) if digest else None)
    except (OSError, HTTPException, RuntimeError) as error:
        raise WeightsError(
            f"weights {path.name} are not in {path.parent} and cannot be fetched from {url}:"
            f" {error}",
            f"put the file {path.name} into {path.parent}, or {_WITHOUT}",
        ) from None


def _read_given(path: Path) -> dict[str, Tensor]:
    """The tensors of a user's own file."""
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise WeightsError(
            f"model.weights={path}: unknown",
            "use coco, imagenet, none, or a .safetensors or .pth file",
        )
    if not path.is_file():
        raise WeightsError(
            f"model.weights={path}: no such file",
            "use coco, imagenet, none, or a file that is there",
        )
    return _read(path)


def _read(path: Path) -> dict[str, Tensor]:
    """The named tensors of a file; no code in it is ever run."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise whatever the damage leads to
        raise WeightsError(
            f"{path} cannot be read as plain tensors: it is damaged, or holds objects other than"
            f" tensors, which are refused ({type(error).__name__})",
            "give a .safetensors file, or a .pth file of a state dict",
        ) from None
    for wrapper in ("state_dict", "model"):  # as training scripts save them
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping):
        raise WeightsError(
            f"{path} holds a {type(state).__name__}",
            "give a file of a state dict: names and tensors",
        )
    return {str(name): value for name, value in state.items() if isinstance(value, Tensor)}


def _fit(model: nn.Module, state: dict[str, Tensor], source: str, backbone: str) -> None:
    """Loads the tensors that `model` has by that name and shape; the names may leave out the way to
    the ResNet."""
    own = model.state_dict()
    prefixes = ("", "backbone.", _BODY)
    state = max(
        ({p + name: v for name, v in state.items()} for p in prefixes),
        key=lambda s: len(s.keys() & own.keys()),
    )
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and value.shape == own[name].shape
    }
    if not fitting:
        raise WeightsError(
            f"{source}: nothing in it fits a RetinaNet with {backbone}",
            "give weights of this network",
        )
    _check_body(own, state, source, backbone)
    model.load_state_dict(fitting, strict=False)
    fresh = sorted(
        {".".join(name.split(".")[:3]) for name in own.keys() - fitting.keys() if _is_weight(name)}
    )
    logger.info(
        "%s: %d of %d tensors loaded; fresh: %s",
        source,
        len(fitting),
        len(own),
        ", ".join(fresh) or "none",
    )


def _check_body(
    own: Mapping[str, Tensor], state: Mapping[str, Tensor], source: str, backbone: str
) -> None:
    """A stage of the ResNet fits as a whole or belongs to another one: ResNet-34 holds all names of
    ResNet-18."""
    ours, theirs = (
        {n: t.shape for n, t in s.items() if n.startswith(_BODY) and _is_weight(n)}
        for s in (own, state)
    )
    stages = {_stage(name) for name in ours} & {_stage(name) for name in theirs}
    wrong = sorted(
        n
        for n in ours.keys() | theirs.keys()
        if _stage(n) in stages and ours.get(n) != theirs.get(n)
    )
    if wrong:
        raise WeightsError(
            f"{source}: {wrong[0]} and {len(wrong) - 1} more tensors are not those of"
            f" model.backbone={backbone}",
            "set model.backbone to the one that the weights were made for",
        )


def _stage(name: str) -> str:
    return name.removeprefix(_BODY).split(".")[0]


def _is_weight(name: str) -> bool:
    """False for BatchNorm's step counters, which older files lack and nothing here reads."""
    return not name.endswith("num_batches_tracked")
