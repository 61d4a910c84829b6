"""A new op is one file and one entry: its setting, its numbers and its pixels, through `midog`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
import pytest
import torch
import yaml
from pydantic import Field

from midog.augment.draw import augmentation_of, draw_count, draw_numbers
from midog.augment.on_device import augment, to_float
from midog.augment.op import Op
from midog.augment.ops import OPS
from midog.config.describe import all_settings, default_yaml
from midog.config.schema import augment_settings
from tests.loading.small import config, everything, rois_of, training
from tests.spoiled import one_line, settings

# --- the op: what a contributor writes into a file of midog/augment/


def upside_down(numbers, share):
    return {"turned": numbers[:, 0] < share}


def on_device(images, parameters):
    return torch.where(parameters["turned"][:, None, None, None], images.flip(2), images)


def on_cpu(patch, parameters):
    return patch[::-1] if parameters["turned"] else patch


def move_boxes(boxes, parameters, side):
    x1, y1, x2, y2 = boxes.T
    moved = np.stack([x1, side - y2, x2, side - y1], axis=1)
    return np.where(parameters["turned"][:, None], moved, boxes)


TOY = Op(
    about="share of patches that stand on their head",
    setting=Annotated[float, Field(ge=0, le=1)],
    default=0.0,
    draws=1,
    parameters=upside_down,
    on_device=on_device,
    on_cpu=on_cpu,
    move_boxes=move_boxes,
)
TRAINING = ["train.epochs=1", "sampling.patches_per_roi=2"]


@pytest.fixture(params=["both forms", "device form"])
def toy(request, monkeypatch) -> str:
    """The op as an entry of OPS, with a form for CPUs and without."""
    entry = TOY if request.param == "both forms" else replace(TOY, on_cpu=None)
    monkeypatch.setitem(OPS, "toy", entry)
    return request.param


@pytest.fixture
def patches_turned(monkeypatch) -> list[int]:
    """Counts of patches that the device form turned, call by call."""
    turned: list[int] = []

    def count(images, parameters):
        turned.append(int(parameters["turned"].sum()))
        return on_device(images, parameters)

    monkeypatch.setitem(OPS, "toy", replace(TOY, on_device=count, on_cpu=None))
    return turned


@pytest.mark.parametrize("where", ["cpu", "device"])
def test_a_training_uses_it(midog, tmp_path, tiny, patches_turned, where):
    chosen = settings([*tiny, *TRAINING, "augment.toy=1", f"machine.augment_on={where}"])
    ran = midog("train", "--runs", tmp_path, "--name", "a", *chosen)
    assert ran.code == 0, ran.err
    assert yaml.safe_load((tmp_path / "a" / "config.yaml").read_text())["augment"]["toy"] == 1
    patches = sum(patches_turned)
    assert patches >= 4
    assert len(patches_turned) == (patches if where == "cpu" else -(-patches // 4))
    said = "augment.toy has no form for a CPU"
    assert ran.err.count(said) == (where == "cpu")


def test_a_wrong_value_is_one_line_that_names_it(midog, tmp_path, tiny, toy):
    ran = midog("train", "--runs", tmp_path, *settings([*tiny, "augment.toy=2"]))
    assert "augment.toy" in one_line(ran)


def test_it_is_shown_where_settings_are(midog, tiny, toy):
    ran = midog("train", "--dry-run", *settings([*tiny, "augment.toy=0.25"]))
    assert ran.code == 0, ran.err
    assert "toy: 0.25" in ran.out
    about = {setting.key: setting for setting in all_settings()}
    assert about["augment.toy"].default == 0
    assert "  toy: 0.0" in default_yaml()
    assert "stand on their head" in default_yaml()


def test_without_it_its_setting_is_unknown(midog, tiny):
    ran = midog("train", "--dry-run", *settings([*tiny, "augment.toy=0.25"]))
    assert "augment.toy" in one_line(ran)


def test_other_ops_keep_their_numbers(toy):
    with_toy = draw_numbers(7, 3, range(20))
    OPS.pop("toy")
    assert with_toy.shape == (20, draw_count() + 1)
    assert np.array_equal(with_toy[:, :-1], draw_numbers(7, 3, range(20)))


@pytest.mark.parametrize("where", ["cpu", "device"])
def test_switched_off_it_changes_no_batch(toy, where):
    rois = rois_of((200, 150), (100, 100))
    chosen = [f"machine.augment_on={where}"]
    off = everything(training(rois, config(*chosen)).batches(0))
    OPS.pop("toy")
    assert everything(training(rois, config(*chosen)).batches(0)) == off


@pytest.mark.parametrize("where", ["cpu", "device"])
def test_pixels_and_boxes_move_together_for_any_number_of_workers(toy, where):
    rois = rois_of((200, 150), (100, 100))
    plain = ["augment.flip=false", "augment.stain=0", "augment.brightness=0", "augment.blur=0"]
    chosen = [*plain, f"machine.augment_on={where}", "augment.toy=1"]
    turned = everything(training(rois, config(*chosen)).batches(0))
    assert everything(training(rois, config(*chosen, "machine.workers=3")).batches(0)) == turned
    upright = everything(training(rois, config(*chosen, "augment.toy=0")).batches(0))
    for (_, pixels, boxes, *_), (_, before, boxes_before, *_) in zip(turned, upright, strict=True):
        moved = [[x1, 64 - y2, x2, 64 - y1] for x1, y1, x2, y2 in boxes_before]
        assert boxes == moved
        patch, old = (np.frombuffer(data, np.uint8).reshape(64, 64, 3) for data in (pixels, before))
        assert np.array_equal(patch, old[::-1] if where == "cpu" else old)


def test_on_the_device_it_comes_after_the_ops_of_one_pass(toy):
    images = torch.arange(2 * 8 * 8 * 3).reshape(2, 8, 8, 3).to(torch.uint8)
    numbers = np.zeros((2, draw_count()), np.float32)
    numbers[1, -1] = 0.9
    off = {"flip": False, "stain": 0, "brightness": 0, "blur": 0}
    out = augment(images, augmentation_of(numbers, augment_settings()(**off, toy=0.5)))
    plain = to_float(images)
    assert torch.equal(out[0], plain[0].flip(1))
    assert torch.equal(out[1], plain[1])
