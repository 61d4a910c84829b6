"""A small model with random weights, pixels to show it, and the folder it is saved in."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from midog.inference.detector import Detector
from midog.models.build import build_model
from tests.inference.small import CONFIG

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="session")
def retinanet() -> nn.Module:
    """The real network, untaught; its last layer is sharpened so that it finds something, and not
    everything."""
    torch.manual_seed(0)
    model = build_model(CONFIG, pretrained=False)
    with torch.no_grad():
        logits = model.head.classification_head.cls_logits
        logits.weight *= 40
        logits.bias += 3
    return model


@pytest.fixture(scope="session")
def roi() -> Pixels:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.normal(size=(900, 700, 3)), (9, 9, 0))
    return np.asarray(np.clip(180 + 900 * smooth, 0, 255), dtype=np.uint8)


@pytest.fixture
def saved(retinanet: nn.Module, tmp_path: Path) -> Path:
    info = {"data": "abc123", "val": {"f1": 0.5}}
    folder = tmp_path / "runs" / "a" / "best"
    Detector(retinanet, CONFIG, threshold=0.4, device="cpu", info=info).save(folder)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two small TIFFs, a and b, that state their mpp."""
    folder = tmp_path / "rois"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.tiff", "b.tiff"):
        pixels = rng.integers(0, 255, (120, 150, 3), dtype=np.uint8)
        tifffile.imwrite(
            folder / name, pixels, resolution=(40000, 40000), resolutionunit="CENTIMETER"
        )
    return folder


@pytest.fixture
def two_models(retinanet: nn.Module, saved: Path, tmp_path: Path) -> list[Path]:
    """The folder of `saved`, with threshold 0.4, and that of a similar model with 0.6."""
    other = copy.deepcopy(retinanet)
    with torch.no_grad():
        other.head.classification_head.cls_logits.bias += 0.2
    folder = tmp_path / "runs" / "b" / "best"
    Detector(other, CONFIG, threshold=0.6, device="cpu", info={"data": "abc123"}).save(folder)
    return [saved, folder]
