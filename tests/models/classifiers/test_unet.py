"""The U-Net of places: its views and maps, that every view counts, its losses, what it learns."""

from __future__ import annotations

import pytest
import torch

from midog.errors import ConfigError
from midog.models.build import count_parameters
from midog.models.classifiers.mask_losses import MaskTerms
from midog.models.classifiers.registry import UNetSettings, build_patch_network
from midog.models.classifiers.views import View, views_in


def unet(**own):
    torch.manual_seed(0)
    return build_patch_network(UNetSettings(kind="unet", **{"width": 4, **own}), 2)


def test_three_views_of_one_field_have_maps_of_their_sizes():
    network = unet()
    assert network.views(256) == (View(256), View(64, 4), View(16, 16))
    patches = torch.rand(2, 3, 96, 96)
    maps = network.maps(patches)
    assert [tuple(one.shape) for one in maps] == [(2, 1, side, side) for side in (96, 24, 6)]
    assert network.logits(patches).shape == (2, 2)
    assert [tuple(one.shape) for one in unet(inputs=1).maps(patches)] == [(2, 1, 96, 96)]


def test_a_patch_and_its_views_score_the_same():
    network = unet().eval()
    patches = torch.rand(2, 3, 64, 64)
    views = views_in(patches, network.views(64))
    assert torch.equal(network.logits(patches), network.logits(views))
    for one, other in zip(network.maps(patches), network.maps(views), strict=True):
        assert torch.equal(one, other)


def test_every_view_counts_in_every_map_and_in_the_score():
    network = unet().eval()
    views = [*views_in(torch.rand(1, 3, 64, 64), network.views(64))]
    scored = [network.logits(views), *network.maps(views)]
    for number in range(3):
        other = [*views]
        other[number] = 1 - views[number]
        for one, changed in zip(scored, [network.logits(other), *network.maps(other)], strict=True):
            assert not torch.equal(one, changed)


def test_four_terms_weigh_alike_and_masks_teach_every_map():
    network = unet().train()
    patches, labels = torch.rand(2, 3, 64, 64), torch.tensor([0, 1])
    masks = torch.zeros(2, 64, 64, dtype=torch.uint8)
    masks[1, 10:30] = 1
    losses = network(patches, labels, torch.nn.functional.cross_entropy, masks, MaskTerms(0.0))
    assert [*losses] == ["classification", "mask_64px", "mask_16px", "mask_4px"]
    for term in losses.values():  # all begin at even odds
        assert float(term.detach()) == pytest.approx(0.6931 / 4, rel=0.05)
    sum(losses.values()).backward()
    assert [name for name, own in network.named_parameters() if own.grad is None] == []
    assert [*network(patches, labels)] == ["classification"]


def test_parameters_of_one_and_of_three_inputs():
    # level by level: two convolutions of 3 x 3 without bias, and the norms' weights and biases
    def pair(inputs, outputs):
        return 9 * inputs * outputs + 9 * outputs**2 + 4 * outputs

    widths = [4, 8, 16, 32, 32, 32]
    down = sum(pair(a, b) for a, b in zip([3, *widths[:-1]], widths, strict=True))
    ups = sum(a * b + b for a, b in zip(widths[1:], widths[:-1], strict=True))
    joins = sum(pair(2 * own, own) for own in widths[:-1])
    heads = 4 + 1 + 2 * 32 + 2
    assert count_parameters(unet(inputs=1))[1] == down + ups + joins + heads
    entries = sum(pair(3, own) + 9 * own**2 for own in (16, 32))  # the joined map is twice as wide
    assert count_parameters(unet())[1] == down + ups + joins + heads + entries + 16 + 1 + 32 + 1


@pytest.mark.parametrize(("inputs", "side"), [(3, 40), (3, 50)])
def test_sides_that_are_no_whole_px_at_a_sixteenth_are_refused(inputs, side):
    with pytest.raises(ConfigError, match=rf"{side} px are no whole number .* 1 / 16"):
        unet(inputs=inputs).views(side)


@pytest.mark.slow
def test_it_learns_where_dark_spots_are():
    network = unet().train()
    generator = torch.Generator().manual_seed(1)
    masks = torch.zeros(8, 32, 32, dtype=torch.uint8)
    for number in range(0, 8, 2):
        y, x = torch.randint(0, 24, (2,), generator=generator).tolist()
        masks[number, y : y + 8, x : x + 8] = 1
    patches = (0.8 - 0.5 * masks[:, None].float()).repeat(1, 3, 1, 1)
    patches += 0.02 * torch.randn(patches.shape, generator=generator)
    labels = masks.flatten(1).amax(dim=1).long()
    terms = MaskTerms(2.0, float(masks.float().mean()))
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(30):
        optimiser.zero_grad()
        losses = network(patches, labels, torch.nn.functional.cross_entropy, masks, terms)
        sum(losses.values()).backward()
        optimiser.step()
    right = (network.maps(patches)[0][:, 0] > 0) == (masks > 0)
    assert float(right.float().mean()) > 0.97
    assert torch.equal(network.logits(patches).argmax(dim=1), labels)
