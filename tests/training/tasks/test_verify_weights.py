"""The weights that a verifier starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from midog.errors import WeightsError
from midog.inference.detector import Detector
from midog.inference.model_folder import read_model
from midog.inference.verifier import build_classifier
from midog.models.build import build_model
from midog.models.registry import ResNetSettings
from midog.training.tasks.registry import VerifySettings
from midog.training.tasks.verify_weights import take_body, take_weights
from tests.inference.small import CONFIG
from tests.planted import save_detector


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
