"""Drawn slides of glass, tissue and tumour, and a classifier that knows tumour by its colour."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import tifffile
import torch
from torch import Tensor

from midog.config.load import load_config
from midog.images.pixels import Pixels
from midog.inference.patch_classifier import PatchClassifier
from midog.models.classifiers.network import PatchNetwork
from midog.models.frame import Frame

MPP = 0.5
SIDE = 32
ISLAND = (160, 96, 1120, 736)
"""x1 y1 x2 y2 of the tissue, px, without its tumour."""
TUMOUR = (320, 224, 640, 480)
"""x1 y1 x2 y2, px."""
_COLOURS = {"glass": (244, 243, 244), "tissue": (225, 170, 205), "tumour": (130, 80, 160)}


def slide(width: int = 1300, height: int = 900, tumour: bool = True) -> Pixels:
    """Glass with an island of tissue, in which a rectangle is tumour."""
    pixels = np.full((height, width, 3), _COLOURS["glass"], np.int64)
    for name, (x1, y1, x2, y2) in (("tissue", ISLAND), ("tumour", TUMOUR)):
        if name == "tissue" or tumour:
            pixels[y1:y2, x1:x2] = _COLOURS[name]
    return pixels.astype(np.uint8)


def write(path: Path, pixels: Pixels, mpp: float = MPP) -> Path:
    """A tiled TIFF that states its mpp."""
    per_cm = (1e4 / mpp, 1e4 / mpp)
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, tile=(256, 256), resolution=per_cm, resolutionunit="CENTIMETER")
    return path


def write_xml(path: Path, boxes: list[tuple[int, int, int, int]], group: str = "_0") -> Path:
    """Rectangles as CAMELYON16 outlines tumour, in ASAP's XML."""
    text = "<ASAP_Annotations><Annotations>"
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        text += f'<Annotation Name="{number}" Type="Polygon" PartOfGroup="{group}"><Coordinates>'
        for order, (x, y) in enumerate([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]):
            text += f'<Coordinate Order="{order}" X="{x}" Y="{y}" />'
        text += "</Coordinates></Annotation>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}</Annotations></ASAP_Annotations>")
    return path


class Purple(PatchNetwork):
    """The more of a window is tumour, the more likely it is: even where half of it is."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = Frame(multiple=1)
        self.seen = 0

    def logits(self, images: Tensor) -> Tensor:
        """Score windows."""
        self.seen += len(images)
        _, green, blue = images.mean(dim=(2, 3)).T
        score = 60 * (blue - green - 0.225)
        return torch.stack([torch.zeros_like(score), score], dim=1)


config = cache(load_config)


def classifier(
    folder: Path, network: PatchNetwork | None = None, threshold: float = 0.5
) -> PatchClassifier:
    """A classifier without training; its weights are a file of a few bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    return PatchClassifier(
        network or Purple(),
        ("normal", "tumour"),
        SIDE,
        MPP,
        threshold,
        torch.device("cpu"),
        folder,
        config("patches_resnet18"),
    )
