"""A network that finds something without having learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from midog.augment.on_device import to_float
from midog.bench.random_detector import random_detector
from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.images.image import open_image
from midog.models.build import build_model
from midog.models.protocol import DetectionNetwork
from tests.bench.small import SMALL
from tests.models.networks import share_over_a_half


def made(config: RunConfig, pixels: NDArray[np.uint8], share: float) -> DetectionNetwork:
    torch.manual_seed(0)
    network = build_model(config, pretrained=False)
    return random_detector(network, config.model.kind, pixels, share=share)


@pytest.mark.parametrize("imposters", ["hard_negative", "second_class"])
def test_a_share_of_the_anchors_scores_over_a_half(drawn, imposters):
    config = load_config(
        None, [*SMALL, f"sampling.imposters={imposters}", "model.max_detections=10000"]
    )
    with open_image(drawn[1].path) as image:
        pixels = np.stack([image.read(0, 0, 256, 256), image.read(300, 200, 256, 256)])
    model = made(config, pixels, share=0.01)
    assert not model.training
    images = to_float(torch.from_numpy(pixels))
    assert share_over_a_half(model, images) == pytest.approx(0.01, abs=0.002)
    again = made(config, pixels, share=0.01).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items()), (
        "a seed decides"
    )


def test_statistics_are_those_of_the_images(drawn):
    with open_image(drawn[1].path) as image:
        pixels = image.read(100, 100, 256, 256)[None]
    model = made(load_config(None, SMALL), pixels, share=3e-4)
    shown = model.frame(to_float(torch.from_numpy(pixels))).images
    with torch.inference_mode():
        seen = model.backbone.body.conv1(shown)
    torch.testing.assert_close(
        model.backbone.body.bn1.running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-4, rtol=1e-4
    )
