"""Pictures of validation patches for TensorBoard, with true and detected boxes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.utils import draw_bounding_boxes

from midog.augment.on_device import to_float
from midog.boxes import MITOTIC_FIGURE
from midog.loading.source import Batch
from midog.models.protocol import BoxTargets, DetectionNetwork, ImageDetections

_FLOOR = 0.05
"""Lower scores are not drawn, whatever the threshold."""


@torch.no_grad()
def draw_pictures(
    network: DetectionNetwork,
    batches: Iterable[Batch[BoxTargets]],
    device: torch.device,
    count: int,
    threshold: float,
) -> list[NDArray[np.uint8]]:
    """Draw some patches, those with a mitotic figure first: true boxes green, detected ones yellow.

    Args:
        network: On `device`; left in eval mode.
        batches: Patches, not augmented.
        count: Most pictures to draw.
        threshold: Score from which a detection is drawn.

    Returns:
        Pictures (S, S, 3) uint8.
    """
    network.eval()
    with_figure: list[tuple[Tensor, Tensor]] = []
    without: list[tuple[Tensor, Tensor]] = []
    for batch in batches:
        images = batch.images.clone()  # the batch's own memory is used again
        for image, boxes, labels in zip(
            images, batch.targets["boxes"], batch.targets["labels"], strict=True
        ):
            figures = boxes[labels == MITOTIC_FIGURE]
            (with_figure if len(figures) else without).append((image, figures))
        del without[count:]
        if len(with_figure) >= count:
            break

    def detected(image: Tensor) -> ImageDetections:
        return network.detections(to_float(image[None].to(device)), _FLOOR)[0]

    return [
        _draw_boxes(image, figures, detected(image), threshold)
        for image, figures in [*with_figure, *without][:count]
    ]


def _draw_boxes(
    image: Tensor, figures: Tensor, detections: ImageDetections, threshold: float
) -> NDArray[np.uint8]:
    """A picture (S, S, 3) of the patch (S, S, 3) uint8 with its true and detected boxes."""
    picture = image.cpu().permute(2, 0, 1).contiguous()
    sure = (detections["scores"] >= threshold) & (detections["labels"] == MITOTIC_FIGURE)
    for boxes, colour, width in (
        (figures, "lime", 3),
        (detections["boxes"][sure].float().cpu(), "yellow", 1),
    ):
        if len(boxes):
            picture = draw_bounding_boxes(picture, boxes, colors=colour, width=width)
    return np.asarray(picture.permute(1, 2, 0).numpy())
