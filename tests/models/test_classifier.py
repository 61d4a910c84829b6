"""The classifier of crops: its loss, its log odds, and its copy for inference."""

from __future__ import annotations

import math

import pytest
import torch

from midog.models.classifier import Classifier, log_odds
from midog.models.registry import ResNetSettings, build_backbone


def small(classes: int = 2) -> Classifier:
    torch.manual_seed(0)
    return Classifier(build_backbone(ResNetSettings(kind="resnet18"), 1), classes)


def test_without_knowledge_the_loss_is_that_of_a_coin():
    network = small().eval()
    torch.nn.init.zeros_(network.head.weight)
    loss = network(torch.rand(3, 3, 64, 64), torch.tensor([0, 1, 1]))["classification"]
    assert float(loss.detach()) == pytest.approx(math.log(2))


def test_log_odds_are_those_of_the_last_class():
    logits = torch.tensor([[1.0, 3.0], [0.0, -1.0]])
    assert log_odds(logits).tolist() == pytest.approx([2.0, -1.0])
    three = torch.tensor([[0.3, -1.0, 2.0]])
    p = float(three.softmax(1)[0, 2])
    assert float(log_odds(three)) == pytest.approx(math.log(p / (1 - p)), rel=1e-5)


def test_a_copy_for_inference_gives_the_same_and_leaves_the_network_as_it_is():
    network, images = small().train(), torch.rand(2, 3, 64, 64)
    copied = network.for_inference()
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(copied.logits(images), network.eval().logits(images))
    assert not any(parameter.requires_grad for parameter in copied.parameters())


def test_it_learns_two_kinds_of_crops():
    network = small().train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    labels = torch.tensor([0, 1] * 4)
    images = torch.rand(8, 3, 32, 32) * 0.3 + labels[:, None, None, None] * 0.5
    for _ in range(6):
        optimizer.zero_grad()
        network(images, labels)["classification"].backward()
        optimizer.step()
    assert torch.equal(network.logits(images).argmax(1), labels)


def test_images_are_normalised_as_the_backbones_weights_want_them():
    body = build_backbone(ResNetSettings(kind="resnet18"), 1)
    body.mean, body.sd = (0.5, 0.4, 0.3), (0.2, 0.2, 0.1)
    shown = Classifier(body).frame(torch.full((1, 3, 32, 32), 0.6)).images
    assert shown[0, :, 0, 0].tolist() == pytest.approx([0.5, 1.0, 3.0])
