"""Losses of maps against masks: the formula, weights by rarity, and finite whatever the logits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.models.classifiers.losses import focal_loss
from midog.models.classifiers.mask_losses import MaskTerms, focal_of_shares, mask_losses


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("share", [None, 0.1])
def test_of_whole_px_it_is_the_focal_loss_of_two_classes(gamma, share):
    terms = MaskTerms(gamma, share)
    logits, labels = torch.randn(50), torch.arange(50) % 3 % 2
    both = torch.stack([torch.zeros(50), logits], dim=1)
    expected = focal_loss(both, labels, gamma, torch.tensor(terms.weights))
    torch.testing.assert_close(focal_of_shares(logits, labels.float(), terms), expected)


@settings(max_examples=30)
@given(st.sampled_from([-1e4, -100.0, -1.0, 0.0, 1.0, 100.0, 1e4]), st.floats(0, 1))
def test_it_and_its_slope_are_finite_whatever_the_logits(logit, share):
    for gamma in (0.0, 0.3, 2.0):
        logits = torch.full((4,), logit, requires_grad=True)
        loss = focal_of_shares(logits, torch.full((4,), share), MaskTerms(gamma, 0.01))
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()


def test_a_confident_mistake_costs_its_log_odds_where_the_log_of_a_rounded_p_is_infinite():
    loss = focal_of_shares(torch.tensor([-200.0]), torch.tensor([1.0]), MaskTerms(2.0))
    assert float(loss) == pytest.approx(200)


def test_rare_tumour_counts_as_much_as_all_that_is_none():
    shares = (torch.arange(1000) < 20).float()
    terms = MaskTerms(0.0, 0.02)
    assert terms.weights == pytest.approx((0.5 / 0.98, 25.0))
    blind = focal_of_shares(torch.full((1000,), -3.0), shares, terms)
    right, wrong = (float(torch.nn.functional.softplus(torch.tensor(z))) for z in (-3.0, 3.0))
    assert float(blind) == pytest.approx((right + wrong) / 2)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_class_that_is_nowhere_has_a_bounded_weight(share):
    assert max(MaskTerms(2.0, share).weights) == pytest.approx(500)


def test_each_size_is_compared_with_the_share_of_tumour_in_its_px():
    masks = torch.zeros(1, 16, 16)
    masks[:, :4, :2] = 1  # half of the first coarse px
    coarse = torch.zeros(1, 1, 4, 4)
    losses = mask_losses([torch.zeros(1, 1, 16, 16), coarse], masks, MaskTerms(0.0))
    assert [*losses] == ["mask_16px", "mask_4px"]
    assert float(losses["mask_4px"]) == pytest.approx(math.log(2))
    certain = torch.full((1, 1, 4, 4), -50.0)
    certain[0, 0, 0, 0] = 0.0  # p of one half, as much as is there
    slope = torch.zeros(1, 1, 4, 4, requires_grad=True)
    mask_losses([certain + slope], masks, MaskTerms(0.0))["mask_4px"].backward()
    assert slope.grad.abs().max() < 1e-6
