"""Spread scores: as many over 0.5 as wanted, whatever the classes; class 0 stays silent."""

from __future__ import annotations

import pytest
import torch

from midog.models.spread_scores import spread_scores
from tests.models.networks import retinanet, share_over_a_half


@pytest.mark.parametrize("share", [0.02, 0.3])
@pytest.mark.parametrize("classes", [1, 2])
def test_a_share_of_the_anchors_scores_over_a_half(classes: int, share: float) -> None:
    torch.manual_seed(0)
    network = retinanet("resnet18", classes, anchor_sizes=((24.0, 32.0), (48.0, 64.0))).eval()
    images = torch.rand(2, 3, 128, 128)
    spread_scores(network, images, share)
    assert share_over_a_half(network, images) == pytest.approx(share, abs=0.005)
    scores = network.candidates(images, 0.0).scores
    assert scores.std() > 0.05
    assert network.head.classification_head.cls_logits.bias[:: classes + 1].max() < -50
