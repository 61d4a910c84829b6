"""Spread scores: as many over 0.5 as wanted, whatever the classes; class 0 stays silent."""

from __future__ import annotations

import pytest
import torch

from midog.models.centroid import Centroid
from midog.models.faster_rcnn import FasterRCNN
from midog.models.fcos import FCOS
from midog.models.spread_scores import spread_box_scores, spread_centres, spread_scores
from tests.models.networks import body, retinanet, share_over_a_half


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


@pytest.mark.parametrize("share", [0.02, 0.3])
@pytest.mark.parametrize("classes", [1, 2])
def test_a_share_of_the_places_scores_over_a_half_by_class_and_centerness(
    classes: int, share: float
) -> None:
    torch.manual_seed(0)
    network = FCOS(body("resnet18", 2), classes, levels=2, channels=64).eval()
    torch.nn.init.normal_(network.head.regression_head.bbox_ctrness.weight, std=0.1)
    images = torch.rand(2, 3, 128, 128)
    spread_scores(network, images, share)
    pairs = 2 * (16 * 16 + 8 * 8) * classes
    over = (network.candidates(images, 0.5).scores > 0).sum()
    assert float(over) / pairs == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("stride", [4, 8])
def test_a_share_of_the_cells_of_a_map_scores_over_a_half(stride: int) -> None:
    torch.manual_seed(0)
    network = Centroid(body("resnet18", 2), 2, figure_px=50, stride=stride).eval()
    images = torch.rand(2, 3, 128, 128)
    spread_centres(network, images, 0.05)
    logits = network._see(images)[1].detach()
    cells = logits.numel()
    assert cells == 2 * 2 * (128 // stride) ** 2
    assert int((logits > 0).sum()) == pytest.approx(0.05 * cells, abs=1)
    assert float(logits.std()) == pytest.approx(4.0, rel=1e-3)


@pytest.mark.parametrize(("share", "expected"), [(0.01, 0.01), (0.9, None)])
@pytest.mark.parametrize("classes", [1, 2])
def test_as_many_proposals_score_over_a_half_as_would_anchors(
    classes: int, share: float, expected: float | None
) -> None:
    torch.manual_seed(0)
    sizes = ((24.0, 32.0), (48.0, 64.0))
    network = FasterRCNN(
        body("resnet18", 2), classes, anchor_sizes=sizes, channels=32, width=32, version=1
    ).eval()
    images = torch.rand(2, 3, 128, 128)
    spread_box_scores(network, images, share)
    anchors = 2 * 2 * (16 * 16 + 8 * 8)
    scores = network.candidates(images, 0.0).scores.view(2, -1, classes)
    proposals = int((scores[..., 0] > 0).sum())
    over = int((scores > 0.5).any(dim=-1).sum())
    assert over == pytest.approx(expected * anchors if expected else proposals / 2, abs=1)
