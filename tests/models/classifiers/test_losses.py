"""Losses of classes: as the formula has them, weighed, and finite for any finite logits."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from midog.models.classifiers.losses import class_loss, focal_loss

torch.manual_seed(0)
LOGITS, LABELS = torch.randn(12, 3) * 3, torch.randint(0, 3, (12,))
WEIGHTS = torch.tensor([0.5, 1.0, 2.5])


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_of_gamma_0_is_cross_entropy(weights):
    expected = F.cross_entropy(LOGITS, LABELS, weights)
    assert torch.allclose(focal_loss(LOGITS, LABELS, 0, weights), expected)
    assert torch.equal(class_loss("cross_entropy", 2, weights)(LOGITS, LABELS), expected)


def test_focal_is_its_formula():
    p = torch.softmax(LOGITS.double(), 1).gather(1, LABELS[:, None])[:, 0]
    own = -((1 - p) ** 2) * p.log()
    assert torch.allclose(focal_loss(LOGITS, LABELS, 2).double(), own.mean())
    weighed = (own * WEIGHTS[LABELS]).sum() / WEIGHTS[LABELS].sum()
    loss = class_loss("focal", 2, WEIGHTS)(LOGITS, LABELS)
    assert torch.allclose(loss.double(), weighed)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("size", [1e-6, 30.0, 1e4])
def test_loss_and_slope_are_finite_however_sure_the_network_is(gamma, size):
    logits = torch.tensor([[-size, size], [size, -size]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([1, 1]), gamma)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()
    assert logits.grad[1, 1] < 0, "the patch that is wrong still pulls"
