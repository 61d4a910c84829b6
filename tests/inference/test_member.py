"""A member: one network's tiles and reports, whatever the orientation it is shown them in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.images.image import as_image
from midog.inference.detector import Detector
from midog.inference.orientations import ORIENTATIONS, Orientation
from midog.mpp import Mpp
from tests.inference.small import CONFIG, TILE
from tests.inference.squares import Squares


def member(**settings: object):
    return Detector(Squares(), CONFIG, device="cpu", **settings).members[0]


@pytest.mark.parametrize("orientation", ORIENTATIONS[8], ids=str)
def test_reports_are_in_px_of_the_image_whatever_the_orientation(orientation: Orientation) -> None:
    own, pixels = member(), np.full((TILE, TILE, 3), 230, np.uint8)
    pixels[40:80, 100:150] = 30
    plan = own.plan(as_image(pixels, 0.25), Mpp.of(0.25))
    images = torch.from_numpy(pixels)[None]
    merging = own.merging(plan, (TILE, TILE))
    merging.take(own.start(images, orientation, plan.places(), plan)(), TILE)
    boxes, scores, labels = merging.result()
    assert boxes.tolist() == [[100, 40, 150, 80]]
    assert (len(scores), labels.tolist()) == (1, [1])


def test_identity_is_of_weights_tiles_and_mpp() -> None:
    first = member().identity()
    assert first == member().identity()
    assert first.keys() == {
        "weights",
        "nms_iou",
        "tile",
        "overlap",
        "precision",
        "floor",
        "mpp",
    }
    other = member(overlap=48)
    assert other.identity() != first
    with torch.no_grad():
        other.network.norm.weight[0] = 2
    assert other.identity()["weights"] != first["weights"]
