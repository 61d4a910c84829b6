"""The folder of a small model with random weights that detects something."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder; copy it before you change it."""
    import torch

    from midog.inference.detector import Detector
    from midog.models.build import build_model
    from tests.inference.small import CONFIG

    torch.manual_seed(0)
    network = build_model(CONFIG, pretrained=False)
    with torch.no_grad():
        logits = network.head.classification_head.cls_logits
        logits.weight *= 40
        logits.bias += 3
    folder = tmp_path_factory.mktemp("weights") / "best"
    Detector(network, CONFIG, threshold=0.4, device="cpu").save(folder)
    return folder
