"""What detectors of centres share: boxes, losses and copies, whatever network gives the map."""

from __future__ import annotations

import pytest
import torch

from midog.models.centre_detector import CentreDetector
from midog.models.protocol import BoxTargets
from tests.models.networks import body


class Drawn(CentreDetector):
    """Gives a map that the test draws."""

    def __init__(self, logits, stride, magnification=1.0):
        super().__init__(
            body("resnet18", 1),
            figure_px=20,
            stride=stride,
            loss="focal",
            magnification=magnification,
            nms_iou=0.2,
            max_detections=10,
        )
        self.logits = torch.nn.Parameter(logits)

    def scored(self, images):
        assert images.shape[-2] // self.stride == self.logits.shape[-2]
        return self.logits

    def compile_parts(self):
        raise NotImplementedError


@pytest.mark.parametrize(("stride", "magnification"), [(1, 1.0), (2, 1.0), (2, 2.0), (4, 1.0)])
def test_a_peak_is_a_box_about_the_middle_of_its_cell(stride, magnification):
    side = int(64 * magnification) // stride
    logits = torch.full((1, 1, side, side), -20.0)
    logits[0, 0, side // 2, side // 4] = 4.0
    network = Drawn(logits, stride, magnification).eval()
    (found,) = network.detections(torch.zeros(1, 3, 64, 64), 0.5)
    (box,) = found["boxes"].tolist()
    x, y = ((cell + 0.5) * stride / magnification for cell in (side // 4, side // 2))
    assert box == pytest.approx([x - 10, y - 10, x + 10, y + 10], abs=1e-4)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_loss_is_least_where_the_figures_are(stride):
    cells = 64 // stride
    targets = BoxTargets(
        boxes=torch.tensor([[[21.0, 9, 40, 28]]]),
        labels=torch.ones(1, 1, dtype=torch.int64),
        ignore=torch.zeros(1, 0, 4),
    )

    def loss(x, y):
        logits = torch.full((1, 1, cells, cells), -8.0)
        logits[0, 0, y // stride, x // stride] = 8.0
        return float(Drawn(logits, stride)(torch.zeros(1, 3, 64, 64), targets)["centres"].detach())

    assert loss(30, 18) < 0.1 * min(loss(18, 30), loss(50, 50))
