"""A model's folder: model.safetensors and model.json, written together, read without trust."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from midog._version import __version__
from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.errors import WeightsError
from midog.files import replace_folder
from midog.inference.model_card import CARD, FORMAT, TASK, Card, read_card
from midog.json_text import to_json
from midog.models.build import build_model, without_first_weights
from midog.models.protocol import DetectionNetwork

WEIGHTS = "model.safetensors"
_PICKLES = {".pth", ".pt", ".ckpt", ".pkl", ".pickle", ".bin"}
_SAFE_ONLY = (
    "weights are loaded from safetensors alone, as a pickle can run code; give a folder that midog"
    " wrote"
)


def write_model(
    folder: Path,
    state: Mapping[str, Tensor],
    config: RunConfig,
    *,
    class_names: Sequence[str],
    threshold: float,
    info: Mapping[str, Any],
    task: str = TASK,
) -> None:
    """Write a model's two files into a folder, both or neither.

    Args:
        folder: where; a model that is there is replaced.
        state: the network's state dict, on the CPU.
        config: of the model's run.
        class_names: of the labels 1, 2, ….
        threshold: score in [0, 1] from which a detection counts.
        info: further plain values for model.json.
        task: of the model.

    Raises:
        WeightsError: where the folder holds other files or cannot be written.
    """
    assert not Card.model_fields.keys() & info.keys(), "info is for further keys"
    weights = save(dict(state), {"class_names": "\n".join(class_names)})
    card = {
        "format": FORMAT,
        "task": task,
        "config": config.to_dict(),
        "class_names": list(class_names),
        "mpp": config.data.mpp,
        "threshold": threshold,
        "versions": versions(),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        **info,
    }
    text = to_json(card, ascii_only=False)
    write_folder(folder, {WEIGHTS: weights, CARD: text.encode()})


def read_model(path: Path) -> tuple[DetectionNetwork, RunConfig, Card]:
    """Read a model, its config and its description.

    Args:
        path: the model's folder, or a run's folder with `best` in it.

    Returns:
        The network in eval mode on the CPU, the config of its run, and what model.json holds.

    Raises:
        WeightsError: for a folder that is missing, damaged, pickled, or whose files do not fit each
            other.
    """
    folder = find_folder(path)
    card, config = read_card(folder / CARD)
    return read_network(folder / WEIGHTS, card), config, card


def read_network(weights: Path, card: Card) -> DetectionNetwork:
    """Build the network of a card, in eval mode on the CPU, and fill it from a safetensors file."""
    with without_first_weights():
        network = build_model(parse_config(card.config), pretrained=False)
    load_weights(network, weights, card.class_names, card.weights_sha256)
    return network.eval()


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """A network's state dict, on the CPU."""
    state = network.state_dict()
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """16 hexadecimal digits of a state dict on the CPU, whatever the order of its names."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        digest.update(value.numpy().data)
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of what wrote a model, by package."""
    return {
        "midog": __version__,
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "python": platform.python_version(),
    }


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder beside its place, flush them to the disk, rename it into place."""
    if folder.exists() and not (
        folder.is_dir() and {file.name for file in folder.iterdir()} <= files.keys()
    ):
        raise WeightsError(f"{folder} holds other things than a model", "give another folder")
    replace_folder(folder, files, WeightsError)


def find_folder(path: Path) -> Path:
    """Find the folder that holds the model: `path`, or `best` in it.

    Raises:
        WeightsError: where there is none.
    """
    if path.is_file():
        if path.suffix in _PICKLES:
            raise WeightsError(f"{path} is a pickle", _SAFE_ONLY)
        raise WeightsError(f"{path} is a file", f"give the model's folder, {path.parent}")
    if not path.is_dir():
        raise WeightsError(
            f"no model folder {path}",
            "train one by `midog train`, or give runs/NAME or runs/NAME/best",
        )
    for folder in (path, path / "best"):
        if (folder / CARD).is_file() or (folder / WEIGHTS).is_file():
            return folder
    pickles = sorted(
        file.name for file in path.iterdir() if file.suffix in _PICKLES and file.name != "last.ckpt"
    )
    if pickles:
        raise WeightsError(f"{path} holds no {CARD} but {pickles[0]}, a pickle", _SAFE_ONLY)
    raise WeightsError(
        f"no model in {path}: it holds neither {CARD} nor best/",
        "give runs/NAME/best, or resume `midog train`, which writes it at the first validation",
    )


def load_weights(model: nn.Module, path: Path, class_names: Sequence[str], sha256: str) -> None:
    """Fill a network, all of it, from a safetensors file.

    Args:
        model: the network.
        path: the file.
        class_names: of the labels 1, 2, …, as model.json beside the file has them.
        sha256: of the file, as model.json has it.

    Raises:
        WeightsError: where the file is missing, damaged or of another network or other classes, or
            where a byte of it is not the one that was written.
    """
    state, described = _read_weights(path)
    classes = described.get("class_names", "\n".join(class_names)).split("\n")
    if classes != list(class_names):
        raise WeightsError(
            f"{path} has the classes {', '.join(classes)}, {CARD} beside it has"
            f" {', '.join(class_names)}",
            "keep the two files of one model together",
        )
    own = model.state_dict()
    wrong = [f"lacks {name}" for name in own if name not in state]
    wrong += [f"has {name} in excess" for name in state if name not in own]
    wrong += [
        f"{name} is {list(value.shape)}, not {list(own[name].shape)}"
        for name, value in state.items()
        if name in own and value.shape != own[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise WeightsError(
            f"{path} does not fit the model in {CARD}: {wrong[0]}{more}",
            "keep the two files together",
        )
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise WeightsError(
                f"{path} is not the file that {CARD} beside it was written with: their checksums"
                " differ",
                "copy the model's folder again, both files together",
            )
    if broken := [name for name, value in state.items() if not torch.isfinite(value).all()]:
        raise WeightsError(
            f"{path} holds values that are not finite, in {broken[0]}", "train the model again"
        )
    model.load_state_dict(state)


def _read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name and the file's own description; no code in the file is ever run."""
    if not path.is_file():
        pickles = sorted(file.name for file in path.parent.iterdir() if file.suffix in _PICKLES)
        instead = f"; {pickles[0]} beside it is a pickle" if pickles else ""
        raise WeightsError(
            f"{path} does not exist{instead}",
            _SAFE_ONLY if pickles else "copy the model's folder again",
        )
    try:
        with safe_open(path, framework="pt") as file:
            return {
                name: file.get_tensor(name) for name in list(file.keys())
            }, file.metadata() or {}
    except Exception as error:  # damaged files raise whatever the damage leads to
        with path.open("rb") as raw:
            head = raw.read(4)
        if head == b"PK\x03\x04" or head[:1] == b"\x80":
            raise WeightsError(f"{path} is a pickle, not safetensors", _SAFE_ONLY) from None
        raise WeightsError(
            f"{path} is damaged or cut short ({error})", "copy the model's folder again"
        ) from None
