"""What tests of the command line share: data folders spoiled in every way, and the one line that
each must give."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

TINY = [
    "data.cache=false",
    "model.backbone=resnet18",
    "model.weights=none",
    "model.anchor_sizes=[[40, 50, 63]]",
    "sampling.patch_size=64",
    "sampling.patches_per_roi=6",
    "train.batch_size=4",
    "machine.device=cpu",
    "machine.precision=32-true",
    "train.epochs=3",
    "train.validate_every=2",
    "machine.workers=1",
    "train.pictures=1",
    "inference.tile=256",
    "inference.precision=32-true",
]
"""Overrides of a training that takes a second an epoch on a CPU."""


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


def settings(tiny: list[str]) -> list[str]:
    return [word for override in tiny for word in ("--set", override)]


def copy(phantom: Path, to: Path) -> Path:
    shutil.copytree(phantom, to)
    return to


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def annotations(data: Path, change: Callable[[dict], None]) -> None:
    tree = json.loads((data / "annotations.json").read_text())
    change(tree)
    (data / "annotations.json").write_text(json.dumps(tree))


def spoil_nothing(data: Path) -> None:
    """The data are fine: the command is not."""


def no_annotations(data: Path) -> None:
    (data / "annotations.json").unlink()


def two_annotations(data: Path) -> None:
    shutil.copy(data / "annotations.json", data / "second.json")


def no_folder(data: Path) -> None:
    shutil.rmtree(data)


def truncated(data: Path) -> None:
    path = data / "images" / "001.tiff"
    path.write_bytes(path.read_bytes()[:3000])


def other_size(data: Path) -> None:
    tifffile.imwrite(data / "images" / "001.tiff", np.zeros((100, 90, 3), np.uint8))


def unlabelled_in_train(data: Path) -> None:
    edit(data / "split.csv", ",unlabelled,", ",train,")


def patient_in_two_splits(data: Path) -> None:
    lines = (data / "split.csv").read_text().splitlines()
    first, second = lines[1].split(","), lines[2].split(",")
    lines[2] = ",".join([*second[:2], first[2], *second[3:]])
    (data / "split.csv").write_text("\n".join(lines))


def unknown_role(data: Path) -> None:
    edit(data / "split.csv", ",train,", ",trian,")


def missing_image(data: Path) -> None:
    (data / "images" / "001.tiff").unlink()


def nan_box(data: Path) -> None:
    annotations(data, lambda tree: tree["annotations"][0].update(bbox=[float("nan"), 1, 2, 3]))


def duplicate_id(data: Path) -> None:
    annotations(data, lambda tree: tree["annotations"][1].update(id=tree["annotations"][0]["id"]))


def stray_box(data: Path) -> None:
    annotations(data, lambda tree: tree["annotations"][0].update(image_id=999))


def unknown_category(data: Path) -> None:
    annotations(data, lambda tree: tree["categories"][0].update(name="lymphocyte"))


def mixed_boxes(data: Path) -> None:
    annotations(data, lambda tree: tree["annotations"][0].update(bbox=[200, 200, 50, 50]))


def not_json(data: Path) -> None:
    (data / "annotations.json").write_text("{")


def no_header(data: Path) -> None:
    (data / "annotations.json").unlink()
    (data / "annotations.csv").write_text("001.tiff,20,20,1\n")


def boxes_elsewhere(data: Path) -> None:
    annotations(
        data,
        lambda tree: [each.update(bbox=[9000, 9000, 9050, 9050]) for each in tree["annotations"]],
    )


BAD_DATA = [
    (no_header, "annotations.csv is none: it has no header", ["header file_name,x,y,label"]),
    (boxes_elsewhere, "boxes have their centre outside", []),
    (no_folder, "data", ["midog data download", "midog data draw"]),
    (no_annotations, "no annotation file in data", ["midog data download"]),
    (two_annotations, "annotations.json", ["second.json", "annotations"]),
    (not_json, "annotations.json", []),
    (truncated, "001.tiff", []),
    (other_size, "001.tiff is 90x100 px, its annotation says 256x256", []),
    (missing_image, "001.tiff", []),
    (unlabelled_in_train, "009.tiff", ["unlabelled"]),
    (patient_in_two_splits, "patient001", ["train", "val"]),
    (unknown_role, "trian", ["train"]),
    (nan_box, "annotation 1", []),
    (duplicate_id, "annotation", ["1"]),
    (stray_box, "999", []),
    (unknown_category, "lymphocyte", []),
    (mixed_boxes, "bbox", []),
]


def one_line(ran: Ran) -> str:
    """The error line, once it is checked that it is one, alone, and no traceback."""
    assert ran.code == 1, ran
    assert "Traceback" not in ran.err
    lines = [line for line in ran.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, ran.err
    assert ran.err.splitlines()[-1] == lines[0]
    return lines[0]
