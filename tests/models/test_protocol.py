"""What every network of the registry keeps to; padded targets."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from midog.config.load import parse_config
from midog.models.build import build_model, num_classes
from midog.models.centre_detector import CentreDetector
from midog.models.protocol import ROWS, DetectionNetwork, example_targets, pad_targets
from midog.models.registry import DETECTORS
from midog.models.spread_scores import spread_centres
from tests.models.networks import lean


@pytest.mark.parametrize(("rows", "length"), [(0, 8), (1, 8), (8, 8), (9, 16)])
def test_rows_are_padded_to_few_lengths(rows: int, length: int) -> None:
    padded = pad_targets(
        [_target(*[(1, 2, 3, 4)] * rows, label=2), _target()],
    )
    assert {name: tuple(tensor.shape) for name, tensor in padded.items()} == {
        "boxes": (2, length, 4),
        "labels": (2, length),
        "ignore": (2, ROWS, 4),
    }
    assert padded["labels"].dtype == torch.int64
    assert padded["labels"].sum(dim=1).tolist() == [2 * rows, 0]


def test_example_targets_hold_one_box_an_image() -> None:
    targets = example_targets(3, torch.device("cpu"))
    assert (targets["labels"] > 0).sum(dim=1).tolist() == [1, 1, 1]
    assert targets["boxes"].max() <= 64


def _target(*boxes: tuple[float, ...], label: int = 1) -> dict[str, Tensor]:
    xyxy = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return {"boxes": xyxy, "labels": torch.full((len(boxes),), label)}


def check_detector(model: dict[str, Any], imposters: str = "ignore") -> None:
    """Build a detector and hold it to all that `DetectionNetwork` promises.

    Args:
        model: the section `model`.
        imposters: sampling.imposters, which decides the number of classes.
    """
    config = parse_config({"model": model, "sampling": {"imposters": imposters}})
    torch.manual_seed(0)
    _check_network(build_model(config), num_classes(config.sampling))


def _check_network(network: DetectionNetwork, classes: int) -> None:
    images = torch.rand(2, 3, 72, 104, generator=torch.Generator().manual_seed(0))
    _check_losses(network, images)
    network.eval()
    if isinstance(network, CentreDetector):  # of equal cells rounding chooses the peaks
        spread_centres(network, images, share=0.05)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.inference_mode():
        _check_candidates(network, images, classes)
        _check_features(network, images)
        _check_copy(network, images)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def _check_losses(network: DetectionNetwork, images: Tensor) -> None:
    empty = pad_targets([_target(), _target()])
    for training in (True, False):
        network.train(training)
        for targets in (example_targets(2, torch.device("cpu")), empty):
            losses = network(images, targets)
            assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
            assert all(loss.dtype == torch.float32 for loss in losses.values())
            network.zero_grad()
            torch.stack(list(losses.values())).sum().backward()
        learning = [p for p in network.parameters() if p.requires_grad]
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in learning)


def _check_candidates(network: DetectionNetwork, images: Tensor, classes: int) -> None:
    height, width = images.shape[-2:]
    candidates = network.candidates(images, 0.0)
    assert [column.shape for column in candidates] == [
        (2, candidates.scores.shape[1], 4),
        candidates.scores.shape,
        candidates.scores.shape,
    ]
    assert [column.dtype for column in candidates] == [torch.float32, torch.float32, torch.int64]
    limit = torch.tensor([width, height, width, height])
    assert ((candidates.boxes >= 0) & (candidates.boxes <= limit)).all()
    assert ((candidates.scores >= 0) & (candidates.scores <= 1)).all()
    assert set(candidates.labels.unique().tolist()) <= set(range(1, classes + 1))
    middle = float(candidates.scores[candidates.scores > 0].median())
    over = network.candidates(images, middle).scores
    assert ((over == 0) | (over > middle)).all()
    for detections in network.detections(images, middle):
        assert (detections["scores"] > middle).all()
        assert (detections["scores"].diff() <= 0).all()
        assert len(detections["boxes"]) == len(detections["scores"]) == len(detections["labels"])


def _check_features(network: DetectionNetwork, images: Tensor) -> None:
    maps = network.features(images)
    assert len(maps) > 0
    assert all(level.ndim == 4 and len(level) == len(images) for level in maps)
    sizes = [level.shape[-1] for level in maps]
    assert sizes == sorted(sizes, reverse=True), "finest first"


def _check_copy(network: DetectionNetwork, images: Tensor) -> None:
    expected = network.candidates(images, 0.0)
    copied = network.for_detection(torch.float32)
    assert not any(p.requires_grad for p in copied.parameters())
    assert not copied.training
    scores = copied.candidates(images, 0.0).scores
    torch.testing.assert_close(
        scores.sort().values, expected.scores.sort().values, rtol=1e-3, atol=1e-4
    )
    half = network.for_detection(torch.bfloat16).candidates(images, 0.0)
    assert half.boxes.dtype == half.scores.dtype == torch.float32
    torch.testing.assert_close(half.scores.mean(), expected.scores.mean(), rtol=0.1, atol=0.01)


@pytest.mark.parametrize("imposters", ["ignore", "second_class"])
@pytest.mark.parametrize("kind", DETECTORS)
def test_every_detector_keeps_the_protocol(kind: str, imposters: str) -> None:
    check_detector(lean(kind), imposters)
