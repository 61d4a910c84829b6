"""RetinaNet as torchvision's v2 builds it, without its hidden resize and with boxes that the loss
ignores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import clip_boxes_to_image

from midog.models.anchors import Anchors
from midog.models.backbones import TORCHVISION_CHANNELS, ResNetPyramid
from midog.models.heads import TORCHVISION_CONVS, make_head
from midog.models.losses import Targets, batched_losses, pad_targets, per_image_losses, scale_boxes
from midog.models.postprocess import Candidates, find_candidates, suppress

_SIZE_DIVISOR = 32


LossWay = Literal["batched", "per_image"]


def quicker_losses(device: torch.device) -> LossWay:
    """A GPU is quick with the whole batch and waits at every question; a CPU skips what does not
    matter."""
    return "per_image" if device.type == "cpu" else "batched"


class RetinaNet(nn.Module):
    """One-stage detector (Lin et al. 2017, arXiv:1708.02002) with the head, losses and names of
    torchvision's v2.

    With ResNet-50, five levels and torchvision's anchors, its state dict, losses and detections are
    those of `retinanet_resnet50_fpn_v2(num_classes=num_classes + 1)`; there, too, class 0 has an
    output that nothing teaches.

    backbone: "resnet18", "resnet34" or "resnet50", with random weights.
    num_classes: foreground classes K; labels are 1 to K.
    anchor_sizes: anchor sides in px as the network sees them, a tuple per level from P3 (stride 8)
    up, 1 to 5 levels.
    anchor_ratios: height / width of the anchors.
    unfrozen_layers: 0 to 5 backbone stages that learn, see backbones.ResNetBody.
    channels, head_convs: of the pyramid and the head, see heads.make_head; torchvision's are 256
    and 4.
    scale: factor by which every image is shown larger, whatever its size; boxes go in and out in
    input px.
    nms_iou: boxes of a class that overlap more than this are one.
    max_detections: most detections per image.

    `losses` says how they are computed, the same numbers either way; None: as suits the device
    best.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        *,
        anchor_sizes: Sequence[Sequence[float]],
        anchor_ratios: Sequence[float] = (1.0,),
        unfrozen_layers: int = 5,
        channels: int = TORCHVISION_CHANNELS,
        head_convs: int = TORCHVISION_CONVS,
        scale: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        super().__init__()
        sizes = tuple(tuple(level) for level in anchor_sizes)
        self.backbone = ResNetPyramid(backbone, len(sizes), unfrozen_layers, channels)
        self.anchor_generator = Anchors(sizes, tuple(anchor_ratios))
        per_place = self.anchor_generator.num_anchors_per_location()[0]
        self.head = make_head(channels, per_place, num_classes + 1, head_convs)
        self.scale = scale
        self.nms_iou = nms_iou
        self.max_detections = max_detections
        self.losses: LossWay | None = None
        self._batched_losses = batched_losses
        self.register_buffer(
            "mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False
        )
        self.register_buffer(
            "std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False
        )

    def forward(
        self,
        images: Tensor,
        targets: Targets | Sequence[Mapping[str, Tensor]] | None = None,
        *,
        floor: float = 0.05,
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Losses where there are targets, detections where there are none, in train and eval mode
        alike.

        images: (B, 3, H, W) float32 in [0, 1], RGB, any H and W.
        targets: per image "boxes" (N, 4) float32 px, "labels" (N,) int64 in 1 to K and, if there
        are any, "ignore" (M, 4) float32 px: boxes that may reach over the image's edge and whose
        anchors are not taught as background; or one dict of the same for all images, padded, see
        losses.Targets.
        floor: detections need a score over this.

        Returns the scalars {"classification", "bbox_regression"}, means over the images; or per
        image {"boxes" (N, 4) float32 px within the image, "scores" (N,) float32 in [0, 1], "labels"
        (N,) int64}, best first.
        """
        if targets is None:
            return suppress(self.candidates(images, floor), self.nms_iou, self.max_detections)
        outputs, every, _, (across, down) = self._look(images)
        return self._losses(outputs, every, targets, across, down)

    def candidates(self, images: Tensor, floor: float = 0.05) -> Candidates:
        """What may be there, before suppression, of images as `forward` takes them; a GPU is not
        waited for."""
        outputs, _, anchors, (across, down) = self._look(images)
        found = find_candidates(outputs, anchors, floor)
        boxes = clip_boxes_to_image(
            scale_boxes(found.boxes, 1 / across, 1 / down), images.shape[-2:]
        )
        return found._replace(boxes=boxes)

    def shown(self, images: Tensor) -> Tensor:
        """Images as the backbone sees them: normalised, at its magnification, padded to multiples
        of 32 px."""
        return _pad(self._show(images))

    def _look(
        self, images: Tensor
    ) -> tuple[dict[str, Tensor], Tensor, list[Tensor], tuple[float, float]]:
        """The head's outputs, anchors of all levels and by level, and how many times as wide and
        high it was shown."""
        shown = self._show(images)
        padded = _pad(shown)
        features = self.backbone(padded.to(self.backbone.body.conv1.weight.dtype))
        # In float32 from here: half precision is too coarse for box coordinates and for sums over
        # all anchors.
        outputs = {name: output.float() for name, output in self.head(features).items()}
        every, anchors = self.anchor_generator.of(features, padded.shape[-2:])
        magnified = shown.shape[-1] / images.shape[-1], shown.shape[-2] / images.shape[-2]
        return outputs, every, anchors, magnified

    def compile_parts(self) -> None:
        """Have network and batched losses compiled at their next use, once for each shape; weights
        keep their names.

        A copy of the model is not compiled.
        """
        self.backbone.compile(dynamic=False)
        self.head.compile(dynamic=False)
        self._batched_losses = torch.compile(batched_losses, dynamic=False)

    def _show(self, images: Tensor) -> Tensor:
        """Normalised images at the magnification that the network sees."""
        normalised = (images - self.mean) / self.std
        if self.scale == 1:
            return normalised
        return F.interpolate(
            normalised, scale_factor=self.scale, mode="bilinear", recompute_scale_factor=True
        )

    def _losses(
        self,
        outputs: dict[str, Tensor],
        anchors: Tensor,
        targets: Targets | Sequence[Mapping[str, Tensor]],
        across: float,
        down: float,
    ) -> dict[str, Tensor]:
        """The losses, of boxes that are shown `across` times as wide and `down` times as high."""
        padded = targets if isinstance(targets, dict) else pad_targets(targets)
        shown = Targets(
            boxes=scale_boxes(padded["boxes"], across, down),
            labels=padded["labels"],
            ignore=scale_boxes(padded["ignore"], across, down),
        )
        if (self.losses or quicker_losses(anchors.device)) == "batched":
            return self._batched_losses(outputs, anchors, shown)
        return per_image_losses(self.head, outputs, anchors, shown)


def _round_up(side: int) -> int:
    return -(-side // _SIZE_DIVISOR) * _SIZE_DIVISOR


def _pad(images: Tensor) -> Tensor:
    """Zeros (the mean colour) at the right and the bottom, up to multiples of 32 px."""
    height, width = images.shape[-2:]
    if height % _SIZE_DIVISOR == width % _SIZE_DIVISOR == 0:
        return images
    return F.pad(images, (0, _round_up(width) - width, 0, _round_up(height) - height))
