"""The models of a detector, loaded: one, those of an ensemble's folder, or several folders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midog.config.schema import RunConfig
from midog.errors import WeightsError
from midog.inference.ensemble_folder import (
    ModelFiles,
    is_ensemble,
    read_ensemble,
    write_ensemble,
)
from midog.inference.model_card import CARD, read_card
from midog.inference.model_folder import WEIGHTS, find_folder, read_network
from midog.inference.onnx_network import SUFFIX, OnnxNetwork, card_of, read_onnx
from midog.inference.stored_threshold import Threshold, stored_threshold
from midog.models.protocol import DetectionNetwork
from midog.names import real_path

_MEAN = "the mean of the models' own, not chosen for their ensemble"


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A network with weights, in eval mode on the CPU, and what describes it.

    Attributes:
        network: The network.
        config: Of its run.
        class_names: Of the labels 1, 2, ….
    """

    network: DetectionNetwork
    config: RunConfig
    class_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LoadedModels:
    """The models of a detector.

    Attributes:
        models: One or several, in an order of their own.
        threshold: From which a detection counts.
        info: Further plain values of the model.json. For several models it has `members`, with the
            name of each and its `data`, the fingerprint of what it was trained from.
    """

    models: tuple[LoadedModel, ...]
    threshold: Threshold
    info: Mapping[str, Any]

    @property
    def needs_cpu(self) -> bool:
        """Whether one of them runs on the CPU alone."""
        return any(isinstance(model.network, OnnxNetwork) for model in self.models)


def read_models(folders: Sequence[Path], orientations: int) -> LoadedModels:
    """Read the models of folders: of a model, of a run, of an ensemble, or of several models.

    Args:
        folders: One or several, or one ONNX file. The order of several makes no difference.
        orientations: In which images will be shown, for the threshold.

    Raises:
        WeightsError: For a folder that is missing or damaged, and for several of which two are
            equal, one is an ensemble, or the classes differ.
    """
    if not folders:
        raise WeightsError("no model folder is given", "give one or several")
    if any(folder.suffix == SUFFIX and not folder.is_dir() for folder in folders):
        return _read_onnx(folders, orientations)
    if len(folders) > 1:
        files = read_members(folders)
        own, further, untuned = mean_threshold(files), dict[str, Any](), _MEAN
    elif is_ensemble(folder := find_folder(folders[0])):
        card, files = read_ensemble(folder)
        own, further, untuned = card.threshold, dict(card.model_extra or {}), _MEAN
    else:
        model = _model_of(folders[0])
        files, further, untuned = [model], dict(model.card.model_extra or {}), ""
        own = model.card.threshold
    threshold = stored_threshold(
        own, further, orientations, find_folder(folders[0]) / CARD, untuned=untuned
    )
    if len(files) > 1:
        files = sorted(files, key=lambda member: member.card.weights_sha256)
        extras = [(member.name, member.card.model_extra or {}) for member in files]
        further["members"] = [{"name": name, "data": extra.get("data")} for name, extra in extras]
    models = (
        LoadedModel(
            read_network(member.weights, member.card),
            member.config,
            member.card.class_names,
        )
        for member in files
    )
    return LoadedModels(tuple(models), threshold, further)


def _read_onnx(folders: Sequence[Path], orientations: int) -> LoadedModels:
    if len(folders) > 1:
        names = ", ".join(map(str, folders))
        raise WeightsError(f"{names}: an ONNX file is used alone", "merge the runs themselves")
    network, config, card = read_onnx(folders[0])
    further = dict(card.model_extra or {})
    threshold = stored_threshold(card.threshold, further, orientations, card_of(folders[0]))
    return LoadedModels((LoadedModel(network, config, card.class_names),), threshold, further)


def make_ensemble(folders: Sequence[Path], out: Path) -> float:
    """Make an ensemble's folder of models' folders.

    Args:
        folders: Of two models or more.
        out: Where; it must not exist, or be an ensemble.

    Returns:
        Its threshold: the mean of the models' own, until one is tuned.

    Raises:
        WeightsError: As `read_models` does, for fewer than two, and where `out` holds other things.
    """
    if len(folders) < 2:
        raise WeightsError(
            "an ensemble has at least two models", "give {model} twice or more", {"model": None}
        )
    files = read_members(folders)
    for member in files:  # damaged weights are noticed now
        read_network(member.weights, member.card)
    threshold = mean_threshold(files)
    write_ensemble(out, files, threshold)
    return threshold


def read_members(folders: Sequence[Path]) -> list[ModelFiles]:
    """Read the descriptions of models that are to be one detector.

    Raises:
        WeightsError: As `read_models` does.
    """
    files = [_model_of(folder) for folder in folders]
    by_weights: dict[str, Path] = {}
    for folder, member in zip(folders, files, strict=True):
        first = by_weights.setdefault(member.card.weights_sha256, folder)
        if first is not folder:
            raise WeightsError(
                f"{first} and {folder} are one model: their weights are equal",
                "give every model once",
            )
        if member.card.class_names != files[0].card.class_names:
            raise WeightsError(
                f"{folders[0]} reports {', '.join(files[0].card.class_names)}, {folder} reports"
                f" {', '.join(member.card.class_names)}",
                "merge models of the same classes",
            )
    return files


def mean_threshold(files: Sequence[ModelFiles]) -> float:
    """Return the mean of the models' own thresholds, whatever their order."""
    return math.fsum(member.card.threshold for member in files) / len(files)


def _model_of(path: Path) -> ModelFiles:
    folder = find_folder(path)
    if is_ensemble(folder):
        raise WeightsError(
            f"{path} is an ensemble, which cannot be a member of one", "give its models themselves"
        )
    card, config = read_card(folder / CARD)
    place = real_path(folder)
    return ModelFiles("/".join(place.parts[-2:]), folder / WEIGHTS, card, config)
