"""Scores of the same pixels in any picture: equal, unless a norm has statistics of the picture."""

from __future__ import annotations

import copy
from functools import cache

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from midog.config.load import load_config
from midog.inference.detector import Detector
from midog.models.protocol import Backbone
from midog.models.retinanet import RetinaNet

STRIDE = 8
MARGIN = 4
"""Cells of the map that an edge reaches: three strided convolutions see 15 px, three more of 3
cells make it 63, so 32 px to each side."""


class Body(Backbone):
    """Three strided convolutions with BatchNorm: all that matters of a real one, in no time."""

    channels = (16,)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(self.layer(*io) for io in ((3, 8), (8, 16), (16, 16))))

    def layer(self, inputs: int, outputs: int) -> nn.Sequential:
        convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.layers(images)]


@cache
def network(head_norm: str) -> RetinaNet:
    """One level, random weights and BatchNorm statistics, in float64: rounding hides nothing."""
    torch.manual_seed(0)
    model = RetinaNet(
        Body(),
        1,
        anchor_sizes=((48.0,),),
        channels=32,
        head_convs=1,
        head_norm=head_norm,
        prior=0.5,
        pyramid_norm="batch" if head_norm == "batch" else "none",
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    branch = model.head.classification_head  # scores that spread, so that a moved one is seen
    nn.init.kaiming_normal_(branch.conv[0][0].weight)
    nn.init.normal_(branch.cls_logits.weight, std=0.1)
    return model.double().eval()


def scores(model: RetinaNet, picture: Tensor) -> Tensor:
    """Score of class 1 at each cell, (h, w), of a picture (3, H, W)."""
    with torch.no_grad():
        rows = model.head(model.backbone(model.frame(picture[None]).images))["cls_logits"]
    logits: Tensor = rows[0, :, 1].view(picture.shape[1] // STRIDE, picture.shape[2] // STRIDE)
    return logits.sigmoid()


def largest_move(head_norm: str, seed: int, side: int, more: tuple[int, int], at: tuple[int, int]):
    """How far a score moves when the tissue around it lies in a larger picture of another kind.

    side: of the small picture, px. more: by how many cells the large one is larger, at: where the
    small one lies in it, in cells, from 0 to `more`.
    """
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(3, side, side, generator=generator, dtype=torch.float64)
    shape = [side + STRIDE * cells for cells in more]
    large = 0.3 * torch.rand(3, *shape, generator=generator, dtype=torch.float64)
    y, x = (STRIDE * cells for cells in at)
    large[:, y : y + side, x : x + side] = small
    alone, embedded = scores(network(head_norm), small), scores(network(head_norm), large)
    cells = side // STRIDE
    whole = slice(MARGIN, cells - MARGIN)
    there = embedded[at[0] : at[0] + cells, at[1] : at[1] + cells]
    assert alone[whole, whole].numel() > 0
    return float((alone - there)[whole, whole].abs().max())


pictures = {
    "seed": st.integers(0, 2**32),
    "side": st.sampled_from([96, 128]),
    "places": st.lists(st.tuples(st.sampled_from([4, 8, 20]), st.floats(0, 1)), min_size=2),
}


@settings(max_examples=10)
@given(**pictures)
def test_scores_are_those_of_the_pixels_around_whatever_picture_they_lie_in(seed, side, places):
    more = (places[0][0], places[1][0])
    at = (round(places[0][1] * more[0]), round(places[1][1] * more[1]))
    for head_norm in ("batch", "none"):
        assert largest_move(head_norm, seed, side, more, at) < 1e-12


def detections(head_norm: str, pixels: np.ndarray, tile: int) -> np.ndarray:
    """Centres and scores of all detections, (N, 3), in order of the place.

    Tiles overlap by four times what the network sees to each side, so those of which an edge is
    nearer are left to the neighbour; boxes are the anchors, and no two suppress each other.
    """
    model = copy.deepcopy(network(head_norm)).float()
    nn.init.zeros_(model.head.regression_head.bbox_reg.weight)
    picture = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    best = scores(model, picture).flatten().sort(descending=True).values[300:500]
    gap = int((best[:-1] - best[1:]).argmax())  # where rounding decides nothing
    floor = float(best[gap : gap + 2].mean())
    changed = {"nms_iou": 0.99, "max_detections": 10_000, "weights": "none"}
    config = load_config(None, values={f"model.{key}": value for key, value in changed.items()})
    detector = Detector(model, config, device="cpu", tile=tile, overlap=128, floor=floor, workers=0)
    found = detector(pixels, mpp=0.25)
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    rows = np.column_stack([centres, found.scores])
    # boxes are cut at the image's edge, where the centre says less
    rows = rows[((centres > 24) & (centres < len(pixels) - 24)).all(axis=1)]
    return rows[np.lexsort(rows.T[:2].round())]


def test_detections_do_not_depend_on_the_tile_and_with_group_norm_they_do():
    pixels = np.random.default_rng(0).integers(0, 256, (448, 448, 3), dtype=np.uint8)
    for head_norm in ("batch", "none"):
        whole = detections(head_norm, pixels, 448)
        assert len(whole) > 100
        assert np.ptp(whole[:, 2]) > 0.01
        for tile in (256, 320):
            np.testing.assert_allclose(
                detections(head_norm, pixels, tile), whole, rtol=1e-5, atol=1e-5
            )
    one, other = (detections("group", pixels, tile)[:, 2] for tile in (256, 448))
    assert len(one) != len(other) or np.abs(one - other).max() > 1e-3


def test_group_norm_moves_them_so_the_test_above_can_fail():
    assert largest_move("group", 1, 96, (20, 20), (10, 10)) > 1e-3
