"""RetinaNet as torchvision's v2 builds it, without its hidden resize and with boxes that the loss ignores."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image

from midog.models.backbones import PYRAMID_CHANNELS, ResNetPyramid

FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.4
CANDIDATES_PER_LEVEL = 1000

_BACKGROUND = Matcher.BELOW_LOW_THRESHOLD
_NO_PART = Matcher.BETWEEN_THRESHOLDS
_SIZE_DIVISOR = 32


class RetinaNet(nn.Module):
    """One-stage detector (Lin et al. 2017, arXiv:1708.02002) with the head, losses and names of torchvision's v2.

    With ResNet-50, five levels and torchvision's anchors, its state dict, losses and detections are those of
    `retinanet_resnet50_fpn_v2(num_classes=num_classes + 1)`; there, too, class 0 has an output that nothing teaches.

    backbone: "resnet18", "resnet34" or "resnet50", with random weights.
    num_classes: foreground classes K; labels are 1 to K.
    anchor_sizes: anchor sides in px as the network sees them, a tuple per level from P3 (stride 8) up, 1 to 5 levels.
    anchor_ratios: height / width of the anchors.
    unfrozen_layers: 0 to 5 backbone stages that learn, see backbones.ResNetBody.
    scale: factor by which every image is shown larger, whatever its size; boxes go in and out in input px.
    nms_iou: boxes of a class that overlap more than this are one.
    max_detections: most detections per image.
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
        scale: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        super().__init__()
        sizes = tuple(tuple(level) for level in anchor_sizes)
        self.backbone = ResNetPyramid(backbone, len(sizes), unfrozen_layers)
        self.anchor_generator = AnchorGenerator(sizes, (tuple(anchor_ratios),) * len(sizes))
        self.head = RetinaNetHead(
            PYRAMID_CHANNELS,
            self.anchor_generator.num_anchors_per_location()[0],
            num_classes + 1,
            norm_layer=partial(nn.GroupNorm, 32),
        )
        self.head.regression_head._loss_type = "giou"  # torchvision's v2 sets it the same way
        self.box_coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
        self.scale = scale
        self.nms_iou = nms_iou
        self.max_detections = max_detections
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def forward(
        self, images: Tensor, targets: Sequence[dict[str, Tensor]] | None = None, *, floor: float = 0.05
    ) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """Losses where there are targets, detections where there are none, in train and eval mode alike.

        images: (B, 3, H, W) float32 in [0, 1], RGB, any H and W.
        targets: per image "boxes" (N, 4) float32 px, "labels" (N,) int64 in 1 to K and, if there are any, "ignore"
        (M, 4) float32 px: boxes that may reach over the image's edge and whose anchors are not taught as background.
        floor: detections need a score over this.

        Returns the scalars {"classification", "bbox_regression"}, means over the images; or per image {"boxes" (N, 4)
        float32 px within the image, "scores" (N,) float32 in [0, 1], "labels" (N,) int64}, best first.
        """
        shown = self._show(images)
        padded = _pad(shown)
        features = self.backbone(padded)
        # In float32 from here: half precision is too coarse for box coordinates and for sums over all anchors.
        outputs = {name: output.float() for name, output in self.head(features).items()}
        anchors = self._anchors(features, padded.shape[-2:])
        ratio = images.new_tensor([shown.shape[-1] / images.shape[-1], shown.shape[-2] / images.shape[-2]]).repeat(2)
        if targets is not None:
            return self._losses(outputs, torch.cat(anchors), [_scaled(target, ratio) for target in targets])
        levels = [len(level) for level in anchors]
        logits = outputs["cls_logits"].split(levels, dim=1)
        codes = outputs["bbox_regression"].split(levels, dim=1)
        found = (
            self._candidates([level[i] for level in logits], [level[i] for level in codes], anchors, floor)
            for i in range(len(images))
        )
        return [self._suppress(boxes / ratio, scores, labels, images.shape[-2:]) for boxes, scores, labels in found]

    def _show(self, images: Tensor) -> Tensor:
        """Normalised images at the magnification that the network sees."""
        normalised = (images - self.mean) / self.std
        if self.scale == 1:
            return normalised
        return F.interpolate(normalised, scale_factor=self.scale, mode="bilinear", recompute_scale_factor=True)

    def _anchors(self, features: list[Tensor], size: torch.Size) -> list[Tensor]:
        """Anchors (A, 4) float32 of each level for images of size (height, width), whatever the features' precision."""
        self.anchor_generator.set_cell_anchors(torch.float32, features[0].device)
        grids = [feature.shape[-2:] for feature in features]
        # As torchvision: the stride of a map is whole image / map, which differs from 2 ** level where a map's side
        # was rounded up (P6 and P7 of images whose sides 128 does not divide).
        strides = [(size[0] // height, size[1] // width) for height, width in grids]
        levels: list[Tensor] = self.anchor_generator.grid_anchors(grids, strides)
        return levels

    def _losses(
        self, outputs: dict[str, Tensor], anchors: Tensor, targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        matches = [match_anchors(anchors, target["boxes"], target.get("ignore")) for target in targets]
        losses: dict[str, Tensor] = self.head.compute_loss(targets, outputs, [anchors] * len(targets), matches)
        return losses

    def _candidates(
        self, logits: list[Tensor], codes: list[Tensor], anchors: list[Tensor], floor: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The best boxes, their scores and labels from one image's (A, K + 1) logits and (A, 4) codes per level."""
        boxes, scores, labels = [], [], []
        for level_logits, level_codes, level_anchors in zip(logits, codes, anchors, strict=True):
            known = level_logits[:, 1:].sigmoid()  # class 0 means nothing
            flat = known.flatten()
            over = torch.where(flat > floor)[0]
            best, order = flat[over].topk(min(CANDIDATES_PER_LEVEL, len(over)))
            chosen = over[order]
            at = chosen.div(known.shape[1], rounding_mode="floor")
            boxes.append(self.box_coder.decode_single(level_codes[at], level_anchors[at]))
            scores.append(best)
            labels.append(chosen % known.shape[1] + 1)
        return torch.cat(boxes), torch.cat(scores), torch.cat(labels)

    def _suppress(self, boxes: Tensor, scores: Tensor, labels: Tensor, size: torch.Size) -> dict[str, Tensor]:
        """What is left after clipping to the image's (height, width) and suppression within each class."""
        inside = clip_boxes_to_image(boxes, size)
        keep = batched_nms(inside, scores, labels, self.nms_iou)[: self.max_detections]
        return {"boxes": inside[keep], "scores": scores[keep], "labels": labels[keep]}


def match_anchors(anchors: Tensor, boxes: Tensor, ignore: Tensor | None = None) -> Tensor:
    """For each anchor the box it is to find, as torchvision's matcher says, with ignored boxes heeded.

    anchors (A, 4), boxes (N, 4) and ignore (M, 4): float32 x1 y1 x2 y2 in one frame.
    Returns (A,) int64: the index of a box (IoU >= 0.5, or the box's best anchor); -1, background (IoU < 0.4); or -2,
    no part in the loss: between the two, or background that overlaps an ignored box (IoU >= 0.4, or centre inside it).
    """
    matches = torch.full((len(anchors),), _BACKGROUND, dtype=torch.int64, device=anchors.device)
    if len(boxes):
        quality = box_iou(boxes, anchors)
        found = Matcher(FOREGROUND_IOU, BACKGROUND_IOU, allow_low_quality_matches=True)(quality)
        # A box that no anchor overlaps would have every anchor as its best one.
        matches = torch.where(quality.amax(dim=0) > 0, found, matches)
    if ignore is None or len(ignore) == 0:
        return matches
    center = (anchors[:, :2] + anchors[:, 2:]) / 2
    inside = ((center >= ignore[:, None, :2]) & (center <= ignore[:, None, 2:])).all(dim=-1)
    spared = (inside | (box_iou(ignore, anchors) >= BACKGROUND_IOU)).any(dim=0)
    return matches.masked_fill(spared & (matches == _BACKGROUND), _NO_PART)


def _scaled(target: dict[str, Tensor], ratio: Tensor) -> dict[str, Tensor]:
    return {key: value if key == "labels" else value * ratio for key, value in target.items()}


def _round_up(side: int) -> int:
    return -(-side // _SIZE_DIVISOR) * _SIZE_DIVISOR


def _pad(images: Tensor) -> Tensor:
    """Zeros (the mean colour) at the right and the bottom, up to multiples of 32 px."""
    height, width = images.shape[-2:]
    if height % _SIZE_DIVISOR == width % _SIZE_DIVISOR == 0:
        return images
    return F.pad(images, (0, _round_up(width) - width, 0, _round_up(height) - height))
