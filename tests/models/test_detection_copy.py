"""The copy for detection: the same outputs without BatchNorm, half the digits where asked for, the
model untouched."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from midog.models.detection_copy import detection_copy, merge_batchnorm
from midog.models.retinanet import RetinaNet
from tests.models.networks import retinanet


def taught(backbone: str = "resnet18", levels: int = 2, **more: Any) -> RetinaNet:
    """A network whose BatchNorm has seen something: no weight, bias, mean or variance is what it
    began as."""
    torch.manual_seed(0)
    model = retinanet(backbone, 1, anchor_sizes=((24.0, 32.0),) * levels, **more)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.5, 0.5),
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2),
            ):
                assert value is not None
                nn.init.uniform_(value, low, high)
    return model


def outputs(model: Any, images: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        named: dict[str, Tensor] = model.head(model.backbone(model.frame(images).images))
    return named


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(("backbone", "levels"), [("resnet18", 2), ("resnet50", 5)])
def test_the_outputs_are_those_of_the_model_and_no_batchnorm_is_left(
    backbone: str, levels: int
) -> None:
    model, images = taught(backbone, levels).eval(), torch.rand(2, 3, 96, 128)
    folded = merge_batchnorm(model)
    assert norms(model) > 10
    assert norms(folded) == 0
    assert sum(isinstance(module, nn.GroupNorm) for module in folded.modules()) == 8, (
        "the head's stay"
    )
    for name, expected in outputs(model, images).items():
        merged = outputs(folded, images)[name]
        assert (merged - expected).abs().max() <= 1e-5 * expected.abs().max(), name


def test_batchnorm_of_head_and_pyramid_is_merged_too() -> None:
    model = taught(head_norm="batch", pyramid_norm="batch", head_convs=2, channels=64).eval()
    images = torch.rand(2, 3, 96, 128)
    folded = merge_batchnorm(model)
    assert norms(model) == norms(taught()) + 4 + 4
    assert norms(folded) == 0
    for name, expected in outputs(model, images).items():
        merged = outputs(folded, images)[name]
        assert (merged - expected).abs().max() <= 1e-5 * expected.abs().max(), name


def test_a_model_in_training_goes_on_as_it_was() -> None:
    model = taught()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    model.for_detection(torch.bfloat16)
    assert [module.training for module in model.modules()] == modes
    assert all(
        parameter.requires_grad and parameter.dtype == torch.float32
        for parameter in model.parameters()
    )
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_the_copy_does_not_follow_the_model() -> None:
    model, images = taught(), torch.rand(1, 3, 64, 64)
    copied = model.for_detection(torch.float32)
    before = outputs(copied, images)["cls_logits"]
    with torch.no_grad():
        model.backbone.body.conv1.weight.zero_()
    assert torch.equal(outputs(copied, images)["cls_logits"], before)


def test_bfloat16_has_float32_outputs_near_those_of_the_model() -> None:
    model, images = taught().eval(), torch.rand(2, 3, 64, 96)
    half = model.for_detection(torch.bfloat16)
    dtypes = {
        type(module): module.weight.dtype
        for module in half.backbone.modules()
        if hasattr(module, "weight")
    }
    assert set(dtypes.values()) == {torch.bfloat16}
    candidates = half.candidates(images, 0.0)
    expected = model.candidates(images, 0.0)
    assert candidates.boxes.dtype == candidates.scores.dtype == torch.float32
    assert (
        len(candidates.scores[candidates.scores > 0].unique()) > 0.9 * (candidates.scores > 0).sum()
    ), "more digits than bfloat16 has"
    torch.testing.assert_close(candidates.scores.mean(), expected.scores.mean(), rtol=0.02, atol=0)


def test_a_model_without_convolutions_is_copied() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 2))
    images = torch.rand(3, 4, 1, 1)
    assert torch.equal(detection_copy(model, torch.bfloat16)(images), model.eval()(images))
