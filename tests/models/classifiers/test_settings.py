"""Settings of classifiers of patches: what they refuse, in ranges that build."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from midog.models.backbone_registry import BackboneSettings
from midog.models.classifiers.registry import CLASSIFIERS, OnBackboneSettings
from midog.models.classifiers.settings import InceptionSettings


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("all_cnn", {"width": 3}),
        ("all_cnn", {"norm": "group"}),
        ("group_cnn", {"group": "p6"}),
        ("group_densenet", {"blocks": 7}),
        ("inception_v3", {"width": 0.1}),
        ("inception_v3", {"freeze_until": "Mixed_8a"}),
        ("resnet18", {"dropout": 1}),
        ("resnet18", {"width": 64}),
    ],
)
def test_what_cannot_be_built_is_refused(kind, own):
    with pytest.raises(ValidationError, match=next(iter(own))):
        CLASSIFIERS[kind].settings(kind=kind, **own)


def test_a_classifier_on_a_backbone_has_the_backbones_settings():
    settings = CLASSIFIERS["resnet10"].settings(kind="resnet10", width=16, maps=2)
    assert isinstance(settings, OnBackboneSettings)
    assert isinstance(settings, BackboneSettings)


def test_every_layer_of_inception_can_be_the_first_that_learns():
    from midog.models.classifiers.inception import InceptionV3

    field = InceptionSettings.model_fields["freeze_until"].annotation
    network = InceptionV3(2, sixteenths=1, freeze_until="fc")
    layers = [name for name in network.frozen if [*network.net.get_submodule(name).parameters()]]
    assert [*field.__args__] == [*layers, "fc"]
