"""What every classifier of patches offers: losses, a copy for inference."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from midog.errors import ConfigError
from midog.models.classifiers.registry import CLASSIFIERS, build_patch_network

SMALL = {
    "resnet10": {"width": 8},
    "all_cnn": {"width": 4},
    "group_cnn": {"width": 8, "stages": 2},
    "group_densenet": {"width": 8, "blocks": 3},
    "inception_v3": {"width": 0.0625},
}

SIDES = dict.fromkeys(SMALL, 32) | {"inception_v3": 75}


def built(kind, classes=3):
    torch.manual_seed(0)
    return build_patch_network(CLASSIFIERS[kind].settings(kind=kind, **SMALL[kind]), classes)


@pytest.mark.parametrize("kind", SMALL)
def test_it_scores_every_class_of_patches_of_any_side(kind):
    network = built(kind).eval()
    for side in (96, 75) if kind == "inception_v3" else (32, 27):
        assert network.logits(torch.rand(2, 3, side, side)).shape == (2, 3)


@pytest.mark.parametrize("kind", SMALL)
def test_its_loss_is_that_of_its_logits_by_any_rule(kind):
    network = built(kind).eval()
    images, labels = torch.rand(4, 3, SIDES[kind], SIDES[kind]), torch.tensor([0, 1, 2, 1])
    logits = network.logits(images)
    assert network(images, labels)["classification"] == F.cross_entropy(logits, labels)
    halved = network(images, labels, lambda scores, wanted: F.cross_entropy(scores, wanted) / 2)
    assert halved["classification"] == F.cross_entropy(logits, labels) / 2


@pytest.mark.parametrize("kind", SMALL)
def test_a_copy_for_inference_leaves_the_network_as_it_is(kind):
    network = built(kind).train()
    copied = network.for_inference()
    assert network.training
    assert not copied.training
    assert not any(parameter.requires_grad for parameter in copied.parameters())
    images = torch.rand(2, 3, SIDES[kind], SIDES[kind])
    assert torch.equal(copied.logits(images), network.eval().logits(images))


@pytest.mark.parametrize("kind", ["all_cnn", "group_cnn", "group_densenet", "inception_v3"])
def test_patches_that_are_too_small_are_refused_and_the_smallest_are_not(kind):
    network = built(kind).eval()
    side = network.smallest
    assert network.logits(torch.rand(1, 3, side, side)).isfinite().all()
    with pytest.raises(ConfigError, match=f"patches of {side - 1} px are too small"):
        network.logits(torch.rand(1, 3, side - 1, side))
