"""The baseline of detection is correct: in one tile it detects what the Detector does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from benchmarks.baselines.torchvision_network import (
    SHIPPED_PX,
    TILE_PX,
    detect_tiles,
    in_torchvision,
    shipped,
    tile_corners,
    torchvision_gflop,
)
from midog.bench.drawn_rois import draw_rois
from midog.bench.random_detector import random_detector
from midog.config.load import load_config
from midog.images.image import open_image
from midog.inference.detector import Detector
from midog.models.build import build_model
from tests.bench.small import SMALL

CPU = torch.device("cpu")


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_tiles_cover_the_image_and_overlap(width, height):
    corners = np.array(list(tile_corners(width, height)))
    for axis, extent in ((0, width), (1, height)):
        starts = np.unique(corners[:, axis])
        assert starts[0] == 0
        assert starts[-1] + TILE_PX >= extent
        assert len(starts) == 1 or starts[-2] + TILE_PX < extent, "one less would do"
        assert (np.diff(starts) < 0.71 * TILE_PX).all()


def test_boxes_are_moved_to_where_their_tile_is_and_kept_inside_the_image(tmp_path):
    path = draw_rois(tmp_path, 2000, 600)[1].path

    def corner_of_each(tiles):
        found = {"boxes": [[0.0, 0.0, 50.0, 700.0]], "scores": [0.9], "labels": [1]}
        return [{name: torch.tensor(values) for name, values in found.items()} for _ in tiles]

    found = detect_tiles(path, corner_of_each, load_config(None, SMALL), CPU, 2)
    assert found.boxes.tolist() == [[x, y, x + 50, 600] for x, y in tile_corners(2000, 600)]
    assert len(found) == 3


@pytest.mark.parametrize("resize", ["null", "192"])
def test_both_ways_find_the_same_in_one_tile(tmp_path, resize):
    path = draw_rois(tmp_path, TILE_PX, TILE_PX)[1].path
    config = load_config(None, [*SMALL, f"model.resize={resize}"])
    with open_image(path) as image:
        sample = np.stack([image.read(0, 0, 256, 256), image.read(256, 256, 256, 256)])
    torch.manual_seed(0)
    network = build_model(config, pretrained=False)
    model = random_detector(network, config.model.kind, sample, share=3e-3)
    plain = detect_tiles(path, in_torchvision(model, config), config, CPU, 1)
    ours = Detector(model, config, device="cpu", tile=TILE_PX, precision="32-true")(path, mpp=0.25)
    assert len(plain) > 5
    assert len(ours) == len(plain)
    apart = cdist(ours.boxes, plain.boxes, "chebyshev")
    assert sorted(apart.argmin(axis=1)) == list(range(len(plain))), (
        "each is the nearest one of another"
    )
    assert apart.min(axis=1).max() < 0.05
    np.testing.assert_allclose(ours.scores, plain.scores[apart.argmin(axis=1)], atol=1e-3)
    assert (plain.labels == 1).all()


def test_other_resnets_are_put_together_as_torchvision_does():
    network = shipped("resnet18", 1).eval()
    with torch.inference_mode():
        found = network([torch.rand(3, 64, 64)])
    assert set(found[0]) == {"boxes", "scores", "labels"}
    assert network.transform.min_size == (800,)


def test_torchvision_as_shipped_costs_255_gflop_and_gradients_twice_as_much_again():
    network = shipped("resnet50", 1)
    forward = torchvision_gflop(network, SHIPPED_PX)
    assert forward == pytest.approx(255, abs=0.5)
    assert 2.9 * forward < torchvision_gflop(network, SHIPPED_PX, backward=True) < 3 * forward
