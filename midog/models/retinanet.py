"""RetinaNet as torchvision's v2 builds it, without its hidden resize, with ignored boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from midog.models.anchors import Anchors
from midog.models.detector_settings import LossNormalizer, Norm
from midog.models.frame import Framed
from midog.models.heads import TORCHVISION_CONVS, TORCHVISION_PRIOR, make_head, norm_layer
from midog.models.loss_balance import LossBalance
from midog.models.losses import (
    Focal,
    batched_losses,
    match_anchors,
    match_each,
    per_image_losses,
)
from midog.models.postprocess import find_candidates
from midog.models.protocol import Backbone, BoxTargets, Candidates
from midog.models.pyramid import TORCHVISION_CHANNELS, FeaturePyramid
from midog.models.pyramid_detector import PyramidDetector

LossMethod = Literal["batched", "per_image"]


def faster_losses(device: torch.device) -> LossMethod:
    """The method that suits a device: a CPU skips anchors, which would make a GPU wait."""
    return "per_image" if device.type == "cpu" else "batched"


class _Seen(NamedTuple):
    """What the head makes of a batch, with the anchors of all levels and by level."""

    framed: Framed
    outputs: dict[str, Tensor]
    anchors: Tensor
    levels: list[Tensor]


class RetinaNet(PyramidDetector):
    """One-stage detector (Lin et al. 2017, arXiv:1708.02002) with torchvision's v2 head and losses.

    With ResNet-50, five levels and torchvision's anchors, its state dict, losses and detections are
    those of `retinanet_resnet50_fpn_v2(num_classes=num_classes + 1)`; there, too, class 0 has an
    output that nothing trains.

    Args:
        body: the backbone under the pyramid; it returns as many maps as the levels need.
        num_classes: foreground classes K; labels are 1 to K.
        anchor_sizes: sides in px as the layers see them, a tuple per level from P3 (stride 8) up,
            1 to 5 levels.
        anchor_ratios: height / width of the anchors.
        channels: of the pyramid and of the head; torchvision has 256.
        head_convs: convolutions in each branch of the head; torchvision has 4.
        head_norm, pyramid_norm: norms behind their convolutions; torchvision has "group" and
            "none".
        prior: score of every anchor at the start, in (0, 1).
        loss_normalizer: what the sums of the losses are divided by; see `LossBalance`.
        focal: weights of the focal loss.
        magnification: factor by which every image is enlarged, whatever its size.
        nms_iou: boxes of a class that overlap more than this are one.
        max_detections: most detections per image.

    Attributes:
        loss_method: how losses are computed, equal up to rounding; None: as suits the device best.
    """

    float32_layers = ("cls_logits", "bbox_reg")

    def __init__(
        self,
        body: Backbone,
        num_classes: int,
        *,
        anchor_sizes: Sequence[Sequence[float]],
        anchor_ratios: Sequence[float] = (1.0,),
        channels: int = TORCHVISION_CHANNELS,
        head_convs: int = TORCHVISION_CONVS,
        head_norm: Norm = "group",
        pyramid_norm: Norm = "none",
        prior: float = TORCHVISION_PRIOR,
        loss_normalizer: LossNormalizer = "image",
        focal: Focal = Focal(),
        magnification: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        sizes = tuple(tuple(level) for level in anchor_sizes)
        super().__init__(
            FeaturePyramid(body, len(sizes), channels, norm_layer(pyramid_norm)),
            magnification=magnification,
            nms_iou=nms_iou,
            max_detections=max_detections,
        )
        self.anchor_generator = Anchors(sizes, tuple(anchor_ratios))
        per_place = self.anchor_generator.num_anchors_per_location()[0]
        self.head = make_head(channels, per_place, num_classes + 1, head_convs, head_norm, prior)
        self.loss_balance, self.focal = LossBalance(loss_normalizer), focal
        self.loss_method: LossMethod | None = None
        self._match, self._batched_losses = match_anchors, batched_losses

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        """Compute the losses "classification" and "bbox_regression", means over the images.

        Anchors on ignored boxes are not taught as background. In eval mode they are on the scale
        that `LossBalance` describes. See `DetectionNetwork.forward`.
        """
        framed, outputs, anchors, _ = self._see(images)
        shown = BoxTargets(
            boxes=framed.boxes_in(targets["boxes"]),
            labels=targets["labels"],
            ignore=framed.boxes_in(targets["ignore"]),
        )
        batched = (self.loss_method or faster_losses(anchors.device)) == "batched"
        matches = (self._match if batched else match_each)(anchors, shown)
        divisors = self.loss_balance((matches >= 0).sum(dim=1))
        losses = self._batched_losses if batched else per_image_losses
        return losses(outputs, anchors, shown, matches, divisors, self.focal)

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        """Propose the best boxes of every level; see `DetectionNetwork.candidates`."""
        framed, outputs, _, levels = self._see(images)
        candidates = find_candidates(outputs, levels, floor)
        return candidates._replace(boxes=framed.boxes_out(candidates.boxes))

    def compile_parts(self) -> None:
        """Have backbone, head, matching and batched losses compiled at their next use."""
        self.backbone.compile(dynamic=False)
        self.head.compile(dynamic=False)
        self._match = torch.compile(match_anchors, dynamic=False)
        self._batched_losses = torch.compile(batched_losses, dynamic=False)

    def _see(self, images: Tensor) -> _Seen:
        framed: Framed = self.frame(images)
        maps = self.backbone(framed.images.to(self._dtype))
        # In float32 from here: half precision is too coarse for box coordinates and for sums over
        # all anchors.
        outputs = {name: output.float() for name, output in self.head(maps).items()}
        anchors, levels = self.anchor_generator.of(maps, framed.images.shape[-2:])
        return _Seen(framed, outputs, anchors, levels)
