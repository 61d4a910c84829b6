"""Faster R-CNN as torchvision builds it, on any backbone, from P3 up, with ignored boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import (
    FastRCNNConvFCHead,
    FastRCNNPredictor,
    TwoMLPHead,
)
from torchvision.models.detection.rpn import RPNHead, permute_and_flatten

from midog.models.anchors import Anchors
from midog.models.frame import Framed
from midog.models.losses import decode_boxes
from midog.models.postprocess import over
from midog.models.proposals import Proposals, find_proposals
from midog.models.protocol import Backbone, BoxTargets, Candidates
from midog.models.pyramid import TORCHVISION_CHANNELS, FeaturePyramid
from midog.models.pyramid_detector import PyramidDetector
from midog.models.rcnn_losses import (
    Sampled,
    box_losses,
    plain_codes,
    rpn_losses,
    sample_boxes,
)
from midog.models.roi_pooling import POOLED, pool

_WIDTH = 1024
_LEAST_SIDE = 1e-2  # px, of a detection; torchvision's number


class _Seen(NamedTuple):
    """What the first stage makes of a batch: maps, and by level logits, codes and anchors."""

    framed: Framed
    maps: list[Tensor]
    objectness: list[Tensor]
    codes: list[Tensor]
    anchors: list[Tensor]


class FasterRCNN(PyramidDetector):
    """Two-stage detector (Ren et al. 2015, arXiv:1506.01497) on a pyramid from P3 up.

    Its modules and losses are those of torchvision's FasterRCNN on this pyramid with
    `num_classes=num_classes + 1`; its own `fasterrcnn_resnet50_fpn` has a P2 below, which figures
    of 50 px do not need. A score is the class's share of the softmax.

    Args:
        body: the backbone under the pyramid; it returns as many maps as the levels need.
        num_classes: foreground classes K; labels are 1 to K.
        anchor_sizes: sides in px as the layers see them, a tuple per level from P3 (stride 8) up,
            1 to 5 levels; P6 and P7 are for proposals alone.
        anchor_ratios: height / width of the anchors.
        channels: of the pyramid and of the heads' convolutions; torchvision has 256.
        version: 1: no norms, one convolution before the proposals, two linear layers for a box. 2:
            BatchNorm, two convolutions, and four with one linear layer, ten times the work a box.
        width: of the linear layers; torchvision has 1024.
        proposals: boxes of an image that the second stage sees; it learns from twice as many.
        rpn_samples: anchors of an image that the first stage learns from.
        box_samples: boxes of an image that the second stage learns from.
        magnification: factor by which every image is enlarged, whatever its size.
        nms_iou: boxes of a class that overlap more than this are one.
        max_detections: most detections per image.
    """

    head_name = "roi_heads.box_predictor"
    float32_layers = ("cls_logits", "bbox_pred")
    draws: Tensor

    def __init__(
        self,
        body: Backbone,
        num_classes: int,
        *,
        anchor_sizes: Sequence[Sequence[float]],
        anchor_ratios: Sequence[float] = (1.0,),
        channels: int = TORCHVISION_CHANNELS,
        version: int = 2,
        width: int = _WIDTH,
        proposals: int = 1000,
        rpn_samples: int = 256,
        box_samples: int = 512,
        magnification: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        sizes = tuple(tuple(level) for level in anchor_sizes)
        norm = nn.BatchNorm2d if version == 2 else None
        super().__init__(
            FeaturePyramid(body, len(sizes), channels, top="pooled", norm=norm),
            magnification=magnification,
            nms_iou=nms_iou,
            max_detections=max_detections,
        )
        self.anchor_generator = Anchors(sizes, tuple(anchor_ratios))
        per_place = self.anchor_generator.num_anchors_per_location()[0]
        self.rpn = nn.ModuleDict({"head": RPNHead(channels, per_place, conv_depth=version)})
        self.roi_heads = nn.ModuleDict(
            {
                "box_head": _box_head(channels, version, width),
                "box_predictor": FastRCNNPredictor(width, num_classes + 1),
            }
        )
        self.version = version
        self.proposals = proposals
        self.rpn_samples, self.box_samples = rpn_samples, box_samples
        # of batches in training: samples follow from it, also where a run is resumed
        self.register_buffer("draws", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        """Compute the losses of both stages, by torchvision's names.

        They are means over sampled boxes of the batch; in eval mode the samples are always the
        same. Boxes on ignored boxes are not taught as background. See `DetectionNetwork.forward`.
        """
        framed, maps, objectness, codes, anchors = self._see(images)
        shown = BoxTargets(
            boxes=framed.boxes_in(targets["boxes"]),
            labels=targets["labels"],
            ignore=framed.boxes_in(targets["ignore"]),
        )
        if self.training:
            self.draws.add_(1)
        draw = 2 * self.draws if self.training else torch.zeros_like(self.draws)
        first = rpn_losses(
            torch.cat(objectness, dim=1),
            torch.cat(codes, dim=1),
            torch.cat(anchors),
            shown,
            self.rpn_samples,
            draw,
        )
        proposals = find_proposals(objectness, codes, anchors, framed.shown, 2 * self.proposals)
        sampled = sample_boxes(proposals, shown, self.box_samples, draw + 1)
        return first | self._second_losses(maps, sampled)

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        """Classify the best proposals; see `DetectionNetwork.candidates`."""
        framed, maps, objectness, codes, anchors = self._see(images)
        proposals = find_proposals(objectness, codes, anchors, framed.shown, self.proposals)
        logits, box_codes = self._classify(maps, proposals)
        scores = logits.softmax(dim=-1)[..., 1:]
        boxes = framed.boxes_out(
            decode_boxes(plain_codes(box_codes[:, :, 1:]), proposals.boxes[:, :, None])
        )
        flat = ((boxes[..., 2:] - boxes[..., :2]) < _LEAST_SIDE).any(dim=-1)
        scores = scores.masked_fill(flat | ~proposals.real[..., None], 0)
        labels = torch.arange(1, scores.shape[-1] + 1, device=scores.device).expand_as(scores)
        candidates = Candidates(boxes.flatten(1, 2), scores.flatten(1), labels.flatten(1))
        return over(candidates, floor)

    def for_detection(self, dtype: torch.dtype) -> Self:
        """Copy the network; see `DetectionNetwork.for_detection`."""
        copied = super().for_detection(dtype)
        copied.roi_heads["box_head"].to(dtype)
        return copied

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename torchvision's weights: its pyramid begins at P2, its anchors are others."""
        return _without_p2(super().own_names(state))

    def compile_parts(self) -> None:
        """Have backbone and first stage compiled at their next use.

        The second stage is left: on a CPU its batches differ in length.
        """
        self.backbone.compile(dynamic=False)
        self.rpn["head"].compile(dynamic=False)

    def _see(self, images: Tensor) -> _Seen:
        framed: Framed = self.frame(images)
        maps = self.backbone(framed.images.to(self._dtype))
        # in float32 from here: half precision is too coarse for boxes and for long sums
        outputs = [[_rows(own, width) for own in column] for column, width in self._first(maps)]
        objectness, codes = [own[..., 0] for own in outputs[0]], outputs[1]
        _, levels = self.anchor_generator.of(maps, framed.images.shape[-2:])
        return _Seen(framed, maps, objectness, codes, levels)

    def _first(self, maps: list[Tensor]) -> list[tuple[list[Tensor], int]]:
        """Maps of logits and of codes by level, with the numbers that an anchor has in them."""
        logits, codes = self.rpn["head"](maps)
        return [(logits, 1), (codes, 4)]

    def _second_losses(self, maps: list[Tensor], sampled: Sampled) -> dict[str, Tensor]:
        logits, codes = self._classify(maps, Proposals(sampled.boxes, sampled.chosen))
        return box_losses(logits, codes, sampled)

    def _classify(self, maps: list[Tensor], boxes: Proposals) -> tuple[Tensor, Tensor]:
        """Logits (B, P, K + 1) and codes (B, P, K + 1, 4) of boxes, float32; of filling anything.

        A CPU skips the filling, and so does any device where BatchNorm would learn from it.
        """
        skip = maps[0].device.type == "cpu" or (self.training and self.version == 2)
        rows = boxes.real.flatten().nonzero()[:, 0] if skip else None
        if rows is not None and len(rows) == 0:
            rows = None
        pooled = pool(maps, boxes.boxes, rows).to(self._dtype)
        features = self.roi_heads["box_head"](pooled).float()
        logits, codes = (output.float() for output in self.roi_heads["box_predictor"](features))
        if rows is not None:
            count = boxes.real.numel()
            logits, codes = (
                torch.zeros(count, own.shape[1], device=own.device).index_copy(0, rows, own)
                for own in (logits, codes)
            )
        batch, length = boxes.real.shape
        return logits.view(batch, length, -1), codes.view(batch, length, -1, 4)


def _box_head(channels: int, version: int, width: int) -> nn.Module:
    if version == 1:
        mlp: nn.Module = TwoMLPHead(channels * POOLED**2, width)
        return mlp
    convs: nn.Module = FastRCNNConvFCHead(
        (channels, POOLED, POOLED), [channels] * 4, [width], norm_layer=nn.BatchNorm2d
    )
    return convs


def _rows(level: Tensor, width: int) -> Tensor:
    """A level's outputs (B, anchors * width, H, W) as (B, H * W * anchors, width) float32."""
    batch, channels, height, across = level.shape
    rows: Tensor = permute_and_flatten(level, batch, channels // width, width, height, across)
    return rows.float()


def _without_p2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop P2 of a pyramid with four maps, and the first stage, whose anchors are torchvision's."""
    blocks = [f"backbone.fpn.{part}_blocks." for part in ("inner", "layer")]
    if f"{blocks[0]}3.0.weight" not in state:
        return state
    renamed = {}
    for name, value in state.items():
        block = next((block for block in blocks if name.startswith(block)), None)
        if block is not None:
            level, _, rest = name.removeprefix(block).partition(".")
            if level != "0":
                renamed[f"{block}{int(level) - 1}.{rest}"] = value
        elif not name.startswith("rpn."):
            renamed[name] = value
    return renamed
