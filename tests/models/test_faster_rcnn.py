"""Faster R-CNN: torchvision's losses and detections on our pyramid, repeatable samples."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN as TorchvisionFasterRCNN
from torchvision.ops import MultiScaleRoIAlign

from midog.bench.network_cost import gflop_of
from midog.models.faster_rcnn import FasterRCNN
from midog.models.protocol import pad_targets
from tests.models.networks import NamedMaps, body, lean
from tests.models.test_protocol import check_detector
from tests.models.test_retinanet import assert_same_detections, noise, target

SIZES = ((24.0, 32.0), (48.0, 64.0), (80.0, 96.0), (120.0, 160.0))
ALL = 5000  # samples: no anchor and no box is left out
BOXES = ((10.0, 20, 60, 70), (50, 30, 110, 90))


def faster_rcnn(version: Any = 1, levels: int = 2, classes: int = 1, **settings: Any) -> FasterRCNN:
    """Random weights whose scores spread over (0, 1)."""
    torch.manual_seed(0)
    given = {"channels": 64, "width": 32, "proposals": 60, **settings}
    network = FasterRCNN(
        body("resnet18", levels), classes, anchor_sizes=SIZES[:levels], version=version, **given
    )
    head, last = network.rpn["head"], network.roi_heads["box_predictor"]
    for layer, sd in ((head.cls_logits, 0.1), (head.bbox_pred, 0.02), (last.cls_score, 2.0)):
        nn.init.normal_(layer.weight, std=sd)
    return network


def around(network: FasterRCNN, side: int) -> TorchvisionFasterRCNN:
    """torchvision's own detector with the modules of ours."""
    most, twice = network.proposals, 2 * network.proposals
    return TorchvisionFasterRCNN(
        NamedMaps(network.backbone, 64),
        rpn_anchor_generator=network.anchor_generator,
        rpn_head=network.rpn["head"],
        rpn_pre_nms_top_n_train=twice,
        rpn_post_nms_top_n_train=twice,
        rpn_pre_nms_top_n_test=most,
        rpn_post_nms_top_n_test=most,
        rpn_batch_size_per_image=network.rpn_samples,
        box_batch_size_per_image=network.box_samples,
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 7, 2),
        box_head=network.roi_heads["box_head"],
        box_predictor=network.roi_heads["box_predictor"],
        box_nms_thresh=0.2,
        box_score_thresh=0.3,
        box_detections_per_img=300,
        min_size=side,
    )


def gradients(network: nn.Module, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    network.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("version", "levels", "side", "shown"), [(1, 4, 128, 128), (2, 2, 96, 96), (1, 1, 64, 100)]
)
def test_losses_gradients_and_detections_are_torchvisions(
    version: int, levels: int, side: int, shown: int
) -> None:
    ours = faster_rcnn(
        version, levels, 2, magnification=shown / side, rpn_samples=ALL, box_samples=ALL
    )
    theirs = around(ours, shown)
    images = noise(2, side, side)
    targets = [
        {**target((5, 5, 40, 50), (20, 20, 62, 60)), "labels": torch.tensor([1, 2])},
        target(),
    ]
    expected = theirs(list(images), targets)
    expected_gradients = gradients(ours, expected)
    losses = ours(images, pad_targets(targets))
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-6)
    own_gradients = gradients(ours, losses)
    assert own_gradients.keys() == {name for name, _ in ours.named_parameters()}
    for name, value in expected_gradients.items():
        torch.testing.assert_close(
            own_gradients[name], value, rtol=1e-4, atol=1e-5 * float(value.abs().max()) + 1e-9
        )
    with torch.no_grad():
        assert_same_detections(ours.eval().detections(images, 0.3), theirs.eval()(list(images)))


def test_a_score_is_the_classes_share_of_the_softmax() -> None:
    network, images = faster_rcnn(classes=2).eval(), noise(1, 64, 64)
    kept: list[Tensor] = []
    network.roi_heads["box_predictor"].register_forward_hook(lambda m, i, o: kept.append(o[0]))
    with torch.no_grad():
        candidates = network.candidates(images, 0.0)
    scores = candidates.scores.view(-1, 2)[candidates.scores.view(-1, 2)[:, 0] > 0]
    expected = kept[0].softmax(dim=-1)[:, 1:]
    torch.testing.assert_close(scores, expected[: len(scores)])
    assert (scores.sum(dim=1) <= 1).all()


@pytest.mark.parametrize("classes", [1, 2])
def test_candidates_are_of_one_number_for_any_image(classes: int) -> None:
    network = faster_rcnn(classes=classes, proposals=30).eval()
    with torch.no_grad():
        for images in (noise(2, 96, 96), torch.ones(1, 3, 96, 96)):
            assert network.candidates(images, 0.5).scores.shape == (len(images), 30 * classes)


def test_an_image_is_detected_alike_in_any_batch() -> None:
    network, images = faster_rcnn().eval(), noise(3, 64, 64)
    with torch.no_grad():
        together = network.detections(images, 0.3)
        for i in range(len(images)):
            assert_same_detections(network.detections(images[i : i + 1], 0.3), together[i : i + 1])


def test_samples_change_with_each_batch_in_training_and_repeat_after_a_resume() -> None:
    network = faster_rcnn(rpn_samples=8, box_samples=8)
    images, targets = noise(2, 96, 96), pad_targets([target(*BOXES), target()])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    first = network(images, targets)
    resumed = copy.deepcopy(network)
    torch.manual_seed(7)
    second, repeated = network(images, targets), resumed(images, targets)
    assert all(first[name] != value for name, value in second.items() if "objectness" in name)
    assert all(torch.equal(repeated[name], value) for name, value in second.items())
    network.eval()
    assert all(
        torch.equal(network(images, targets)[name], value)
        for name, value in network(images, targets).items()
    )
    assert int(network.draws) == 2


def test_sampling_takes_no_number_from_the_global_generator() -> None:
    network = faster_rcnn()
    state = torch.get_rng_state()
    network(noise(1, 64, 64), pad_targets([target((5, 5, 40, 50))]))
    assert torch.equal(torch.get_rng_state(), state)


def test_its_second_version_keeps_the_protocol() -> None:
    check_detector({**lean("faster_rcnn"), "version": 2})


def test_the_copy_for_detection_has_no_batch_norm_and_half_its_digits() -> None:
    network = faster_rcnn(2)
    nn.init.normal_(network.roi_heads["box_predictor"].cls_score.weight, std=0.1)
    copied = network.for_detection(torch.bfloat16)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in copied.modules())
    assert {p.dtype for p in copied.roi_heads["box_head"].parameters()} == {torch.bfloat16}
    assert {p.dtype for p in copied.roi_heads["box_predictor"].parameters()} == {torch.float32}
    with torch.no_grad():
        candidates = copied.candidates(noise(1, 64, 64), 0.0)
    scores = candidates.scores[candidates.scores > 0]
    assert len(scores.unique()) > 0.9 * len(scores), "more digits than bfloat16 has"


def test_its_cost_is_counted_on_paper() -> None:
    few, many = (gflop_of(faster_rcnn(proposals=n), 128) for n in (10, 100))
    per_box = 2 * (64 * 49 * 32 + 32 * 32 + 32 * (2 + 8)) / 1e9
    assert many - few == pytest.approx(90 * per_box)


def test_published_weights_lose_their_finest_level_and_their_anchors() -> None:
    network = faster_rcnn(1, 3)
    value = torch.zeros(1)
    state = {f"backbone.fpn.inner_blocks.{n}.weight": value + n for n in range(4)}
    state |= {f"backbone.fpn.layer_blocks.{n}.bias": value + n for n in range(4)}
    state |= {"rpn.head.cls_logits.weight": value, "roi_heads.box_head.fc6.bias": value}
    named = network.own_names(state)
    assert {name: float(own) for name, own in named.items()} == {
        **{f"backbone.fpn.inner_blocks.{n}.0.weight": n + 1 for n in range(3)},
        **{f"backbone.fpn.layer_blocks.{n}.0.bias": n + 1 for n in range(3)},
        "roi_heads.box_head.fc6.bias": 0,
    }
    own = network.state_dict()
    assert network.own_names(own).keys() == own.keys()
