"""RetinaNet: torchvision's losses and detections, ignored boxes, any size, precision and batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import RetinaNet as TorchvisionRetinaNet
from torchvision.models.detection import retinanet_resnet50_fpn_v2
from torchvision.ops import box_iou

from midog.models.protocol import pad_targets
from midog.models.retinanet import LossMethod, RetinaNet
from tests.models.networks import NamedMaps, retinanet

SMALL = ((24.0, 32.0), (48.0, 64.0))
TORCHVISION_SIZES = tuple(
    (x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in (32, 64, 128, 256, 512)
)


def small(seed: int = 0, **settings: Any) -> RetinaNet:
    """A ResNet-18 with two levels and random weights whose scores spread."""
    torch.manual_seed(seed)
    model = retinanet("resnet18", settings.pop("num_classes", 1), anchor_sizes=SMALL, **settings)
    return spread(model)


def spread(model: Any) -> Any:
    """Logits that spread over (0, 1), boxes that leave their anchors, and a class 0 as silent as a
    trained one."""
    head = model.head
    torch.nn.init.normal_(head.classification_head.cls_logits.weight, std=0.04)
    torch.nn.init.normal_(head.regression_head.bbox_reg.weight, std=0.01)
    torch.nn.init.constant_(head.classification_head.cls_logits.bias, -1.0)
    classes = head.classification_head.num_classes
    head.classification_head.cls_logits.weight.data[::classes] = 0
    head.classification_head.cls_logits.bias.data[::classes] = -30
    return model


def noise(*shape: int, seed: int = 1) -> Tensor:
    """Images in [0, 1] with structure at the scale of a box, so that scores differ from place to
    place."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(shape[0], 3, shape[1] // 8, shape[2] // 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=shape[1:], mode="bicubic").clamp(0, 1)


def target(
    *boxes: tuple[float, float, float, float], label: int = 1, **extra: Tensor
) -> dict[str, Tensor]:
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.full((len(boxes),), label),
        **extra,
    }


def total(losses: Any) -> Tensor:
    return losses["classification"] + losses["bbox_regression"]


def assert_same_detections(ours: Any, theirs: Any) -> None:
    assert sum(len(image["boxes"]) for image in theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a["scores"], b["scores"], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(a["boxes"], b["boxes"], rtol=1e-5, atol=1e-3)
        assert torch.equal(a["labels"], b["labels"])


def test_equals_torchvision_with_resnet50() -> None:
    torch.manual_seed(0)
    theirs = retinanet_resnet50_fpn_v2(
        num_classes=3,
        weights=None,
        weights_backbone=None,
        min_size=96,
        max_size=128,
        score_thresh=0.2,
        nms_thresh=0.2,
    )
    ours = retinanet("resnet50", 2, anchor_sizes=TORCHVISION_SIZES, anchor_ratios=(0.5, 1.0, 2.0))
    spread(theirs)
    assert {n: v.shape for n, v in ours.state_dict().items()} == {
        n: v.shape for n, v in theirs.state_dict().items()
    }
    ours.load_state_dict(theirs.state_dict())
    images = noise(2, 96, 128)
    targets = [
        {**target((10, 20, 60, 70), (50, 30, 110, 90)), "labels": torch.tensor([1, 2])},
        target(),
    ]
    expected, losses = theirs(list(images), targets), ours(images, pad_targets(targets))
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert_same_detections(ours.eval().detections(images, 0.2), theirs.eval()(list(images)))


@pytest.mark.parametrize(("side", "shown"), [(64, 64), (64, 100), (128, 96), (100, 100)])
def test_resize_and_padding_equal_torchvision(side: int, shown: int) -> None:
    ours = small(magnification=shown / side)
    theirs = TorchvisionRetinaNet(
        NamedMaps(ours.backbone, 256),
        2,
        head=ours.head,
        anchor_generator=ours.anchor_generator,
        min_size=shown,
        nms_thresh=0.2,
    )
    images, targets = noise(2, side, side), [target((5, 5, 40, 50)), target()]
    expected, losses = theirs(list(images), targets), ours(images, pad_targets(targets))
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert_same_detections(ours.eval().detections(images, 0.05), theirs.eval()(list(images)))


def test_detections_are_boxes_in_the_image_best_first() -> None:
    model = small(num_classes=2, max_detections=20).eval()
    for detections in model.detections(noise(2, 72, 88), 0.1):
        assert 0 < len(detections["boxes"]) <= 20
        assert detections["boxes"].min() >= 0
        assert detections["boxes"][:, ::2].max() <= 88
        assert detections["boxes"][:, 1::2].max() <= 72
        assert detections["scores"].min() > 0.1
        assert torch.equal(detections["scores"], detections["scores"].sort(descending=True).values)
        assert set(detections["labels"].tolist()) <= {1, 2}
        assert detections["labels"].dtype == torch.int64


def test_boxes_of_one_class_overlap_at_most_nms_iou() -> None:
    detections = small(num_classes=2, nms_iou=0.2).eval().detections(noise(1, 96, 96), 0.01)[0]
    overlap = box_iou(detections["boxes"], detections["boxes"]).fill_diagonal_(0)
    same = detections["labels"][:, None] == detections["labels"]
    assert overlap[same].max() <= 0.2
    assert overlap[~same].max() > 0.2


def test_nothing_over_the_floor_gives_empty_arrays() -> None:
    detections = small().eval().detections(noise(1, 64, 64), 0.9999)[0]
    assert detections["boxes"].shape == (0, 4)
    assert detections["scores"].shape == detections["labels"].shape == (0,)


def test_class_0_is_never_reported() -> None:
    model = small()
    torch.nn.init.constant_(model.head.classification_head.cls_logits.bias, 5.0)
    assert set(model.eval().detections(noise(1, 64, 64), 0.05)[0]["labels"].tolist()) == {1}


def test_an_image_is_detected_alike_in_any_batch() -> None:
    model, images = small().eval(), noise(5, 64, 64)
    together = model.detections(images, 0.05)
    for i in range(len(images)):
        assert_same_detections(model.detections(images[i : i + 1], 0.05), together[i : i + 1])


def test_tiles_of_any_size_are_shown_at_one_magnification() -> None:
    model, image = small(magnification=1.5).eval(), noise(1, 128, 128)
    assert model.frame(image).images.shape[-2:] == (192, 192)
    assert model.frame(image[..., :64, :64]).images.shape[-2:] == (96, 96)


def test_channels_last_and_autocast_agree_with_plain_float32() -> None:
    model, images, targets = (
        small(),
        noise(2, 64, 64),
        pad_targets([target((5, 5, 40, 50)), target()]),
    )
    plain = model.eval()(images, targets)
    model.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    last = model(images, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half, detections = model(images, targets), model.detections(images, 0.05)
    assert len(detections[0]["boxes"]) > 0
    assert detections[0]["boxes"].dtype == detections[0]["scores"].dtype == torch.float32
    for name, value in plain.items():
        torch.testing.assert_close(last[name], value, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(half[name], value, rtol=0.05, atol=0)
        assert half[name].dtype == torch.float32


@pytest.mark.parametrize("in_training", [True, False])
def test_a_batch_without_boxes_teaches_background(in_training: bool) -> None:
    model = small().train(in_training)
    losses = model(noise(2, 64, 64), pad_targets([target(), target()]))
    assert losses["bbox_regression"] == 0
    assert losses["classification"] > 0
    total(losses).backward()


def test_targets_are_left_as_they_were() -> None:
    mine = target((5, 5, 40, 50), ignore=torch.tensor([[50.0, 50, 90, 90]]))
    before = {name: value.clone() for name, value in mine.items()}
    small(magnification=1.5)(noise(1, 64, 64), pad_targets([mine]))
    assert all(torch.equal(mine[name], value) for name, value in before.items())


@pytest.mark.parametrize(("method", "rounding"), [("batched", 0), ("per_image", 5e-7)])
def test_ignored_figures_teach_nothing(method: LossMethod, rounding: float) -> None:
    """The scores' gradient is zero under an ignored box, which may reach over the edge, and
    elsewhere as before: to the bit but where fewer anchors are in a row, as some CPUs round the
    ends of a vector otherwise."""
    model, images = small().eval(), noise(1, 96, 96)
    model.loss_method = method
    cut = torch.tensor([[70.0, 30, 120, 80]])
    anchors, _ = model.anchor_generator.of(model.backbone(images), images.shape[-2:])
    center = (anchors[:, :2] + anchors[:, 2:]) / 2
    under = ((center >= cut[:, :2]) & (center <= cut[:, 2:])).all(dim=1) | (
        box_iou(anchors, cut)[:, 0] >= 0.4
    )
    assert 0 < under.sum() < len(under)
    plain, spared = (_logit_gradients(model, images, extra) for extra in ({}, {"ignore": cut}))
    assert (plain[under] != 0).all()
    assert (spared[under] == 0).all()
    torch.testing.assert_close(spared[~under], plain[~under], rtol=rounding, atol=0)


def _logit_gradients(model: RetinaNet, images: Tensor, extra: dict[str, Tensor]) -> Tensor:
    """Gradient of the loss by each anchor's class 1 logit, (A,)."""
    kept: list[Tensor] = []

    def keep(_module: Any, _inputs: Any, logits: Tensor) -> None:
        logits.retain_grad()
        kept.append(logits)

    handle = model.head.classification_head.register_forward_hook(keep)
    total(model(images, pad_targets([target(**extra)]))).backward()
    handle.remove()
    assert kept[0].grad is not None
    return kept[0].grad[0, :, 1]


def test_it_learns_from_random_weights() -> None:
    torch.manual_seed(0)
    model = retinanet("resnet18", 1, anchor_sizes=((24.0, 32.0),))
    images = noise(4, 64, 64) * 0.3 + 0.7
    targets = []
    for i, image in enumerate(images):
        image[:, 8 + 4 * i : 36 + 4 * i, 10 : 38 + i] = 0.1
        targets.append(target((10, 8 + 4 * i, 38 + i, 36 + 4 * i)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(25):
        optimizer.zero_grad()
        total(model(images, pad_targets(targets))).backward()
        optimizer.step()
    with torch.no_grad():
        detections = model.detections(images, 0.05)
    for image, true in zip(detections, targets, strict=True):
        assert box_iou(image["boxes"][:1], true["boxes"]).item() > 0.5
