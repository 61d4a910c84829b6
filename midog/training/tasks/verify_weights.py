"""The weights that a classifier starts from: a detector's body, ImageNet's, or a file's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from midog.errors import WeightsError
from midog.inference.model_folder import read_model
from midog.models.classifier import Classifier
from midog.models.classifiers.first_weights import of_task
from midog.models.classifiers.network import PatchNetwork
from midog.models.registry import BackboneSettings, DetectorSettings
from midog.models.weights import load_pretrained


def take_body(network: Classifier, *, folder: Path) -> None:
    """Fill a verifier's backbone with that of a detector.

    Args:
        network: Built with the detector's kind of backbone.
        folder: Of the detector's model.

    Raises:
        WeightsError: The detector cannot be read, or has fewer maps than the verifier takes.
    """
    detector, config, _ = read_model(folder)
    fix = "use {task.maps}, or a backbone of its own with {task.body}"
    named = {"task.maps": None, "task.body": "own"}
    if not detector.body_name:
        what = f"a detector of kind {config.model.kind} has no backbone to share"
        raise WeightsError(what, "use {task.body}", {"task.body": "own"})
    theirs = detector.get_submodule(detector.body_name).state_dict()
    ours = network.body.state_dict()
    missing = [name for name in ours if name not in theirs]
    if missing:
        raise WeightsError(
            f"the backbone of {folder} has no {missing[0].split('.')[0]}: it has fewer maps than"
            " the verifier takes",
            fix,
            named,
        )
    network.body.load_state_dict({name: theirs[name] for name in ours})


def take_weights(network: PatchNetwork, *, backbone: BackboneSettings, weights: str) -> None:
    """Fill a classifier's backbone with the weights that `task.weights` names.

    Args:
        network: Built with that backbone.
        backbone: Its settings.
        weights: none, imagenet or a file.

    Raises:
        WeightsError: They cannot be fetched or read, or are of another network.
    """
    asked = DetectorSettings(kind="verify", backbone=backbone, weights=weights)
    try:
        load_pretrained(cast(Any, network), asked)
    except WeightsError as error:
        raise of_task(error) from None
