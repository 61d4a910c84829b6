"""The weights that a classifier starts from: a detector's body, another's, ImageNet's, a file's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from midog.config.schema import RunConfig
from midog.errors import ConfigError, DataError, WeightsError
from midog.inference.model_card import CARD, read_any_card
from midog.inference.model_folder import WEIGHTS, find_folder, load_weights, read_model
from midog.inference.patch_classifier import TASK as PATCHES
from midog.inference.patch_classifier import PatchCard
from midog.inference.verifier import CLASSES
from midog.models.build import without_first_weights
from midog.models.classifiers.first_weights import of_task
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import ClassifierSettings, build_patch_network
from midog.models.registry import BackboneSettings, DetectorSettings
from midog.models.weights import load_pretrained
from midog.training.tasks.registry import PatchesSettings, VerifySettings


def take_body(network: PatchNetwork, *, folder: Path) -> None:
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
    body = network.get_submodule(network.body_name)
    ours = body.state_dict()
    missing = [name for name in ours if name not in theirs]
    if missing:
        raise WeightsError(
            f"the backbone of {folder} has no {missing[0].split('.')[0]}: it has fewer maps than"
            " the verifier takes",
            fix,
            named,
        )
    body.load_state_dict({name: theirs[name] for name in ours})


def card_of_classifier(run: Path) -> tuple[Path, PatchCard, RunConfig]:
    """Read what describes a classifier of patches.

    Args:
        run: Its run or model folder.

    Returns:
        The model's folder, its model.json, and the settings of its run.

    Raises:
        WeightsError: It is missing or damaged, or is a model of another task.
    """
    folder = find_folder(run.expanduser())
    return folder, *read_any_card(folder / CARD, PatchCard, PATCHES)


def network_of(settings: VerifySettings, mpp: float) -> ClassifierSettings:
    """Return the settings of the classifier of patches that looks at detections.

    Args:
        settings: Of a verifier whose body is patches.
        mpp: um/px of its crops.

    Raises:
        WeightsError: The classifier cannot be read.
        DataError: It sees other um/px.
        ConfigError: It learns masks, or sees no crops as small.
    """
    network = settings.network
    if settings.classifier is not None:
        _, card, config = card_of_classifier(settings.classifier)
        network = cast(PatchesSettings, config.task).network
        if card.mpp != mpp:
            raise DataError(
                f"the patches of {settings.classifier} have {card.mpp:g} um/px, the crops {mpp:g}",
                "cut crops like its patches with {data.mpp}",
                {"data.mpp": card.mpp},
            )
    with without_first_weights():
        built = build_patch_network(network, len(CLASSES))
    if built.needs_masks:
        raise ConfigError(
            f"{network.kind} learns masks, and crops of detections have none",
            "choose another {task.network}",
            {"task.network": None},
        )
    if settings.crop < built.smallest:
        raise ConfigError(
            f"crops of {settings.crop} px are too small for {network.kind}, which needs"
            f" {built.smallest}",
            "cut larger ones with {task.crop}",
            {"task.crop": None},
        )
    built.views(settings.crop)
    return network


def take_classifier(network: PatchNetwork, *, classifier: Path | None) -> None:
    """Fill a verifier with the weights of a classifier of patches.

    Args:
        network: Built by the classifier's settings.
        classifier: Its run or model folder; None: the random weights stay.

    Raises:
        WeightsError: It cannot be read.
    """
    if classifier is not None:
        folder, card, _ = card_of_classifier(classifier)
        load_weights(network, folder / WEIGHTS, card.class_names, card.weights_sha256)


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
