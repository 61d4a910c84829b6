"""What every classifier of patches offers: losses, a copy for inference."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from midog.models.classifiers.registry import CLASSIFIERS, build_patch_network

SMALL = {
    "resnet10": {"width": 8},
    "resnet18": {"maps": 1},
    "timm": {"name": "resnet10t", "maps": 1},
    "all_cnn": {"width": 4},
}


def built(kind, classes=3):
    torch.manual_seed(0)
    return build_patch_network(CLASSIFIERS[kind].settings(kind=kind, **SMALL[kind]), classes)


@pytest.mark.parametrize("kind", SMALL)
def test_it_scores_every_class_of_patches_of_any_side(kind):
    network = built(kind).eval()
    for side in (64, 50):
        assert network.logits(torch.rand(2, 3, side, side)).shape == (2, 3)


@pytest.mark.parametrize("kind", SMALL)
def test_its_loss_is_that_of_its_logits_by_any_rule(kind):
    network = built(kind).eval()
    images, labels = torch.rand(4, 3, 64, 64), torch.tensor([0, 1, 2, 1])
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
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(copied.logits(images), network.eval().logits(images))
