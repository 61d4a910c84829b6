"""FCOS: torchvision's losses and detections, ignored boxes, any size and precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS as TorchvisionFCOS
from torchvision.models.detection import fcos_resnet50_fpn
from torchvision.models.detection.fcos import FCOSHead as TorchvisionHead

from midog.models.fcos import FCOS
from midog.models.protocol import pad_targets
from tests.models.networks import NamedMaps, body
from tests.models.test_retinanet import assert_same_detections, noise, target

BOXES = ((10.0, 20, 60, 70), (50, 30, 110, 90))


def fcos(backbone: str = "resnet18", levels: int = 2, classes: int = 1, **settings: Any) -> FCOS:
    """Random weights whose scores spread over (0, 1), with a class 0 that is silent."""
    torch.manual_seed(0)
    network = FCOS(body(backbone, levels), classes, levels=levels, **settings)
    return spread(network)


def spread(network: Any) -> Any:
    head, classes = network.head.classification_head, network.head.classification_head.num_classes
    nn.init.normal_(head.cls_logits.weight, std=0.04)
    nn.init.constant_(head.cls_logits.bias, 0.0)
    head.cls_logits.weight.data[::classes] = 0
    head.cls_logits.bias.data[::classes] = -60
    branch = network.head.regression_head
    nn.init.normal_(branch.bbox_ctrness.weight, std=0.04)
    nn.init.normal_(branch.bbox_reg.weight, std=0.02)
    nn.init.constant_(branch.bbox_reg.bias, 2.0)
    return network


def around(network: FCOS, side: int) -> TorchvisionFCOS:
    """torchvision's own detector with the pyramid and the branches of ours."""
    outputs = network.head.classification_head.num_classes
    head = TorchvisionHead(256, 1, outputs)
    head.classification_head = network.head.classification_head
    head.regression_head = network.head.regression_head
    return TorchvisionFCOS(
        NamedMaps(network.backbone, 256),
        outputs,
        head=head,
        anchor_generator=network.anchor_generator,
        min_size=side,
        nms_thresh=0.2,
        score_thresh=0.3,
    )


def gradients(network: nn.Module, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    network.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}


def test_equals_torchvision_with_resnet50() -> None:
    torch.manual_seed(0)
    theirs = fcos_resnet50_fpn(
        num_classes=3,
        weights=None,
        weights_backbone=None,
        min_size=96,
        max_size=128,
        score_thresh=0.3,
        nms_thresh=0.2,
    )
    spread(theirs)
    ours = fcos("resnet50", 5, 2)
    assert {n: v.shape for n, v in ours.state_dict().items()} == {
        n: v.shape for n, v in theirs.state_dict().items()
    }
    ours.load_state_dict(theirs.state_dict())
    images = noise(2, 96, 128)
    targets = [{**target(*BOXES), "labels": torch.tensor([1, 2])}, target()]
    expected, losses = theirs(list(images), targets), ours(images, pad_targets(targets))
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert_same_detections(ours.eval().detections(images, 0.3), theirs.eval()(list(images)))


@pytest.mark.parametrize(("side", "shown"), [(64, 100), (128, 96)])
def test_losses_and_all_gradients_are_torchvisions_at_any_size(side: int, shown: int) -> None:
    ours = fcos(magnification=shown / side)
    images, targets = noise(2, side, side), [target((5, 5, 40, 50), (30, 20, 60, 61)), target()]
    theirs = around(ours, shown)
    expected = theirs(list(images), targets)
    expected_gradients = gradients(ours, expected)
    losses = ours(images, pad_targets(targets))
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-6)
    ours_gradients = gradients(ours, losses)
    assert ours_gradients.keys() == {name for name, _ in ours.named_parameters()}
    for name, value in expected_gradients.items():
        torch.testing.assert_close(
            ours_gradients[name], value, rtol=1e-5, atol=1e-5 * float(value.abs().max())
        )
    with torch.no_grad():
        assert_same_detections(ours.eval().detections(images, 0.3), theirs.eval()(list(images)))


def test_a_score_is_the_root_of_class_times_centerness() -> None:
    network, image = fcos(levels=1).eval(), noise(1, 64, 64)
    with torch.no_grad():
        outputs = network.head(network.backbone(network.frame(image).images))
        candidates = network.candidates(image, 0.4)
    product = outputs["cls_logits"][0, :, 1].sigmoid() * outputs["bbox_ctrness"][0, :, 0].sigmoid()
    scores = product.sqrt().sort(descending=True).values
    assert 0 < (scores > 0.4).sum() < len(scores)
    torch.testing.assert_close(candidates.scores[0], scores.where(scores > 0.4, 0))


def test_ignored_figures_teach_no_score() -> None:
    """The scores' gradient is zero at places in an ignored box, and elsewhere as before."""
    network, images = fcos(levels=1).eval(), noise(1, 96, 96)
    cut = torch.tensor([[70.0, 30, 120, 80]])
    squares, _ = network.anchor_generator.of(network.backbone(images), images.shape[-2:])
    places = (squares[:, :2] + squares[:, 2:]) / 2
    under = ((places >= cut[:, :2]) & (places <= cut[:, 2:])).all(dim=1)
    assert 0 < under.sum() < len(under)
    plain, spared = (logit_gradients(network, images, extra) for extra in ({}, {"ignore": cut}))
    assert (plain[under] != 0).all()
    assert (spared[under] == 0).all()
    assert torch.equal(spared[~under], plain[~under])


def logit_gradients(network: FCOS, images: Tensor, extra: dict[str, Tensor]) -> Tensor:
    """Gradient of the loss by each place's class 1 logit, (A,)."""
    kept: list[Tensor] = []

    def keep(_module: Any, _inputs: Any, logits: Tensor) -> None:
        logits.retain_grad()
        kept.append(logits)

    handle = network.head.classification_head.register_forward_hook(keep)
    losses = network(images, pad_targets([target((8, 8, 50, 52), **extra)]))
    torch.stack(list(losses.values())).sum().backward()
    handle.remove()
    assert kept[0].grad is not None
    return kept[0].grad[0, :, 1]


def test_autocast_and_channels_last_agree_with_float32() -> None:
    network, images = fcos().eval(), noise(2, 64, 64)
    targets = pad_targets([target((5, 5, 40, 50)), target()])
    plain = network(images, targets)
    network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(images.contiguous(memory_format=torch.channels_last), targets)
    for name, value in plain.items():
        torch.testing.assert_close(half[name], value, rtol=0.05, atol=0)
        assert half[name].dtype == torch.float32
