"""Features from a backbone: the maps of the detector's own forward pass, averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from midog.config import parse_config
from midog.errors import DeviceError
from midog.inference.detect import Detector
from midog.models import build_model
from midog.shift.features import backbone_features

Pixels = NDArray[np.uint8]
SIDE = 64


def make(unfrozen: int = 5, **model: Any) -> Detector:
    """A ResNet-18 with random weights and two maps: 128 and 256 channels."""
    settings = {"backbone": "resnet18", "weights": "none", "anchor_sizes": [[32], [50]], "unfrozen_layers": unfrozen}
    torch.manual_seed(0)
    config = parse_config({"model": settings | model, "sampling": {"patch_size": 128}})
    return Detector(build_model(config, pretrained=False).eval(), config, device="cpu")


@pytest.fixture(scope="module")
def detector() -> Detector:
    return make()


def draw(count: int, side: int = SIDE) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def shapes_shown(detector: Detector, call: Callable[[], Any]) -> list[tuple[int, ...]]:
    """Shapes of what the body is shown during a call."""
    shapes: list[tuple[int, ...]] = []
    watch = detector.model.backbone.body.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape))
    call()
    watch.remove()
    return [tuple(shape) for shape in shapes]


def test_they_are_the_means_of_the_maps_of_normalised_patches(detector):
    patches = draw(2)
    shown = (patches / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        maps = detector.model.backbone.body(torch.from_numpy(shown).permute(0, 3, 1, 2).float())
    expected = np.concatenate([level.numpy().mean(axis=(2, 3)) for level in maps.values()], axis=1)
    features = backbone_features(detector, patches)
    assert features.shape == (2, 128 + 256)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_patches_are_shown_as_large_as_tiles_are():
    larger = make(resize=192)
    assert shapes_shown(larger, lambda: backbone_features(larger, draw(1), 1)) == [(1, 3, 96, 96)]


def test_a_side_that_32_does_not_divide_is_padded(detector):
    assert shapes_shown(detector, lambda: backbone_features(detector, draw(1, 50), 1)) == [(1, 3, 64, 64)]


def test_all_batches_have_one_shape(detector):
    assert shapes_shown(detector, lambda: backbone_features(detector, draw(5), 2)) == [(2, 3, SIDE, SIDE)] * 3


def test_the_batch_size_does_not_matter(detector):
    patches = draw(5)
    one, two, all_at_once = (backbone_features(detector, patches, size) for size in (1, 2, 16))
    np.testing.assert_allclose(one, two, atol=1e-4, rtol=0)
    np.testing.assert_allclose(one, all_at_once, atol=1e-4, rtol=0)


def test_a_patch_has_the_same_features_whatever_is_beside_it(detector):
    patches = draw(4)
    turned = backbone_features(detector, patches[::-1].copy(), 3)[::-1]
    np.testing.assert_allclose(turned, backbone_features(detector, patches, 3), atol=1e-4, rtol=0)


def test_the_same_patches_give_the_same_bytes(detector):
    assert backbone_features(detector, draw(3)).tobytes() == backbone_features(detector, draw(3)).tobytes()


def test_no_patches_give_no_features_of_the_same_length(detector):
    assert backbone_features(detector, draw(0)).shape == (0, 128 + 256)


def test_a_model_in_training_is_left_as_it_was():
    detector = make(unfrozen=2)
    before = backbone_features(detector, draw(2))
    detector.model.train()
    modes = [module.training for module in detector.model.modules()]
    state = {name: value.clone() for name, value in detector.model.state_dict().items()}
    np.testing.assert_array_equal(backbone_features(detector, draw(2)), before)
    assert [module.training for module in detector.model.modules()] == modes
    assert set(modes) == {True, False}  # frozen stages stay in eval mode
    assert all(torch.equal(value, state[name]) for name, value in detector.model.state_dict().items())
    assert not detector.model.backbone.body._forward_hooks


def test_out_of_memory_is_said_in_a_line(monkeypatch):
    detector = make()

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(detector.model.backbone, "forward", full)
    with pytest.raises(DeviceError, match=r"cpu is out of memory with 16 patches of 64 px at a time; .*--device cpu"):
        backbone_features(detector, draw(2))
    assert not detector.model.backbone.body._forward_hooks


def test_other_failures_are_not_called_out_of_memory(monkeypatch):
    detector = make()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("sizes do not match")

    monkeypatch.setattr(detector.model.backbone, "forward", broken)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        backbone_features(detector, draw(2))
