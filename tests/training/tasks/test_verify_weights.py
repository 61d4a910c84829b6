"""The weights that a verifier starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from midog.config.load import load_config
from midog.errors import ConfigError, DataError, WeightsError
from midog.inference.detector import Detector
from midog.inference.model_folder import read_model
from midog.inference.patch_classifier import PatchClassifier, save_patch_classifier
from midog.inference.verifier import build_classifier
from midog.models.build import build_model
from midog.models.classifiers.registry import build_patch_network
from midog.models.registry import ResNetSettings
from midog.training.tasks.registry import VerifySettings
from midog.training.tasks.verify_weights import (
    network_of,
    take_body,
    take_classifier,
    take_weights,
)
from tests.inference.small import CONFIG
from tests.planted import save_detector

SMALL = "{kind: group_cnn, group: z2, width: 4, stages: 2}"


@pytest.fixture
def saved(tmp_path) -> Path:
    """The model folder of a RetinaNet on a ResNet-18 of one map."""
    Detector(build_model(CONFIG, pretrained=False), CONFIG, device="cpu").save(tmp_path / "best")
    return tmp_path / "best"


def settings(maps: int, weights: str = "none") -> VerifySettings:
    return VerifySettings(maps=maps, weights=weights, backbone=ResNetSettings(kind="resnet18"))


def test_the_detectors_body_is_taken(saved):
    network = build_classifier(settings(1))
    take_body(network, folder=saved)
    detector, _, _ = read_model(saved)
    theirs = detector.get_submodule(detector.body_name).state_dict()
    assert all(
        torch.equal(value, theirs[name]) for name, value in network.body.state_dict().items()
    )


def test_more_maps_than_the_detector_has_are_an_error(saved):
    with pytest.raises(WeightsError, match=r"has no layer3: .*use task\.maps"):
        take_body(build_classifier(settings(2)), folder=saved)


def test_a_detector_without_a_body_says_so(tmp_path, dark_spots):
    folder = save_detector(tmp_path / "d", [])
    with pytest.raises(WeightsError, match=r"dark_spots has no backbone.*task\.body=own"):
        take_body(build_classifier(settings(1)), folder=folder)


def test_weights_of_a_file_fill_the_backbone(tmp_path):
    torch.manual_seed(1)
    other = build_classifier(settings(1))
    save_file(
        {k: v.contiguous() for k, v in other.body.state_dict().items()}, tmp_path / "w.safetensors"
    )
    network = build_classifier(settings(1))
    backbone = settings(1).backbone
    take_weights(network, backbone=backbone, weights=str(tmp_path / "w.safetensors"))
    assert torch.equal(network.body.conv1.weight, other.body.conv1.weight)
    assert not torch.equal(network.head.weight, other.head.weight)


def test_an_error_names_the_verifiers_setting():
    network, backbone = build_classifier(settings(1)), settings(1).backbone
    with pytest.raises(WeightsError, match=r"^task\.weights=/nowhere\.pth: no such file"):
        take_weights(network, backbone=backbone, weights="/nowhere.pth")


def patches(network: str = SMALL, **own) -> VerifySettings:
    """Settings of a verifier that is a classifier of patches."""
    words = ["task.kind=verify", "task.body=patches", f"task.network={network}"]
    return load_config(None, words).task.model_copy(update=own)


@pytest.fixture
def classifier(tmp_path) -> Path:
    """The model folder of a small classifier of patches of 0.25 um/px."""
    config = load_config(None, ["task.kind=patches", f"task.network={SMALL}"])
    torch.manual_seed(3)
    network = build_patch_network(config.task.network, 2)
    save_patch_classifier(
        tmp_path / "c", network, config, classes=("other", "figure"), side=32, threshold=0.5,
        info={},
    )  # fmt: skip
    return tmp_path / "c"


def test_a_classifier_of_patches_gives_its_network_and_weights(classifier):
    own = patches(classifier=classifier, crop=40)
    settings = network_of(own, 0.25)
    assert (settings.kind, settings.width) == ("group_cnn", 4)
    network = build_classifier(own.model_copy(update={"network": settings}))
    take_classifier(network, classifier=classifier)
    theirs = PatchClassifier.load(classifier, device="cpu").network.state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(value, theirs[name])


def test_without_a_classifier_the_random_weights_stay():
    network = build_classifier(patches())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    take_classifier(network, classifier=None)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_classifier_of_other_um_per_px_is_refused(classifier):
    with pytest.raises(DataError, match=r"have 0\.25 um/px, the crops 0\.5.*data\.mpp=0\.25"):
        network_of(patches(classifier=classifier), 0.5)


def test_a_detector_is_no_classifier(saved):
    with pytest.raises(WeightsError, match="is of a model of task detection"):
        network_of(patches(classifier=saved), 0.25)


@pytest.mark.parametrize(
    ("network", "crop", "says"),
    [
        ("{kind: unet, inputs: 1}", 64, "unet learns masks"),
        ("{kind: inception_v3, width: 0.0625}", 64, "too small for inception_v3, .* 75"),
    ],
)
def test_networks_that_cannot_look_at_crops_are_refused(network, crop, says):
    with pytest.raises(ConfigError, match=says):
        network_of(patches(network, crop=crop), 0.25)
