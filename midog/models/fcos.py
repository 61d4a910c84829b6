"""FCOS as torchvision builds it, on any backbone, without its hidden resize, with ignored boxes."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.detection.fcos import FCOSClassificationHead, FCOSRegressionHead

from midog.models.anchors import Anchors
from midog.models.fcos_losses import CENTER_RADIUS, CODER, fcos_losses
from midog.models.frame import Framed
from midog.models.heads import GROUPS, TORCHVISION_CONVS
from midog.models.postprocess import best_of_level, by_level, joined, over
from midog.models.protocol import Backbone, BoxTargets, Candidates
from midog.models.pyramid import MAX_LEVELS, TORCHVISION_CHANNELS, FeaturePyramid
from midog.models.pyramid_detector import PyramidDetector
from midog.norms import GroupNorm

_FINEST_STRIDE = 8


class _Seen(NamedTuple):
    """What the head makes of a batch, with the places of every level."""

    framed: Framed
    outputs: dict[str, Tensor]
    levels: list[Tensor]


class FCOS(PyramidDetector):
    """One-stage detector without anchors (Tian et al. 2019, arXiv:1904.01355).

    With ResNet-50 and five levels its state dict, losses and detections are those of torchvision's
    `fcos_resnet50_fpn(num_classes=num_classes + 1)`; there, too, class 0 has an output that nothing
    trains. A score is the root of the class's score times the centerness.

    Args:
        body: the backbone under the pyramid; it returns as many maps as the levels need.
        num_classes: foreground classes K; labels are 1 to K.
        levels: of the pyramid, from P3 (stride 8) up, 1 to 5.
        channels: of the pyramid and of the head; torchvision has 256.
        head_convs: convolutions in each branch of the head; torchvision has 4.
        center_radius: how far from a figure's centre a place learns it, in strides of its level.
        magnification: factor by which every image is enlarged, whatever its size.
        nms_iou: boxes of a class that overlap more than this are one.
        max_detections: most detections per image.
    """

    float32_layers = ("cls_logits", "bbox_reg", "bbox_ctrness")

    def __init__(
        self,
        body: Backbone,
        num_classes: int,
        *,
        levels: int = MAX_LEVELS,
        channels: int = TORCHVISION_CHANNELS,
        head_convs: int = TORCHVISION_CONVS,
        center_radius: float = CENTER_RADIUS,
        magnification: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        super().__init__(
            FeaturePyramid(body, levels, channels, top="p5"),
            magnification=magnification,
            nms_iou=nms_iou,
            max_detections=max_detections,
        )
        strides = tuple((float(_FINEST_STRIDE * 2**level),) for level in range(levels))
        self.anchor_generator = Anchors(strides, (1.0,))
        self.head = FCOSHead(channels, num_classes + 1, head_convs)
        self.center_radius = center_radius
        self._losses = fcos_losses

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        """Compute the losses "classification", "bbox_regression" and "bbox_ctrness".

        They are sums over the batch by its number of positive places. Places inside ignored boxes
        are not taught as background. See `DetectionNetwork.forward`.
        """
        framed, outputs, levels = self._see(images)
        shown = BoxTargets(
            boxes=framed.boxes_in(targets["boxes"]),
            labels=targets["labels"],
            ignore=framed.boxes_in(targets["ignore"]),
        )
        return self._losses(outputs, levels, shown, self.center_radius)

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        """Propose the best boxes of every level; see `DetectionNetwork.candidates`."""
        framed, outputs, levels = self._see(images)
        centered = outputs["bbox_ctrness"].sigmoid()
        scores = (outputs["cls_logits"][..., 1:].sigmoid() * centered).sqrt()
        columns = (by_level(scores, levels), by_level(outputs["bbox_regression"], levels), levels)
        best = joined([best_of_level(*level, CODER.decode) for level in zip(*columns, strict=True)])
        return over(best, floor)._replace(boxes=framed.boxes_out(best.boxes))

    def compile_parts(self) -> None:
        """Have backbone, head and losses compiled at their next use."""
        self.backbone.compile(dynamic=False)
        self.head.compile(dynamic=False)
        self._losses = torch.compile(fcos_losses, dynamic=False)

    def _see(self, images: Tensor) -> _Seen:
        framed: Framed = self.frame(images)
        maps = self.backbone(framed.images.to(self._dtype))
        # in float32 from here: half precision is too coarse for boxes and for long sums
        outputs = {name: output.float() for name, output in self.head(maps).items()}
        _, levels = self.anchor_generator.of(maps, framed.images.shape[-2:])
        return _Seen(framed, outputs, levels)


class FCOSHead(nn.Module):
    """torchvision's two branches, with its names and first weights.

    Args:
        channels: of the pyramid and of every convolution, a multiple of GROUPS.
        outputs: logits per place, K + 1.
        convs: convolutions in each branch.
    """

    def __init__(self, channels: int, outputs: int, convs: int) -> None:
        super().__init__()
        norm = partial(GroupNorm, GROUPS)
        self.classification_head = FCOSClassificationHead(
            channels, 1, outputs, convs, norm_layer=norm
        )
        self.regression_head = FCOSRegressionHead(channels, 1, convs, norm_layer=norm)

    def forward(self, maps: list[Tensor]) -> dict[str, Tensor]:
        """Compute "cls_logits" (B, A, K + 1), "bbox_regression" (B, A, 4), "bbox_ctrness"."""
        codes, centered = self.regression_head(maps)
        return {
            "cls_logits": self.classification_head(maps),
            "bbox_regression": codes,
            "bbox_ctrness": centered,
        }
