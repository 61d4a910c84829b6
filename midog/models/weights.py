"""Weights to start from: COCO's, ImageNet's or a file's, fetched once, fitted by name."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlparse

import torch
from safetensors.torch import load_file
from torch import Tensor

from midog.errors import WeightsError
from midog.models.classifiers.network import PatchNetwork
from midog.models.protocol import Backbone, DetectionNetwork
from midog.models.registry import BACKBONES, DETECTORS, DetectorSettings

logger = logging.getLogger(__name__)

_WITHOUT = {"model.weights": "none"}

OfUrl = TypeVar("OfUrl")


def load_pretrained(network: DetectionNetwork, settings: DetectorSettings) -> None:
    """Fill a network with the weights that training starts from, as far as they fit.

    What the weights lack or shape otherwise, such as a head of other classes, is left as it is and
    logged.

    Args:
        network: built from these settings.
        settings: `weights` is "coco" (a detector of this kind and backbone without its head),
            "imagenet" (the backbone alone), "none", or a .safetensors or .pth file with a whole
            network or a backbone.

    Raises:
        WeightsError: where weights cannot be fetched or read, or are those of another network.
    """
    weights, backbone = settings.weights, settings.backbone.kind
    if weights == "none":
        if not all(parameter.requires_grad for parameter in network.parameters()):
            logger.warning(
                "model.weights is none: the frozen backbone stages stay at random weights"
            )
        return
    if weights == "coco":
        coco = DETECTORS[settings.kind].coco
        urls = coco(settings) if callable(coco) else coco
        state = network.own_names(fetch_weights(_url(urls, weights, backbone)))
        head = f"{network.head_name}."
        state = {name: value for name, value in state.items() if not name.startswith(head)}
    elif weights == "imagenet":
        published: dict[str, str | Callable[[Any], str]] = {
            kind: entry.imagenet for kind, entry in BACKBONES.items() if entry.imagenet
        }
        url = _url(published if network.body_name else {}, weights, backbone)
        state = _of_body(network, fetch_weights(url(settings.backbone) if callable(url) else url))
    else:
        state = network.own_names(read_weights(Path(weights).expanduser()))
        if not any(name.startswith(f"{network.body_name}.") for name in state):
            state = _of_body(network, state)
    own = f"model.backbone={backbone}"
    fix = "set model.backbone to the one that the weights were made for"
    fit_weights(network, state, weights, f"{settings.kind} on {backbone}", own, fix)


def checkpoints_dir() -> Path:
    """The folder of fetched weights: torch's own, which TORCH_HOME moves."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _of_body(network: DetectionNetwork, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A classifier's weights by the names that they have in the network's backbone."""
    body = network.get_submodule(network.body_name) if network.body_name else None
    return body.own_names(state) if isinstance(body, Backbone) else dict(state)


def _url(urls: Mapping[str, OfUrl], weights: str, backbone: str) -> OfUrl:
    if backbone not in urls:
        only = f"exists for {', '.join(urls)} only, not for model.backbone={backbone}"
        other = "imagenet" if weights == "coco" and BACKBONES[backbone].imagenet else "none"
        raise WeightsError(
            f"model.weights={weights} {only if urls else 'does not exist for this detector'}",
            settings={"model.weights": other},
        )
    return urls[backbone]


def fetch_weights(url: str) -> dict[str, Tensor]:
    """Read the tensors behind `url`, from the checkpoints folder if they are in it already.

    Raises:
        WeightsError: They cannot be fetched or read.
    """
    path = checkpoints_dir() / _file_name(url)
    if not path.is_file():
        _download(url, path)
    try:
        return _read(path)
    except WeightsError as error:
        raise WeightsError(
            error.what,
            f"delete {path} and start again to fetch it anew, or start without: {{model.weights}}",
            _WITHOUT,
        ) from None


def _file_name(url: str) -> str:
    """The name that a fetched file is kept by; a hub calls every model's file the same."""
    parts = urlparse(url).path.strip("/").split("/")
    if "resolve" in parts:
        return "--".join([*parts[: parts.index("resolve")], parts[-1]])
    return parts[-1]


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
            f"put the file {path.name} into {path.parent}, or start without: {{model.weights}}",
            _WITHOUT,
        ) from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a user's own file.

    Raises:
        WeightsError: It is missing, damaged, or of another kind.
    """
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise WeightsError(
            f"model.weights={path}: unknown",
            "use coco, imagenet, none, or a .safetensors or .pth file",
        )
    if not path.is_file():
        raise WeightsError(
            f"model.weights={path}: no such file",
            "use coco, imagenet, none, or a file that exists",
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


def fit_weights(
    network: DetectionNetwork | PatchNetwork,
    state: dict[str, Tensor],
    weights: str,
    whose: str,
    body: str,
    fix: str,
) -> None:
    """Load the tensors that a network has by that name and shape.

    Args:
        network: Its `body_name` says where its backbone is.
        state: Tensors by name; the names may leave out the first parts of the way to the backbone.
        weights: Where they are from, for messages.
        whose: The network that they are to fit, in words.
        body: Its backbone, in words.
        fix: What to do where the tensors are of another backbone.

    Raises:
        WeightsError: Nothing fits, or a part of the backbone does not.
    """
    own = network.state_dict()
    steps = network.body_name.split(".") if network.body_name else []
    prefixes = itertools.accumulate((f"{step}." for step in steps), initial="")
    state = max(
        ({prefix + name: value for name, value in state.items()} for prefix in prefixes),
        key=lambda renamed: len(renamed.keys() & own.keys()),
    )
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and value.shape == own[name].shape
    }
    source = f"model.weights={weights}"
    if not fitting:
        raise WeightsError(
            f"{source}: nothing in it fits {whose}",
            "give weights of this network",
        )
    if steps:
        _check_body(own, state, f"{network.body_name}.", f"not those of {body}", source, fix)
    network.load_state_dict(fitting, strict=False)
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
    own: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    body: str,
    not_those: str,
    source: str,
    fix: str,
) -> None:
    """Refuse a backbone that fits in part: ResNet-34 holds all names of ResNet-18.

    A stage of it, the part of a name behind `body`, fits as a whole or is of another backbone.
    """

    def shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
        return {
            name: value.shape
            for name, value in tensors.items()
            if name.startswith(body) and _is_weight(name)
        }

    def stage(name: str) -> str:
        return name.removeprefix(body).split(".")[0]

    ours, theirs = shapes(own), shapes(state)
    stages = {stage(name) for name in ours} & {stage(name) for name in theirs}
    wrong = sorted(
        name
        for name in ours.keys() | theirs.keys()
        if stage(name) in stages and ours.get(name) != theirs.get(name)
    )
    if wrong:
        raise WeightsError(
            f"{source}: {wrong[0]} and {len(wrong) - 1} more tensors are {not_those}", fix
        )


def _is_weight(name: str) -> bool:
    """False for BatchNorm's step counters, which older files lack and nothing here reads."""
    return not name.endswith("num_batches_tracked")
