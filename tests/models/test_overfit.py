"""Every detector of the registry learns one batch by heart: near zero loss, every figure found."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from midog.config.load import parse_config
from midog.models.build import build_model
from midog.models.faster_rcnn import FasterRCNN
from midog.models.fcos import FCOS
from midog.models.fcos_losses import centerness, match_places
from midog.models.protocol import BoxTargets, DetectionNetwork, pad_targets
from midog.models.registry import DETECTORS
from tests.models.networks import lean

SIDE = 96
FIGURES = (((30, 34), (66, 62)), ())
LOOK_ALIKES = (((76, 18),), ((46, 50),))
ONE_LEVEL = {"levels": 1, "maps": 1, "anchor_sizes": [[40, 50, 63]]}
UPDATES, UPDATES_OF_TWO_STAGES = 60, 120


def batch() -> tuple[Tensor, BoxTargets]:
    """Two patches of pale noise, each with a paler disc, one of them with two dark ellipses."""
    images = 0.8 + 0.05 * torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    targets = []
    for image, figures, others in zip(images, FIGURES, LOOK_ALIKES, strict=True):
        for places, sides, colour in (
            (figures, (12, 8), (0.25, 0.15, 0.4)),
            (others, (10, 10), (0.45, 0.35, 0.6)),
        ):
            for across, down in places:
                inside = ((x - across) / sides[0]) ** 2 + ((y - down) / sides[1]) ** 2 < 1
                image[:, inside] = torch.tensor(colour)[:, None]
        centers = torch.tensor(figures, dtype=torch.float32).reshape(-1, 2)
        boxes = torch.cat([centers - 25, centers + 25], dim=1)
        labels = torch.ones(len(boxes), dtype=torch.int64)
        targets.append({"boxes": boxes, "labels": labels})
    return images.clamp(0, 1), pad_targets(targets)


def made(kind: str) -> DetectionNetwork:
    fields = DETECTORS[kind].settings.model_fields
    one_level = {name: value for name, value in ONE_LEVEL.items() if name in fields}
    torch.manual_seed(0)
    return build_model(parse_config({"model": {**lean(kind), **one_level}}))


def least_loss(network: DetectionNetwork, images: Tensor, targets: BoxTargets) -> float:
    """What no network can undercut: a cross entropy with a share for its target is not 0."""
    if not isinstance(network, FCOS):
        return 0.0
    maps = network.backbone(network.frame(images).images)
    squares, levels = network.anchor_generator.of(maps, (SIDE, SIDE))
    matches = match_places(levels, targets)
    rows = matches.clamp(min=0)[..., None].expand(-1, -1, 4)
    share = centerness(squares, targets["boxes"].gather(1, rows))[matches >= 0]
    return float(torch.nn.functional.binary_cross_entropy(share, share))


def learn(network: DetectionNetwork, images: Tensor, targets: BoxTargets) -> tuple[float, float]:
    """Train on the one batch; the loss of the first update, and the one in eval mode behind all."""
    updates = UPDATES_OF_TWO_STAGES if isinstance(network, FasterRCNN) else UPDATES
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    rates: Any = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2e-3, total_steps=updates, pct_start=0.1
    )
    first = total(network.train()(images, targets)).item()
    for _ in range(updates):
        optimizer.zero_grad()
        total(network(images, targets)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        rates.step()
    with torch.no_grad():
        return first, total(network.eval()(images, targets)).item()


def total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


@pytest.mark.parametrize("kind", DETECTORS)
def test_one_batch_is_learned_by_heart(kind: str) -> None:
    network, (images, targets) = made(kind), batch()
    first, last = learn(network, images, targets)
    least = least_loss(network, images, targets)
    assert 0 <= last - least < 0.1 * (first - least)
    with torch.no_grad():
        detected = network.detections(images, 0.05)
    of_figures, of_others = [], []
    for image, figures in zip(detected, FIGURES, strict=True):
        centers = (image["boxes"][:, :2] + image["boxes"][:, 2:]) / 2
        best = centers[: len(figures)]
        distances = torch.cdist(torch.tensor(figures).float().reshape(-1, 2), best)
        assert len(best) == len(figures)
        assert all((own < 8).sum() == 1 for own in distances), "each figure has a best detection"
        of_figures += image["scores"][: len(figures)].tolist()
        of_others += image["scores"][len(figures) :].tolist()
    assert max(of_others, default=0.0) < 0.5 * min(of_figures), "nothing else comes near"
