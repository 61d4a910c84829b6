"""What detectors on a pyramid share: the backbone's own normalisation, features, old names."""

from __future__ import annotations

import pytest
import torch

from midog.config.load import parse_config
from midog.models.build import build_model
from midog.models.pyramid_detector import PyramidDetector
from midog.models.registry import DETECTORS
from tests.models.networks import lean
from tests.models.test_toy_backbone import ToyBackbone


class Shifted(ToyBackbone):
    """A backbone that is shown images in a normalisation of its own."""

    mean, sd = (0.5, 0.4, 0.3), (0.1, 0.2, 0.5)


ON_PYRAMIDS = [
    kind
    for kind in DETECTORS
    if isinstance(build_model(parse_config({"model": lean(kind)})), PyramidDetector)
]


def made(kind: str, monkeypatch: pytest.MonkeyPatch) -> PyramidDetector:
    from midog.models import registry

    monkeypatch.setattr(registry, "build_backbone", lambda settings, maps: Shifted(4, maps))
    network = build_model(parse_config({"model": lean(kind)}))
    assert isinstance(network, PyramidDetector)
    return network


@pytest.mark.parametrize("kind", ON_PYRAMIDS)
def test_images_are_normalised_as_the_backbone_wants(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = made(kind, monkeypatch).frame(torch.full((1, 3, 32, 32), 0.5)).images[0, :, 0, 0]
    torch.testing.assert_close(shown, torch.tensor([0.0, 0.5, 0.4]))


@pytest.mark.parametrize("kind", ON_PYRAMIDS)
def test_features_are_the_backbones_own_maps(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = made(kind, monkeypatch).eval(), torch.rand(2, 3, 64, 96)
    maps = network.features(images)
    expected = network.backbone.body(network.frame(images).images)
    assert all(torch.equal(*pair) for pair in zip(maps, expected, strict=True))
    half = network.for_detection(torch.bfloat16).features(images)
    assert {level.dtype for level in half} == {torch.bfloat16}


def test_pyramids_of_older_files_get_todays_names(monkeypatch: pytest.MonkeyPatch) -> None:
    network = made("fcos", monkeypatch)
    names = ("backbone.fpn.inner_blocks.0.weight", "backbone.fpn.layer_blocks.2.0.bias", "head.w")
    assert list(network.own_names(dict.fromkeys(names, torch.zeros(1)))) == [
        "backbone.fpn.inner_blocks.0.0.weight",
        "backbone.fpn.layer_blocks.2.0.bias",
        "head.w",
    ]
