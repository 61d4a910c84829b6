"""Model folders load whole or say why not."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from midog.config.load import parse_config
from midog.errors import MidogError, WeightsError
from midog.inference.detector import Detector
from midog.models.build import build_model
from tests.inference.small import CONFIG, TILE, detect, same

Pixels = NDArray[np.uint8]


def test_a_saved_detector_finds_the_same(retinanet: nn.Module, roi: Pixels, saved: Path) -> None:
    detector = Detector.load(saved, device="cpu", floor=0.3)
    assert same(detector(roi[:256, :300], mpp=0.25), detect(retinanet, roi[:256, :300]))
    assert (detector.threshold, detector.class_names, detector.mpp) == (
        0.4,
        ("mitotic figure",),
        0.25,
    )
    assert (
        detector.inference.tile,
        detector.inference.overlap,
        detector.inference.floor,
    ) == (TILE, 32, 0.3)
    assert detector.config == CONFIG
    assert detector.info["data"] == "abc123"
    assert not detector.model.training
    assert Detector.load(saved.parent, device="cpu", threshold=0.7).threshold == 0.7, (
        "the run's folder stands for its best"
    )
    assert sorted(path.name for path in saved.parent.iterdir()) == ["best"]


def test_model_json_says_what_the_model_is(saved: Path) -> None:
    card = json.loads((saved / "model.json").read_text())
    assert card["format"] == 2
    assert len(card["weights_sha256"]) == 64
    assert card["config"] == CONFIG.to_dict()
    assert (card["class_names"], card["mpp"], card["threshold"]) == (["mitotic figure"], 0.25, 0.4)
    assert (card["data"], card["val"]) == ("abc123", {"f1": 0.5})
    assert set(card["versions"]) == {"midog", "torch", "torchvision", "python"}


def test_a_model_is_replaced_and_nothing_else_is(saved: Path) -> None:
    detector = Detector.load(saved, device="cpu", threshold=0.9)
    detector.save(saved)
    assert Detector.load(saved, device="cpu").threshold == 0.9
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(WeightsError, match="holds other things"):
        detector.save(saved)
    assert (saved / "notes.txt").read_text() == "mine"


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["write", "rename"])
@pytest.mark.parametrize("name", ["best", "other"])
def test_a_full_disk_leaves_what_was_there(
    saved: Path, name: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Detector.load(saved, device="cpu", threshold=0.9)
    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(os, "fsync", full_disk)
        else:
            rename = Path.rename
            patch.setattr(
                Path,
                "rename",
                lambda path, to: (full_disk if ".part" in path.name else rename)(path, to),
            )
        with pytest.raises(WeightsError, match="the disk is full; make room"):
            detector.save(saved.with_name(name))
    assert [path.name for path in saved.parent.iterdir()] == ["best"]
    assert Detector.load(saved, device="cpu").threshold == 0.4


def test_settings_tell_models_apart(saved: Path) -> None:
    one, other = (
        Detector.load(saved, device="cpu"),
        Detector.load(saved, device="cpu", workers=0, batch_size=1),
    )
    assert json.loads(json.dumps(one.settings())) == other.settings()
    assert one.settings() != Detector.load(saved, device="cpu", threshold=0.1).settings()
    with torch.no_grad():
        other.model.head.classification_head.cls_logits.bias += 1
    assert one.settings() != other.settings()


def edit_card(**changes: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        card = json.loads((folder / "model.json").read_text())
        for key, value in changes.items():
            section, _, name = key.rpartition("__")
            (card["config"].setdefault(section, {}) if section else card)[name] = value
        (folder / "model.json").write_text(json.dumps(card))

    return edit


def cut(name: str, keep: float) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, int((folder / name).stat().st_size * keep))


def pickle_in_place(folder: Path) -> None:
    torch.save({"a": torch.zeros(1)}, folder / "model.safetensors")


def only_a_pickle(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    torch.save({}, folder / "model.pth")


def weights_of_two_classes(folder: Path) -> None:
    config = CONFIG.model_copy(
        update={"sampling": parse_config({"sampling": {"imposters": "second_class"}}).sampling}
    )
    names = ("mitotic figure", "imposter")
    model = build_model(config, pretrained=False)
    Detector(model, config, class_names=names, device="cpu").save(folder.with_name("two"))
    (folder.with_name("two") / "model.safetensors").replace(folder / "model.safetensors")


def spoil_a_value(folder: Path) -> None:
    detector = Detector.load(folder, device="cpu")
    with torch.no_grad():
        next(detector.model.parameters())[0] = float("nan")
    detector.save(folder)


def flip_a_bit(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "model.json").unlink(), "model.json does not exist"),
        (
            lambda folder: (folder / "model.safetensors").unlink(),
            "model.safetensors does not exist",
        ),
        (cut("model.json", 0.5), "is not JSON"),
        (lambda folder: (folder / "model.json").write_text("[]"), "not a model's description"),
        (edit_card(format=7), "has format 7, this midog reads format 2; use midog 0.1.0"),
        (edit_card(threshold="high"), "threshold: Input should be"),
        (
            edit_card(versions={"midog": "9.9"}, train__speed=3),
            r"unknown key train.speed .*\(written by midog 9.9",
        ),
        (edit_card(class_names=["a", "b"]), "classes a, b .* its config has 1 class"),
        (edit_card(mpp=0.5), "mpp 0.5, but its config has .* mpp 0.25"),
        (
            edit_card(model__backbone="resnet34"),
            "does not fit the model in model.json: lacks .* more",
        ),
        (
            edit_card(model__anchor_sizes=[[40, 50, 60]]),
            r"cls_logits.bias is \[4\], not \[6\] and 3 more",
        ),
        (cut("model.safetensors", 0.7), "damaged or cut short"),
        (cut("model.safetensors", 0.0), "damaged or cut short"),
        (pickle_in_place, "is a pickle.*safetensors alone"),
        (only_a_pickle, "model.pth, a pickle; weights are loaded from safetensors alone"),
        (
            weights_of_two_classes,
            "has the classes mitotic figure, imposter, model.json beside it has mitotic figure;",
        ),
        (spoil_a_value, "not finite"),
        (flip_a_bit, "is not the file that model.json beside it was written with"),
        (edit_card(weights_sha256=5), "weights_sha256: Input should be"),
        (
            lambda folder: (folder / "model.json").write_text("[" * 10_000 + "]" * 10_000),
            "nested deeper",
        ),
    ],
)
def test_a_model_folder_that_cannot_be_used_says_why(
    spoil: Callable[[Path], None], says: str, saved: Path
) -> None:
    spoil(saved)
    with pytest.raises(WeightsError, match=says) as caught:
        Detector.load(saved, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_path_without_a_model_says_what_to_give(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "last.ckpt").touch()
    (tmp_path / "model.pth").touch()
    runs = tmp_path / "runs"
    for path, says in (
        (tmp_path / "nowhere", "no model folder .*midog train"),
        (runs, "neither model.json nor best/"),
        (tmp_path / "model.pth", "is a pickle; weights are loaded from safetensors alone"),
        (saved / "model.json", f"is a file; give the model's folder, {saved}"),
    ):
        with pytest.raises(MidogError, match=says):
            Detector.load(path, device="cpu")
