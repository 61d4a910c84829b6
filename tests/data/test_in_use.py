"""What is wrong with ROIs in every command, and squares of points at the mpp of their ROI."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from midog.boxes import Boxes
from midog.data.check import check_folder
from midog.data.folder import read_rois
from midog.data.in_use import (
    ImageFacts,
    centres_outside,
    facts_of_images,
    problems_in_use,
    size_squares,
    warnings_in_use,
)
from midog.data.roi import Roi
from midog.errors import DataError
from midog.mpp import Mpp, StatedMpp
from tests.evaluation.cases import YES, write


def draw(path: Path, mpp: float = 0.25, side: int = 256) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((side, side, 3), 230, np.uint8)
    options = {"resolution": (10000 / mpp,) * 2, "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, **options)


def write_points(folder: Path, *lines: str, header: str = "file_name,x,y,label") -> None:
    (folder / "points.csv").write_text("\n".join([header, *lines]) + "\n")


def write_split(folder: Path, **roles: str) -> None:
    lines = [f"{name}.tiff,S,{name}1,{role}" for name, role in roles.items()]
    (folder / "split.csv").write_text("\n".join(["file_name,scanner,patient,split", *lines]) + "\n")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """a in train, b in val: a figure at 100, 120 in each, given as points."""
    for name in "ab":
        draw(tmp_path / "images" / f"{name}.tiff")
    write_points(tmp_path, "a.tiff,100,120,mitosis", "b.tiff,100,120,mitosis")
    write_split(tmp_path, a="train", b="val")
    return tmp_path


@pytest.mark.parametrize(("mpp", "side"), [(0.25, 50), (0.5, 25), (0.125, 100)])
def test_points_become_squares_of_a_figures_size_at_the_mpp_of_their_image(
    data: Path, mpp: float, side: int
) -> None:
    draw(data / "images" / "b.tiff", mpp)
    first, second = (roi.boxes.xyxy[0].tolist() for roi in read_rois(data))
    assert first == [75, 95, 125, 145]
    assert second == [100 - side / 2, 120 - side / 2, 100 + side / 2, 120 + side / 2]


def test_the_mpp_that_a_file_states_comes_before_that_of_the_image(data: Path) -> None:
    header = "file_name,x,y,label,mpp"
    write_points(data, "a.tiff,9,9,mitosis,0.5", "b.tiff,9,9,mitosis,", header=header)
    first, second = (roi.boxes.xyxy[0] for roi in read_rois(data))
    assert (first[2] - first[0], second[2] - second[0]) == (25, 50)


def test_squares_keep_their_size_where_no_mpp_is_known() -> None:
    boxes = Boxes([[0, 0, 50, 50]], [1])
    (roi,) = size_squares([Roi("a.tiff", boxes=boxes)], {})
    assert roi.boxes is boxes
    (roi,) = size_squares(
        [Roi("a.tiff", boxes=boxes, ignored=boxes.xyxy)],
        {"a.tiff": ImageFacts(9, 9, StatedMpp(Mpp.of(0.5, 0.25)))},
    )
    assert roi.boxes.xyxy.tolist() == roi.ignored.tolist() == [[12.5, 0, 37.5, 50]]


def test_images_are_opened_only_where_their_size_or_mpp_is_needed(data: Path) -> None:
    rois = read_rois(data)
    assert set(facts_of_images(rois, are_points=False)) == {"a.tiff", "b.tiff"}
    sized = [Roi("a.tiff", 9, 9, roi.boxes, roi.path, mpp=0.25) for roi in rois]
    assert facts_of_images(sized, are_points=True) == {}
    (data / "images" / "a.tiff").write_bytes(b"no image")
    assert set(facts_of_images(rois, are_points=True)) == {"b.tiff"}


def shared_image(data: Path) -> str:
    (data / "split.csv").unlink()
    write_points(data, "s1/a.tiff,100,120,mitosis", "s2/a.tiff,50,60,mitosis")
    return r"a.tiff is the image of 2 ROIs: s1/a.tiff, s2/a.tiff; name each image once"


def shared_by_a_link(data: Path) -> str:
    (data / "images" / "b.tiff").unlink()
    (data / "images" / "b.tiff").symlink_to("a.tiff")
    return r"a.tiff is the image of 2 ROIs: a.tiff, b.tiff; name each image once"


def outside(data: Path) -> str:
    write_points(data, *(f"{n}.tiff,{x},120,mitosis" for n in "ab" for x in (100, 400)))
    return r"2 boxes have their centre outside the image: a.tiff, b.tiff; .*data.bbox"


def val_without_figures(data: Path) -> str:
    write_points(data, "a.tiff,100,120,mitosis", "b.tiff,100,120,imposter")
    return r"no ROI of val has a mitotic figure, .*: b.tiff; put ROIs with figures into val"


DAMAGES = [shared_image, shared_by_a_link, outside, val_without_figures]


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_same_error_from_reading_and_from_the_check(
    data: Path, damage: Callable[[Path], str]
) -> None:
    read_rois(data)
    said = damage(data)
    with pytest.raises(DataError, match=said) as error:
        read_rois(data)
    assert str(error.value) in [str(problem) for problem in check_folder(data).problems]


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_same_error_from_every_command(
    midog: Callable[..., object], data: Path, tmp_path: Path, damage: Callable[[Path], str]
) -> None:
    said = damage(data).split(";")[0]
    runs = [
        midog("data", "check", data),
        midog("train", "--data", data, "--runs", tmp_path / "runs"),
        midog("infer", data, "--subset", "all"),
        midog("evaluate", tmp_path / "none", "--data", data, "--subset", "all"),
    ]
    for ran in runs:
        assert ran.code == 1  # type: ignore[attr-defined]
        assert re.search(said, ran.err), ran.err  # type: ignore[attr-defined]


def test_a_val_part_declared_free_is_scored_and_cannot_choose_a_model(
    midog: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    write_points(data, "a.tiff,100,120,mitosis")
    text = (data / "split.csv").read_text().splitlines()
    lines = [f"{text[0]},Free of figures", *(f"{line}," for line in text[1:] if line[0] == "a")]
    lines += [f"{line},yes" for line in text[1:] if line[0] == "b"]
    (data / "split.csv").write_text("\n".join(lines) + "\n")
    write(tmp_path / "found" / "b.json", (50, 50, 0.9, YES), mpp=0.25)
    scored = midog("evaluate", tmp_path / "found", "--data", data, "--subset", "val", "--mpp", 0.25)
    assert scored.code == 0, scored.err
    assert scored.out.splitlines()[1].split()[:8] == ["all", "1", "0", "0", "1", "0", "0.000", "-"]
    for command in (
        ("train", "--data", data, "--dry-run"),
        ("train", "--data", data, "--runs", tmp_path / "runs"),
    ):
        ran = midog(*command)
        assert ran.code == 1
        assert "no ROI of val has a mitotic figure, to choose a model" in ran.err


def test_one_point_outside_of_few_is_a_warning(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_points(data, "a.tiff,100,120,mitosis", "a.tiff,400,9,mitosis", "b.tiff,9,9,mitosis")
    with caplog.at_level(logging.WARNING):
        rois = read_rois(data)
    line = "1 boxes have their centre outside the image: a.tiff"
    assert caplog.messages == [line]
    facts = facts_of_images(rois, are_points=False)
    assert (problems_in_use(rois, facts), warnings_in_use(rois, facts)) == ([], [line])
    assert line in check_folder(data).warnings


def test_a_centre_on_the_edge_is_outside() -> None:
    roi = Roi("a", boxes=Boxes([[-50, 0, 50, 10], [50, 0, 150, 10], [-60, 0, 50, 9]], [1, 1, 1]))
    assert centres_outside(roi, 100, 100) == 2
    assert centres_outside(roi) == 1


def test_every_command_takes_classes_that_the_user_states(
    midog: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    write_points(data, "a.tiff,100,120,mitosis", "b.tiff,100,120,MF like", "b.tiff,9,9,mitosis")
    stated = ("--classes", "mf-like=imposter,tumor cell=skip")
    commands = [
        ("data", "check", data),
        ("splits", "make", "--data", data, "--out", tmp_path / "s.csv", "--val", 0.5, "--test", 0),
        ("train", "--data", data, "--dry-run"),
        ("infer", data, "--subset", "train", "--model", tmp_path),
        ("evaluate", tmp_path / "none", "--data", data, "--subset", "all"),
    ]
    for command in commands:
        assert "unknown label 'MF like'" in midog(*command).err
        assert "unknown label" not in midog(*command, *stated).err
    ran = midog("data", "check", data, *stated)
    assert (ran.code, ran.out.splitlines()[-1].split()[2:5]) == (0, ["2", "2", "1"])
    assert "no figure is of a class 'tumor cell'" in ran.err
    wrong = midog("evaluate", tmp_path / "none", "--data", data, "--classes", "cell")
    assert wrong.err.startswith(
        "error: data.classes: 'cell' is not NAME=CLASS; write each class as"
    )
