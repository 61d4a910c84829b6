"""The head: torchvision's names, shapes and first weights, with any number of convolutions and
channels."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models.detection.retinanet import RetinaNetHead

from midog.models.heads import make_head
from midog.norms import GroupNorm


def test_four_convolutions_are_torchvisions_to_the_last_weight() -> None:
    torch.manual_seed(3)
    ours = make_head(256, 3, 2)
    torch.manual_seed(3)
    theirs = RetinaNetHead(256, 3, 2, norm_layer=partial(nn.GroupNorm, 32))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(
        torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items()
    )


@pytest.mark.parametrize("convs", [1, 2, 4, 6])
@pytest.mark.parametrize("channels", [32, 64])
def test_any_number_of_convolutions(convs: int, channels: int) -> None:
    head = make_head(channels, 2, 3, convs)
    outputs = head([torch.rand(2, channels, 4, 5), torch.rand(2, channels, 2, 3)])
    places = 2 * (4 * 5 + 2 * 3)
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "cls_logits": (2, places, 3),
        "bbox_regression": (2, places, 4),
    }
    for branch in (head.classification_head, head.regression_head):
        layers = [layer for layer in branch.conv.modules() if isinstance(layer, nn.Conv2d)]
        assert len(layers) == convs
        assert all(0.009 < layer.weight.std().item() < 0.011 for layer in layers), (
            "torchvision's first weights"
        )
        assert all(layer.bias is None for layer in layers)


def test_names_of_the_convolutions_are_torchvisions() -> None:
    names = set(make_head(64, 1, 2, 2).state_dict())
    assert names < set(make_head(64, 1, 2).state_dict())
    assert "classification_head.conv.1.0.weight" in names


def test_without_a_norm_it_is_the_head_of_torchvisions_first_retinanet() -> None:
    torch.manual_seed(3)
    ours = make_head(64, 3, 2, norm="none")
    torch.manual_seed(3)
    theirs = RetinaNetHead(64, 3, 2)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(
        torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items()
    )
    short = make_head(64, 3, 2, 2, norm="none").classification_head.conv
    assert [layer[0].bias.tolist() for layer in short] == [[0.0] * 64] * 2


@pytest.mark.parametrize("prior", [0.01, 0.05, 0.5])
def test_every_anchor_begins_at_the_prior(prior: float) -> None:
    head = make_head(32, 2, 3, 1, prior=prior)
    logits = head([torch.zeros(1, 32, 4, 4)])["cls_logits"]
    torch.testing.assert_close(logits.sigmoid(), torch.full_like(logits, prior))


def levels(*sides: int, seed: int = 0) -> list[torch.Tensor]:
    """Maps whose mean and spread differ from level to level."""
    torch.manual_seed(seed)
    return [torch.randn(2, 32, side, side + 1) * (n + 1) + 3 * n for n, side in enumerate(sides)]


def test_batch_norm_sees_the_places_of_all_levels_as_one_batch() -> None:
    head, maps = make_head(32, 2, 3, 1, norm="batch").double(), levels(6, 3)
    convolution, norm, _ = head.classification_head.conv[0]
    head([level.double() for level in maps])
    with torch.no_grad():
        seen = torch.cat([convolution(level.double()).flatten(2) for level in maps], dim=2)
    torch.testing.assert_close(norm.running_mean, 0.1 * seen.mean(dim=(0, 2)))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * seen.var(dim=(0, 2)))


def test_what_is_trained_is_what_its_statistics_give_in_eval_mode() -> None:
    head, maps = make_head(32, 2, 3, 2, norm="batch").double(), levels(9, 5, seed=1)
    inputs = [level.double() for level in maps]
    for module in head.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # the statistics of the last batch
    trained = head(inputs)
    evaluated = head.eval()(inputs)
    for name, value in trained.items():
        # the running variance is the unbiased one: of 230 places
        torch.testing.assert_close(evaluated[name], value, rtol=0.01, atol=0.01)
    alone = [head([level])["cls_logits"] for level in inputs]
    torch.testing.assert_close(torch.cat(alone, dim=1), evaluated["cls_logits"])


def test_rows_of_anchors_are_in_torchvisions_order() -> None:
    ours = make_head(32, 2, 3, 2, norm="batch").eval()
    maps = levels(6, 3)
    for name, value in RetinaNetHead.forward(ours, maps).items():
        assert torch.equal(ours(maps)[name], value), name


def test_norms_are_those_that_are_asked_for() -> None:
    kinds = {"group": GroupNorm, "batch": nn.BatchNorm2d}
    for norm in ("group", "batch", "none"):
        layers = [type(layer) for layer in make_head(32, 1, 2, 1, norm=norm).modules()]
        counts = {name: layers.count(kind) for name, kind in kinds.items()}
        assert counts == {name: 2 * (name == norm) for name in kinds}
