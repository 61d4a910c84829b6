"""build_model: the config's detector, classes, anchors and magnification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import retinanet_resnet50_fpn_v2

from midog.config.load import load_config, parse_config
from midog.config.schema import RunConfig
from midog.errors import WeightsError
from midog.models.build import (
    build_model,
    count_parameters,
    num_classes,
    without_first_weights,
)


def settings(**sections: Any) -> RunConfig:
    """A small model without weights, with other settings on top."""
    model = {
        "backbone": "resnet18",
        "weights": "none",
        "anchor_sizes": [[40, 56]],
        **sections.pop("model", {}),
    }
    return parse_config({"model": model, **sections})


@pytest.mark.parametrize(
    ("imposters", "classes"), [("ignore", 1), ("hard_negative", 1), ("second_class", 2)]
)
def test_imposters_are_a_class_only_where_they_are_to_be(imposters: str, classes: int) -> None:
    config = settings(sampling={"imposters": imposters})
    assert num_classes(config.sampling) == classes
    assert build_model(config).head.classification_head.num_classes == classes + 1


def test_the_config_reaches_the_model() -> None:
    model = build_model(
        settings(
            model={
                "anchor_sizes": [[40], [80]],
                "anchor_ratios": [0.5, 1, 2],
                "nms_iou": 0.4,
                "max_detections": 7,
            }
        )
    )
    assert model.anchor_generator.sizes == ((40.0,), (80.0,))
    assert model.anchor_generator.aspect_ratios == ((0.5, 1.0, 2.0),) * 2
    assert (model.nms_iou, model.max_detections, model.frame.magnification) == (0.4, 7, 1.0)


def test_resize_is_a_factor_for_tiles_of_any_size() -> None:
    model = build_model(settings(model={"resize": 96}, sampling={"patch_size": 64}))
    assert model.frame.magnification == 1.5


def test_default_model_has_no_hidden_resize_and_nothing_frozen() -> None:
    model = build_model(RunConfig(), pretrained=False)
    learning, total = count_parameters(model)
    assert model.frame.magnification == 1.0
    assert learning == total > 30e6


@pytest.mark.parametrize("unfrozen", [0, 3, 5])
def test_frozen_parameters_are_counted_apart(unfrozen: int) -> None:
    model = build_model(
        settings(model={"backbone": {"kind": "resnet18", "unfrozen_layers": unfrozen}}),
        pretrained=False,
    )
    learning, total = count_parameters(model)
    assert total == sum(p.numel() for p in model.parameters())
    assert total - learning == sum(
        p.numel() for p in model.backbone.body.parameters() if not p.requires_grad
    )


def test_count_of_a_model_that_one_can_count() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model[0].requires_grad_(False)
    assert count_parameters(model) == (6, 15)


def test_architecture_alone_needs_no_weights(tmp_path: Path) -> None:
    config = settings(model={"weights": str(tmp_path / "missing.pth")})
    build_model(config, pretrained=False)
    with pytest.raises(WeightsError, match="no such file"):
        build_model(config)


def test_a_model_starts_from_a_file(tmp_path: Path) -> None:
    saved = build_model(settings()).state_dict()
    save_file(saved, tmp_path / "model.safetensors")
    model = build_model(settings(model={"weights": str(tmp_path / "model.safetensors")}))
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())


def gflop(model: Any, side: int) -> float:
    """Of the network alone for one image, two per multiplication; with meta tensors nothing is
    computed."""
    with FlopCounterMode(display=False) as counter:
        features = model.backbone(torch.zeros(1, 3, side, side, device="meta"))
        model.head(list(features.values()) if isinstance(features, dict) else features)
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize(
    ("name", "work"), [("default", 103.5), ("fast", 42.7), ("reference", 255.2)]
)
def test_gflop_of_a_patch_of_512_px_forward(name: str, work: float) -> None:
    config = load_config(name)
    with torch.device("meta"):
        model = build_model(config, pretrained=False)
    assert round(gflop(model, config.model.resize or 512), 1) == work


def test_gflop_of_torchvision_as_shipped_which_shows_512_px_at_800() -> None:
    model = retinanet_resnet50_fpn_v2(weights=None, weights_backbone=None, num_classes=2)
    shown = model.transform([torch.zeros(3, 512, 512)])[0].tensors.shape[-1]
    assert shown == 800
    assert round(gflop(model.to("meta"), shown), 1) == 255.2


def test_fast_yaml_builds_no_layer4_and_one_anchor_per_place() -> None:
    model = build_model(load_config("fast"), pretrained=False)
    assert not hasattr(model.backbone.body, "layer4")
    assert model.anchor_generator.num_anchors_per_location() == [1, 1]
    assert {p.shape[0] for n, p in model.backbone.fpn.named_parameters()} == {128}
    assert count_parameters(model)[0] == count_parameters(model)[1] > 9e6


def test_no_number_is_drawn_and_nothing_but_weights_is_different() -> None:
    state = torch.get_rng_state()
    with without_first_weights():
        empty = build_model(settings(), pretrained=False)
    assert torch.equal(torch.get_rng_state(), state)
    full = build_model(settings(), pretrained=False)
    empty.load_state_dict(full.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        one, other = (model.eval().candidates(images, 0.0) for model in (empty, full))
    assert torch.equal(one.scores, other.scores)
    assert torch.equal(one.boxes, other.boxes)


def test_weights_are_drawn_again_behind_it() -> None:
    with without_first_weights(), pytest.raises(ValueError, match="stop"):
        raise ValueError("stop")
    assert torch.nn.init.zeros_(torch.ones(3)).tolist() == [0, 0, 0]
