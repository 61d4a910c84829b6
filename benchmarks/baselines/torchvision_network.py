"""torchvision's RetinaNet as shipped, a plain training step of it, and detection tile by tile."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18, resnet34
from torchvision.models.detection import retinanet_resnet50_fpn_v2
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead, _default_anchorgen
from torchvision.ops import batched_nms
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from midog.bench.network_cost import gflop_on_paper
from midog.bench.step import BOXES
from midog.boxes import Detections
from midog.config.schema import RunConfig
from midog.models.build import num_classes
from midog.models.registry import RetinaNetSettings

SHIPPED_PX = 800
"""torchvision's default size of the shorter side, to which it resizes every image."""
AS_SHIPPED = f"torchvision as shipped (resized to {SHIPPED_PX}, float32)"
TILE_PX = 1024
OVERLAP = 0.3
"""Share of a tile that the next one repeats."""


def shipped(backbone: str, classes: int) -> nn.Module:
    """Make torchvision's `retinanet_resnet50_fpn_v2`, or the same of another ResNet.

    Its weights are random, and it resizes every image to 800 px.

    Args:
        backbone: resnet18, resnet34 or resnet50.
        classes: How many, without the background.
    """
    if backbone == "resnet50":
        network: nn.Module = retinanet_resnet50_fpn_v2(
            weights=None, weights_backbone=None, num_classes=classes + 1
        )
        return network
    body = {"resnet18": resnet18, "resnet34": resnet34}[backbone]()
    extra = LastLevelP6P7(body.fc.in_features, 256)
    pyramid = _resnet_fpn_extractor(body, 5, returned_layers=[2, 3, 4], extra_blocks=extra)
    anchors = _default_anchorgen()
    head = RetinaNetHead(
        256, anchors.num_anchors_per_location()[0], classes + 1, norm_layer=_group_norm
    )
    head.regression_head._loss_type = "giou"
    assembled: nn.Module = RetinaNet(
        pyramid, classes + 1, min_size=SHIPPED_PX, anchor_generator=anchors, head=head
    )
    return assembled


def in_torchvision(network: nn.Module, config: RunConfig) -> nn.Module:
    """Put torchvision's RetinaNet around the pyramid and head of ours: same weights, its own
    post-processing."""
    model: Any = network
    settings = config.model
    assert isinstance(settings, RetinaNetSettings)
    shown = round(TILE_PX * settings.magnification(config.sampling.patch_size))
    around: nn.Module = RetinaNet(
        _Pyramid(model.backbone),
        1,
        min_size=shown,
        max_size=shown,
        anchor_generator=AnchorGenerator(
            settings.anchor_sizes, (settings.anchor_ratios,) * len(settings.anchor_sizes)
        ),
        head=model.head,
        score_thresh=config.inference.floor,
        nms_thresh=settings.nms_iou,
        detections_per_img=settings.max_detections,
    )
    return around.eval()


def torchvision_gflop(network: nn.Module, side: int, *, backward: bool = False) -> float:
    """Count the float operations of torchvision's network on one image.

    Args:
        network: Of `shipped`.
        side: Of the image once it is resized, px.
        backward: Add those of the gradients.

    Returns:
        1e9 operations; a product and a sum are two.
    """

    def run(network: Any, images: Tensor) -> list[Tensor]:
        return list(network.head(list(network.backbone(images).values())).values())

    return gflop_on_paper(network, run, side, backward=backward)


class PlainStep:
    """A training step of torchvision's network in a plain loop: float32, AdamW, no average."""

    def __init__(self, config: RunConfig, images: Tensor) -> None:
        network = shipped(config.model.backbone.kind, num_classes(config.sampling))
        self.network = network.train().to(images.device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)
        self.images = list(images)
        boxes = images.new_tensor(BOXES)
        labels = torch.ones(len(boxes), dtype=torch.int64, device=images.device)
        self.targets = [{"boxes": boxes, "labels": labels} for _ in self.images]

    def whole(self) -> None:
        """Gradients, then the update."""
        self.gradients()
        self.update()

    def gradients(self) -> None:
        """Forward, losses, backward."""
        losses = self.network(self.images, self.targets)
        torch.stack(list(losses.values())).sum().backward()

    def update(self) -> None:
        """Update the weights."""
        self.optimizer.step()
        self.optimizer.zero_grad()


@torch.inference_mode()
def detect_tiles(
    path: Path, network: nn.Module, config: RunConfig, device: torch.device, batch: int
) -> Detections:
    """Detect in all tiles of an image in float32, `batch` at a time, with one NMS at the end."""
    boxes, scores, labels = (
        [torch.zeros(0, 4)],
        [torch.zeros(0)],
        [torch.zeros(0, dtype=torch.int64)],
    )
    with openslide.open_slide(str(path)) as slide:
        corners = list(tile_corners(*slide.dimensions))
        for begin in range(0, len(corners), batch):
            chosen = corners[begin : begin + batch]
            tiles = [_read(slide, x, y).to(device) for x, y in chosen]
            for (x, y), detections in zip(chosen, network(tiles), strict=True):
                boxes.append(detections["boxes"].cpu() + torch.tensor([x, y, x, y]))
                scores.append(detections["scores"].cpu())
                labels.append(detections["labels"].cpu())
        size = torch.tensor([*slide.dimensions] * 2)
    every, confidence, classes = (
        torch.cat(boxes).clamp(min=torch.zeros(4), max=size),
        torch.cat(scores),
        torch.cat(labels),
    )
    keep = batched_nms(every, confidence, classes, config.model.nms_iou)
    return Detections(every[keep].numpy(), confidence[keep].numpy(), classes[keep].numpy())


def tile_corners(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Upper left corners of tiles that overlap by 30 %, row by row; the last ones reach over the
    edge."""
    step = TILE_PX - round(TILE_PX * OVERLAP)
    for y in range(0, max(height - TILE_PX + step, 1), step):
        for x in range(0, max(width - TILE_PX + step, 1), step):
            yield x, y


def _read(slide: Any, x: int, y: int) -> Tensor:
    """A tile (3, S, S) float32 in [0, 1]."""
    region = slide.read_region((x, y), 0, (TILE_PX, TILE_PX))
    tile = Image.new("RGB", region.size, "white")
    tile.paste(region, mask=region.getchannel("A"))  # outside the image it is transparent
    return torch.from_numpy(np.array(tile)).permute(2, 0, 1).float() / 255


def _group_norm(channels: int) -> nn.Module:
    return nn.GroupNorm(32, channels)


class _Pyramid(nn.Module):
    """Our feature pyramid as torchvision expects one: maps by name."""

    out_channels = 256  # torchvision asks, and only for a head that it makes itself

    def __init__(self, pyramid: nn.Module) -> None:
        super().__init__()
        self.pyramid = pyramid

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        return OrderedDict((str(level), maps) for level, maps in enumerate(self.pyramid(images)))
