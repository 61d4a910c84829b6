"""The detector of centres: its boxes, its sizes by um/px, and scores that no tile changes."""

from __future__ import annotations

import pytest
import torch

from midog.config.load import parse_config
from midog.errors import WeightsError
from midog.models.build import build_model
from midog.models.centroid import Centroid


def centroid(mpp=0.25, patch_size=512, **model):
    settings = {"kind": "centroid", "backbone": "resnet18", "weights": "none"} | model
    torch.manual_seed(1)
    network = build_model(
        parse_config(
            {
                "model": settings,
                "data": {"mpp": mpp},
                "sampling": {"patch_size": patch_size, "imposters": "ignore"},
            }
        )
    )
    assert isinstance(network, Centroid)
    return network.eval()


class FixedMap(torch.nn.Module):
    """Gives one map whatever it is shown."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, maps):
        return self.logits


def test_boxes_are_12_5_um_at_the_models_um_per_px_or_as_set():
    assert centroid().figure_px == 50
    assert centroid(mpp=0.5).figure_px == 25
    assert centroid(mpp=0.5, figure_px=31).figure_px == 31


@pytest.mark.parametrize("resize", [None, 128])
@pytest.mark.parametrize("stride", [4, 8])
def test_a_peak_is_a_box_about_its_cell_also_where_the_image_ends(stride, resize):
    """A box that is cut at the edge has its centre where the peak is, so that scoring sees it."""
    network = centroid(patch_size=64, stride=stride, resize=resize)
    factor = 2 if resize else 1
    side = 96 * factor // 8
    logits = torch.full((1, network.parts**2, side, side), -20.0)
    network.scores = FixedMap(logits)
    cells = 8 // stride
    for row, column in ((side // 2, side // 2), (0, side // 2), (side - 1, 0)):
        logits.fill_(-20)
        logits[0, 0, row, column] = 4.0  # the upper left part of the cell of 8 px
        (found,) = network.detections(torch.zeros(1, 3, 96, 96), 0.5)
        (box,) = found["boxes"].tolist()
        x, y = ((cells * at + 0.5) * stride / factor for at in (column, row))
        assert [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] == pytest.approx([x, y], abs=1e-4)
        half_x, half_y = (min(25, at, 96 - at) for at in (x, y))
        assert [box[2] - box[0], box[3] - box[1]] == pytest.approx([2 * half_x, 2 * half_y])
        assert found["scores"].tolist() == pytest.approx([0.98201379])


@pytest.mark.parametrize("maps", [1, 2])
def test_what_a_larger_picture_shows_elsewhere_changes_no_score(maps):
    """The same figures alone or within a larger picture: no layer sees statistics of the tile."""
    network = centroid(maps=maps)
    margin = {1: 96, 2: 160}[maps]  # over half of the receptive field, and whole cells
    generator = torch.Generator().manual_seed(0)
    alone = torch.rand((1, 3, 2 * margin + 64, 2 * margin + 64), generator=generator)
    above = torch.rand((1, 3, 128, alone.shape[3] + 64), generator=generator)
    right = torch.rand((1, 3, alone.shape[2], 64), generator=generator)
    larger = torch.cat([above, torch.cat([alone, right], dim=3)], dim=2)
    with torch.inference_mode():
        _, own = network._see(alone)
        _, embedded = network._see(larger)
    first, last = margin // 4, (margin + 64) // 4
    inner = own[..., first:last, first:last]
    assert float(inner.std()) > 1e-3
    torch.testing.assert_close(
        embedded[..., 32 + first : 32 + last, first:last], inner, rtol=1e-5, atol=1e-5
    )


def test_weights_of_coco_do_not_exist_for_it_and_that_is_said():
    with pytest.raises(WeightsError, match="does not exist for this detector"):
        centroid(weights="coco")
