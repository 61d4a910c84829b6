"""A classifier of patches is added by one file, this one, and one entry, then used by the real
commands."""

from __future__ import annotations

import json

import pytest
from pydantic import Field
from torch import Tensor, nn

from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import CLASSIFIERS, ClassifierEntry, ClassifierSettings
from midog.models.frame import Frame
from tests.drawn_patches import SETTINGS, write_hdf5
from tests.spoiled import one_line, settings

pytestmark = pytest.mark.slow


class ToySettings(ClassifierSettings):
    """Settings of the toy classifier."""

    width: int = Field(4, ge=1, le=64, description="channels of its one map")


class ToyClassifier(PatchNetwork):
    """One convolution, whose map's highest values are joined by a linear layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.frame = Frame(multiple=1)
        self.layer = nn.Conv2d(3, width, kernel_size=5, stride=2)
        self.scores = nn.Linear(width, classes)

    def logits(self, images: Tensor) -> Tensor:
        """Score images."""
        scores: Tensor = self.scores(self.layer(self.shown(images)).amax(dim=(2, 3)))
        return scores


TOY = ClassifierEntry("one convolution", ToySettings, lambda own, k: ToyClassifier(own.width, k))


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(CLASSIFIERS, "toy", TOY)


def test_it_is_listed_trained_and_scored(midog, tmp_path):
    listed = midog("settings", "task.network")
    assert "toy: one convolution [settings: width]" in listed.out
    others = [word for word in SETTINGS if not word.startswith("task.network")]
    ran = midog(
        *("patches", "train", "--data", write_hdf5(tmp_path / "data"), "--runs", tmp_path),
        *("--name", "a", *settings([*others, "task.network={kind: toy, width: 6}"])),
    )
    assert ran.code == 0, ran.err
    card = json.loads((tmp_path / "a" / "best" / "model.json").read_text())
    assert card["config"]["task"]["network"] == {"kind": "toy", "width": 6}
    scored = midog("patches", "evaluate", tmp_path / "a", "--json")
    assert scored.code == 0, scored.err


def test_its_settings_are_checked(midog, tmp_path):
    ran = midog(
        *("patches", "train", "--data", write_hdf5(tmp_path / "data")),
        *settings(["task.network={kind: toy, width: 0}"]),
    )
    assert "task.network.width" in one_line(ran)
