"""By how many positive anchors RetinaNet's loss sums are divided: those of an image or a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from midog.models.detector_settings import LossNormalizer

KEPT = 0.9
"""Share of the running mean that a batch leaves; that of Detectron2's RetinaNet."""


class LossBalance(nn.Module):
    """Divides what the anchors of an image sum up to.

    image: by the image's own positives, at least 1 (torchvision's rule). A mistake in an image with
    few positives then weighs more than the same one in an image with many.
    batch: by the positives per image of the batch, at least one in all; every mistake of a batch
    weighs the same (Lin et al. 2017, arXiv:1708.02002, section 4.1).
    running_mean: by a running mean of that, so that it weighs the same in every batch.

    With `batch` and `running_mean` the batch is that of all processes, and the running mean is part
    of the state dict. In eval mode, both divide by it: validation losses of any batch size and of
    any epoch then have one scale, whether or not their images hold positives. Before the first
    training batch that is the batch's own.

    Args:
        rule: one of these.
    """

    positives_per_image: Tensor

    def __init__(self, rule: LossNormalizer = "image") -> None:
        super().__init__()
        self.rule = rule
        if rule != "image":
            self.register_buffer("positives_per_image", torch.zeros(()))

    @torch.no_grad()
    def forward(self, positives: Tensor) -> Tensor:
        """Return the divisors (B,), positive, of images with `positives` (B,) int64 anchors.

        In train mode the running mean is moved.
        """
        if self.rule == "image":
            return positives.clamp(min=1)
        own = self._of_batch(positives)
        seen = self.positives_per_image > 0
        if self.training:
            mean = torch.where(seen, self.positives_per_image * KEPT + own * (1 - KEPT), own)
            self.positives_per_image.copy_(mean)
        else:
            mean = torch.where(seen, self.positives_per_image, own)
        divisor = own if self.training and self.rule == "batch" else mean
        return divisor.expand(len(positives))

    def _of_batch(self, positives: Tensor) -> Tensor:
        """Positives per image of this batch; in train mode over all processes, which have as many
        images each."""
        total, images = positives.sum(), len(positives)
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if self.training and distributed and torch.distributed.get_world_size() > 1:
            torch.distributed.all_reduce(total)
            images *= torch.distributed.get_world_size()
        return total.clamp(min=1) / images
