"""A backbone is added by one file, this one, and one entry, then used by the real commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import Field
from torch import Tensor, nn

from midog.config.describe import kinds
from midog.models.protocol import Backbone
from midog.models.registry import BACKBONES, BackboneEntry, BackboneSettings
from tests.models.test_protocol import check_detector
from tests.models.toys import train_detect_score
from tests.spoiled import Ran, one_line, settings


class ToySettings(BackboneSettings):
    """Settings of the toy backbone."""

    width: int = Field(4, ge=1, le=64, description="channels of the finest map")


class ToyBackbone(Backbone):
    """Strided convolutions, each map twice as wide as the finer one."""

    def __init__(self, width: int, maps: int) -> None:
        super().__init__()
        self.channels = tuple(width * 2**level for level in range(maps))
        self.stem = nn.Conv2d(3, width, kernel_size=7, stride=8, padding=3)
        self.stages = nn.ModuleList(
            nn.Conv2d(fine, coarse, kernel_size=3, stride=2, padding=1)
            for fine, coarse in zip(self.channels, self.channels[1:], strict=False)
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Maps of strides 8, 16, 32."""
        maps = [self.stem(images).relu()]
        for stage in self.stages:
            maps.append(stage(maps[-1]).relu())
        return maps


TOY = BackboneEntry(
    "three strided convolutions", ToySettings, lambda own, maps: ToyBackbone(own.width, maps)
)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKBONES, "toy", TOY)


@pytest.fixture
def words(tiny: list[str]) -> list[str]:
    """Options of a quick training with the toy backbone."""
    ours = [
        "model.backbone.kind=toy",
        "model.backbone.width=3",
        "model.pyramid_channels=32",
        "model.head_convs=1",
        "train.epochs=1",
    ]
    return settings([*(word for word in tiny if "model.backbone" not in word), *ours])


def test_a_pyramid_with_it_keeps_the_protocol_of_detectors() -> None:
    check_detector({"kind": "retinanet", "backbone": "toy", "weights": "none"})


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
    assert card["config"]["model"]["backbone"] == {"kind": "toy", "width": 3}


def test_its_words_are_listed_among_the_choices() -> None:
    assert kinds()["model.backbone"]["toy"].about == "three strided convolutions"


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("model.backbone.width=0", r"model\.backbone\.width is 0"),
        ("model.backbone.wdith=3", r"did you mean model\.backbone\.width\?"),
        ("model.weights=imagenet", r"model\.weights=imagenet exists for resnet18.* not for .*toy"),
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
