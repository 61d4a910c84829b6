"""Two towers: what each sees, that both count, their parameters, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from midog.config.load import parse_config
from midog.errors import ConfigError
from midog.models.build import count_parameters, without_first_weights
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import CLASSIFIERS, TwoTowersSettings, build_patch_network
from midog.models.classifiers.two_towers import TwoTowers
from midog.models.classifiers.views import View, views_in
from midog.models.frame import Frame

TOWER = {"kind": "all_cnn", "width": 4, "stages": 2}


def settings(**own):
    network = {"kind": "two_towers", "tower": TOWER, "features": 8, **own}
    config = parse_config({"task": {"kind": "patches", "network": network}})
    assert isinstance(config.task.network, TwoTowersSettings)
    return config.task.network


def small(**own):
    torch.manual_seed(0)
    return build_patch_network(settings(**own), 2)


class Mean(PatchNetwork):
    """A tower whose features are the mean colour of what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = Frame(multiple=1)

    def logits(self, images):
        self.seen = images
        return images.mean(dim=(2, 3))


def test_each_tower_sees_its_own_view_about_the_same_centre():
    near, far = Mean(), Mean()
    network = TwoTowers(near, far, 3, 2)
    patches = torch.rand(2, 3, 32, 32)
    network.logits(patches)
    assert torch.equal(near.seen, patches[..., 8:24, 8:24])
    torch.testing.assert_close(far.seen, nn.AvgPool2d(2)(patches))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_patch_and_its_views_score_the_same(factor):
    network = small(factor=factor).eval()
    side = 24 * factor
    patches = torch.rand(2, 3, side, side)
    assert network.views(side) == (View(24), View(24, factor))
    views = views_in(patches, network.views(side))
    assert torch.equal(network.logits(patches), network.logits(views))
    assert network.logits(patches).shape == (2, 2)


def test_both_towers_change_the_score_and_learn():
    network = small().train()
    patches = torch.rand(3, 3, 32, 32)
    rim = patches.clone()
    rim[..., :8, :] = 0  # beyond the near view
    assert not torch.equal(network.logits(patches), network.logits(rim))
    sum(network(patches, torch.tensor([0, 1, 1])).values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    for tower in network.towers:
        assert tower.layers[0].weight.grad.abs().sum() > 0


def test_any_classifier_is_a_tower_and_no_part_of_it_is_left_out_of_learning():
    for kind, own in (
        ("resnet10", {"width": 8}),
        ("group_cnn", {"width": 8, "stages": 2}),
        ("group_densenet", {"width": 8, "blocks": 2, "padding": "zeros"}),
        ("inception_v3", {"width": 0.0625}),
    ):
        network = small(tower={"kind": kind, **own}).train()
        side = 2 * max(network.smallest // 2, 32)
        side += -side % 4
        losses = network(torch.rand(2, 3, side, side), torch.tensor([0, 1]))
        assert [*losses] == ["classification"]
        losses["classification"].backward()
        lost = [name for name, own in network.named_parameters() if own.grad is None]
        assert lost == []


def parameters(**own):
    with without_first_weights():
        return count_parameters(build_patch_network(settings(features=128, **own), 2))[1]


def test_slim_towers_have_three_percent_of_the_parameters():
    whole = parameters(tower={"kind": "inception_v3"})
    slim = parameters(tower={"kind": "inception_v3", "width": 0.1875})
    # two of torchvision's without their auxiliary heads; 2 norms of 128, and 2 x 128 to 2 classes
    assert whole == 2 * (21_785_568 + 2048 * 128 + 128) + 2 * 256 + 2 * 256 + 2
    assert slim / whole == pytest.approx(0.0372, abs=0.0001)


def test_an_auxiliary_head_is_left_out():
    network = small(tower={"kind": "inception_v3", "width": 0.0625})
    assert [tower.net.AuxLogits for tower in network.towers] == [None, None]
    assert network.smallest == 150


@pytest.mark.parametrize("side", [30, 33])
def test_patches_without_such_a_middle_are_refused_with_the_next_side(side):
    message = rf"patches of {side} px have no middle of 1 / 2 .* multiple of 4, or use task\.side="
    with pytest.raises(ConfigError, match=message) as told:
        small().views(side)
    assert told.value.settings == {"task.side": 28 if side == 30 else 32}


def test_a_tower_is_none_of_towers():
    with pytest.raises(ConfigError, match=r"is 'two_towers': choose resnet10, .* inception_v3"):
        settings(tower="two_towers")
    assert {"two_towers"} < set(CLASSIFIERS)


def test_it_learns_what_the_far_tower_alone_sees():
    """The class is in the rim, which the near tower does not see."""
    network = small().train()
    labels = torch.arange(16) % 2
    patches = torch.full((16, 3, 32, 32), 0.5)
    patches[labels == 1, :, :4] = 1.0
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(30):
        optimiser.zero_grad()
        sum(network(patches, labels).values()).backward()
        optimiser.step()
    assert torch.equal(network.eval().logits(patches).argmax(dim=1), labels)
