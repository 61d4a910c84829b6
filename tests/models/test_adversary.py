"""The reversed gradient, how it rises, and what the classifier sees."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from midog.config.load import load_config
from midog.models.adversary import (
    AdversarialNetwork,
    DomainClassifier,
    feature_channels,
    reverse_gradient,
    strength_at,
)
from midog.models.build import build_model
from midog.models.protocol import example_targets
from midog.models.registry import DETECTORS
from tests.models.networks import retinanet


@pytest.mark.parametrize("strength", [0.0, 0.37, 2.5])
def test_the_gradient_is_exactly_minus_lambda_times_that_without_reversal(strength):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 4, 5, 5, generator=generator, requires_grad=True)
    weights = torch.randn(3, 4, 5, 5, generator=generator)
    value = reverse_gradient(maps, strength)
    assert torch.equal(value, maps)
    (value.square() * weights).sum().backward()
    assert torch.equal(maps.grad, -strength * (2 * maps * weights).detach())


def test_lambda_rises_as_in_the_paper():
    assert strength_at(0.0, 1.0, 10.0) == 0.0
    assert strength_at(0.1, 1.0, 10.0) == pytest.approx(0.46211715726)  # tanh(0.5)
    assert strength_at(1.0, 1.0, 10.0) == pytest.approx(0.99990920426)
    assert strength_at(0.1, 0.3, 10.0) == pytest.approx(0.3 * 0.46211715726)
    assert strength_at(0.7, 1.0, 0.0) == 0.0


@pytest.fixture(scope="module")
def network() -> AdversarialNetwork:
    torch.manual_seed(0)
    detector = retinanet("resnet18", 1, anchor_sizes=((40,),), channels=32, head_convs=1)
    for module in detector.modules():  # statistics of a batch would make images depend on others
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    return AdversarialNetwork(detector, 3).eval()


IMAGES = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
DOMAINS = torch.tensor([0, 2, 1])


def gradients(network: nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    network.zero_grad()
    loss.backward()
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


def losses(network: AdversarialNetwork, strength: float, others=IMAGES[2:], boxes=None):
    targets = example_targets(2, torch.device("cpu"))
    return network(IMAGES[:2], targets, others, DOMAINS, strength)


def test_the_body_is_led_away_and_the_classifier_is_not(network):
    logits = network.classifier(network.detector.features(IMAGES), -1.0)  # not reversed
    plain = gradients(network, functional.cross_entropy(logits, DOMAINS))
    reversed_ = gradients(network, losses(network, 0.25)["domain"])
    assert plain.keys() == reversed_.keys()
    assert {name.split(".")[0] for name in plain} == {"detector", "classifier"}
    for name, value in plain.items():
        factor = 1.0 if name.startswith("classifier.") else -0.25
        assert torch.allclose(reversed_[name], factor * value, rtol=1e-4, atol=1e-8), name
        assert value.any(), name


def test_unlabelled_patches_enter_the_domain_loss_alone(network):
    one, other = losses(network, 1.0), losses(network, 1.0, others=IMAGES[2:] * 0.2)
    assert one.keys() == {"classification", "bbox_regression", "domain"}
    for name in ("classification", "bbox_regression"):
        assert torch.equal(one[name], other[name])
    assert not torch.equal(one["domain"], other["domain"])
    alone = network.detector(IMAGES[:2], example_targets(2, torch.device("cpu")))
    assert all(torch.equal(one[name], alone[name]) for name in alone)


def test_the_domain_loss_is_over_all_patches(network):
    expected = functional.cross_entropy(network.domain_logits(IMAGES), DOMAINS)
    assert torch.allclose(losses(network, 0.5)["domain"], expected)
    without = network(IMAGES[:2], example_targets(2, torch.device("cpu")), None, DOMAINS[:2], 0.5)[
        "domain"
    ]
    labelled = functional.cross_entropy(network.domain_logits(IMAGES[:2]), DOMAINS[:2])
    assert torch.allclose(without, labelled)


def test_channels_are_asked_of_the_network_and_nothing_moves():
    detector = retinanet("resnet18", 1, anchor_sizes=((40,), (80,)), channels=32, head_convs=1)
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    assert feature_channels(detector) == [128, 256]
    assert detector.training
    assert all(torch.equal(before[name], now) for name, now in detector.state_dict().items())
    torch.manual_seed(3)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    feature_channels(detector)
    assert torch.equal(torch.rand(1), drawn)


def test_a_classifier_can_learn_to_tell_colours():
    torch.manual_seed(0)
    classifier = DomainClassifier([3], 2)
    maps = torch.rand(8, 3, 4, 4)
    maps[4:, 0] += 1
    domains = torch.tensor([0] * 4 + [1] * 4)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        functional.cross_entropy(classifier([maps], 1.0), domains).backward()
        optimizer.step()
    assert torch.equal(classifier([maps], 1.0).argmax(dim=1), domains)


@pytest.mark.parametrize("kind", DETECTORS)
def test_any_detector_of_the_registry_is_misled(kind):
    config = load_config(
        None, [f"model.kind={kind}", "model.backbone=resnet18", "model.weights=none"]
    )
    torch.manual_seed(0)
    network = AdversarialNetwork(build_model(config, pretrained=False), 3)
    losses = network(IMAGES[:2], example_targets(2, torch.device("cpu")), IMAGES[2:], DOMAINS, 0.5)
    own = gradients(network, losses["domain"])
    assert any(name.startswith("detector.") and value.any() for name, value in own.items())
    assert len(losses) > 1
