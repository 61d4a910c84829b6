"""A very small model with random weights, and images to show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from midog.config.load import parse_config
from midog.inference.detector import Detector
from midog.models.build import build_model

IMAGES = 40
_TINY = {
    "model": {
        "kind": "centroid",
        "backbone": {"kind": "resnet10", "width": 8},
        "weights": "none",
    },
    "inference": {"tile": 128, "overlap": 32, "precision": "32-true"},
}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model."""
    config = parse_config(_TINY)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_model(config, pretrained=False)
    folder = tmp_path_factory.mktemp("tiny") / "model"
    Detector(network, config, threshold=0.05, device="cpu").save(folder)
    return folder


@pytest.fixture(scope="session")
def small_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 00.tif, 01.tif, …; copy it before you change it."""
    folder = tmp_path_factory.mktemp("small") / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    options = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
    for number in range(IMAGES):
        pixels = rng.integers(0, 255, (120, 150, 3), dtype=np.uint8)
        tifffile.imwrite(folder / f"{number:02d}.tif", pixels, photometric="rgb", **options)
    return folder
