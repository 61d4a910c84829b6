"""A network for tests that boxes each dark patch that it is shown, exactly."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from midog.models.protocol import Candidates
from tests.models.networks import CandidatesAlone


class Squares(CandidatesAlone):
    """Boxes each connected dark patch; darker scores higher, times `gain`.

    With `slant` scores depend on where in what it is shown a patch is: right and below more.
    """

    def __init__(self, gain: float = 1.0, slant: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        with torch.no_grad():
            self.norm.bias.fill_(gain)  # two gains are two models
        self.gain, self.slant = gain, slant

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        per_image = [self._boxes(image.mean(dim=0).numpy()) for image in images]
        boxes, scores, labels = (
            nn.utils.rnn.pad_sequence(list(column), batch_first=True)
            for column in zip(*per_image, strict=True)
        )
        return Candidates(boxes, scores.where(scores > floor, 0), labels)

    def _boxes(self, grey: NDArray[np.float32]) -> tuple[Tensor, Tensor, Tensor]:
        patches, _ = ndimage.label(grey < 0.6)
        boxes = [[x.start, y.start, x.stop, y.stop] for y, x in ndimage.find_objects(patches)]
        placed = np.array(boxes, dtype=np.float32).reshape(-1, 4)
        means = np.asarray(ndimage.mean(grey, patches, np.arange(1, len(boxes) + 1)))
        tilt = self.slant * (placed[:, 0] + 2 * placed[:, 1]) / (3 * grey.shape[1])
        scores = torch.tensor((1 - means) * self.gain * (1 - self.slant + tilt)).float()
        return torch.from_numpy(placed), scores, torch.ones(len(boxes), dtype=torch.int64)
