"""Weights that a classifier of patches with published weights of its own starts from."""

from __future__ import annotations

import logging
from pathlib import Path

from midog.errors import WeightsError
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import CLASSIFIERS, ClassifierSettings
from midog.models.weights import fetch_weights, fit_weights, read_weights

logger = logging.getLogger(__name__)


def load_first_weights(network: PatchNetwork, settings: ClassifierSettings, weights: str) -> None:
    """Fill a classifier with weights of its own kind, as far as they fit.

    Heads of other classes are left as they are, which is logged.

    Args:
        network: Built from these settings.
        settings: Of the classifier.
        weights: imagenet (those that the registry's entry names), none, or a .safetensors or .pth
            file.

    Raises:
        WeightsError: They do not exist for this kind, cannot be fetched or read, or are of another
            network.
    """
    kind = settings.kind
    if weights == "none":
        if not all(parameter.requires_grad for parameter in network.parameters()):
            logger.warning("weights are none: the frozen layers of %s stay at random", kind)
        return
    url = CLASSIFIERS[kind].imagenet
    if weights == "imagenet" and not url:
        raise WeightsError(
            f"task.weights=imagenet: there are none of {kind}", settings={"task.weights": "none"}
        )
    fix = "give weights of this network, of the same width"
    try:
        state = fetch_weights(url) if weights == "imagenet" else read_weights(_path(weights))
        fit_weights(network, network.own_names(state), weights, kind, kind, fix)
    except WeightsError as error:
        raise of_task(error) from None


def of_task(error: WeightsError) -> WeightsError:
    """Put an error about the settings of a detector in words about those of a task."""

    def own(text: str) -> str:
        for detectors, ours in (
            ("model.", "task."),
            ("this detector", "this classifier"),
            ("use coco, ", "use "),  # which are weights of detectors alone
        ):
            text = text.replace(detectors, ours)
        return text

    settings = {own(key): value for key, value in error.settings.items()}
    return WeightsError(own(error.what), own(error.fix), settings)


def _path(weights: str) -> Path:
    return Path(weights).expanduser()
