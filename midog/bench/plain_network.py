"""The network the plain way: torchvision's RetinaNet as shipped, and tiles that are post-processed
one by one."""

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

from midog.boxes import Detections
from midog.config.schema import RunConfig
from midog.models.registry import RetinaNetSettings

SHIPPED_PX = 800
"""To which torchvision resizes the shorter side of every image, unless told not to."""
TILE_PX = 1024
OVERLAP = 0.3
"""Share of a tile that the next one shows again."""


def shipped(backbone: str, classes: int) -> nn.Module:
    """torchvision's `retinanet_resnet50_fpn_v2` with random weights, every image resized to 800 px;
    other ResNets are put together in the same way. classes: foreground ones."""
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
    """torchvision's RetinaNet around the pyramid and head of ours: the same weights, its own way of
    everything else."""
    model: Any = network
    settings = config.model
    assert isinstance(settings, RetinaNetSettings)
    shown = round(TILE_PX * config.model.magnification(config.sampling.patch_size))
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


@torch.inference_mode()
def detect_plainly(
    path: Path, network: nn.Module, config: RunConfig, device: torch.device, batch: int
) -> Detections:
    """All tiles of an image through torchvision's RetinaNet in float32, `batch` at a time, and one
    NMS at the end."""
    boxes, scores, labels = (
        [torch.zeros(0, 4)],
        [torch.zeros(0)],
        [torch.zeros(0, dtype=torch.int64)],
    )
    with openslide.open_slide(str(path)) as slide:
        corners = list(plain_grid(*slide.dimensions))
        for begin in range(0, len(corners), batch):
            chosen = corners[begin : begin + batch]
            tiles = [_read(slide, x, y).to(device) for x, y in chosen]
            for (x, y), found in zip(chosen, network(tiles), strict=True):
                boxes.append(found["boxes"].cpu() + torch.tensor([x, y, x, y]))
                scores.append(found["scores"].cpu())
                labels.append(found["labels"].cpu())
        size = torch.tensor([*slide.dimensions] * 2)
    every, sure, kinds = (
        torch.cat(boxes).clamp(min=torch.zeros(4), max=size),
        torch.cat(scores),
        torch.cat(labels),
    )
    keep = batched_nms(every, sure, kinds, config.model.nms_iou)
    return Detections(every[keep].numpy(), sure[keep].numpy(), kinds[keep].numpy())


def plain_grid(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Upper left corners of tiles that overlap by 30 %, row by row; the last ones hang over the
    image's edge."""
    step = TILE_PX - round(TILE_PX * OVERLAP)
    for y in range(0, max(height - TILE_PX + step, 1), step):
        for x in range(0, max(width - TILE_PX + step, 1), step):
            yield x, y


def _read(slide: Any, x: int, y: int) -> Tensor:
    """A tile (3, S, S) float32 in [0, 1]."""
    region = slide.read_region((x, y), 0, (TILE_PX, TILE_PX))
    tile = Image.new("RGB", region.size, "white")
    tile.paste(region, mask=region.getchannel("A"))  # beyond the image's edge it is transparent
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
