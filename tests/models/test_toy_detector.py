"""A detector of another kind is added by one file and one entry, then used by the real commands.

It has neither anchors nor a pyramid: a map of centres, as in CenterNet (Zhou et al. 2019,
arXiv:1904.07850).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from midog.config.describe import kinds
from midog.models.frame import Frame
from midog.models.postprocess import suppress
from midog.models.protocol import BoxTargets, Candidates, DetectionNetwork, ImageDetections
from midog.models.registry import DETECTORS, DetectorEntry, DetectorSettings
from tests.models.test_protocol import check_detector
from tests.models.toys import train_detect_score
from tests.spoiled import Ran, one_line, settings

STRIDE = 8


class CentreMapSettings(DetectorSettings):
    """Settings of the centre map."""

    width: int = Field(8, ge=1, le=256, description="channels of its hidden map")
    side: float = Field(50, gt=0, description="side of the box that it starts from, px")


class CentreMap(DetectionNetwork):
    """Scores every cell of a map as the centre of a figure, and regresses the figure's sides."""

    head_name = "head"

    def __init__(self, own: CentreMapSettings, num_classes: int, magnification: float) -> None:
        super().__init__()
        self.frame = Frame(magnification)
        self.body = nn.Conv2d(3, own.width, kernel_size=9, stride=STRIDE, padding=4)
        self.head = nn.Conv2d(own.width, num_classes + 2, kernel_size=1)
        self.side, self.nms_iou, self.most = own.side, own.nms_iou, own.max_detections

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        """Compute "centre" (cross entropy of all cells) and "sides" (L1, of the centres alone)."""
        logits, sides, cells = self._predict(images)
        framed = self.frame(images)
        boxes, labels = framed.boxes_in(targets["boxes"]), targets["labels"]
        true = torch.zeros_like(logits)
        loss_sides = sides.sum() * 0
        for image, box, label in zip(range(len(boxes)), boxes, labels, strict=True):
            real = label > 0
            centres = (box[real, :2] + box[real, 2:]) / 2
            if real.any():
                nearest = torch.cdist(centres, cells).argmin(dim=1)
                true[image, nearest, label[real] - 1] = 1
                aim = (box[real, 2:] - box[real, :2]).clamp(min=1).log()
                loss_sides = loss_sides + F.l1_loss(sides[image, nearest], aim)
        return {
            "centre": F.binary_cross_entropy_with_logits(logits, true),
            "sides": loss_sides / len(boxes),
        }

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        """Propose the best hundred cells."""
        logits, sides, cells = self._predict(images)
        scores, index = logits.sigmoid().flatten(1).topk(min(100, logits[0].numel()))
        cell, label = index // logits.shape[2], index % logits.shape[2] + 1
        half = sides.gather(1, cell[..., None].expand(-1, -1, 2)).clamp(max=8).exp() / 2
        boxes = torch.cat([cells[cell] - half, cells[cell] + half], dim=-1)
        return Candidates(
            self.frame(images).boxes_out(boxes), scores.where(scores > floor, 0), label
        )

    def detections(self, images: Tensor, floor: float) -> list[ImageDetections]:
        """Detect figures by class-wise suppression."""
        return suppress(self.candidates(images, floor), self.nms_iou, self.most)

    def features(self, images: Tensor) -> list[Tensor]:
        """Compute the hidden map."""
        framed = self.frame(images).images.to(self.body.weight.dtype)
        return [F.relu(self.body(framed))]

    def for_detection(self, dtype: torch.dtype) -> Self:
        """Copy the network."""
        return copy.deepcopy(self).eval().requires_grad_(False).to(dtype)

    def compile_parts(self) -> None:
        """Compile both convolutions."""
        self.body.compile(dynamic=False)
        self.head.compile(dynamic=False)

    def _predict(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, cells, K), logarithms of sides (B, cells, 2) and centres (cells, 2), px."""
        outputs = self.head(self.features(images)[0]).float()
        rows, columns = (torch.arange(n, device=outputs.device) for n in outputs.shape[2:])
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        cells = STRIDE * (torch.stack([x, y], dim=-1).flatten(0, 1).float() + 0.5)
        flat = outputs.flatten(2).transpose(1, 2)
        return flat[..., :-2], flat[..., -2:] + torch.tensor(self.side).log(), cells


def build(own: CentreMapSettings, num_classes: int, magnification: float) -> CentreMap:
    return CentreMap(own, num_classes, magnification)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = DetectorEntry("map of centres without anchors", CentreMapSettings, build)
    monkeypatch.setitem(DETECTORS, "centre_map", entry)


@pytest.fixture
def words(tiny: list[str]) -> list[str]:
    """Options of a quick training of the toy detector."""
    others = [word for word in tiny if not word.startswith("model.")]
    ours = ["model.kind=centre_map", "model.width=6", "model.weights=none", "train.epochs=1"]
    return settings([*others, *ours])


@pytest.mark.parametrize("imposters", ["ignore", "second_class"])
def test_it_keeps_the_protocol_of_detectors(imposters: str) -> None:
    check_detector({"kind": "centre_map", "weights": "none"}, imposters)


def test_a_run_is_trained_detects_and_is_scored(
    midog: Callable[..., Ran],
    phantom: Path,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    best = train_detect_score(midog, phantom, words)
    card = json.loads((best / "model.json").read_text())
    assert card["config"]["model"]["kind"] == "centre_map"
    assert card["config"]["model"]["width"] == 6
    assert "train/loss_centre" in (best.parent / "metrics.csv").read_text()


def test_its_words_are_listed_among_the_choices() -> None:
    assert kinds()["model"]["centre_map"].about == "map of centres without anchors"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("model.side=-1", r"model\.side is -1"),
        ("model.head_convs=2", r"model: head_convs is of another kind than centre_map;"),
        ("model.kind=centremap", r"did you mean centre_map\?"),
        ("model.weights=coco", r"model\.weights=coco does not exist for this detector"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    setting: str,
    says: str,
    midog: Callable[..., Ran],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = one_line(midog("train", *words, "--set", setting))
    assert re.search(says, line), line
