"""`midog data` as typed, and a split of what it draws."""

from __future__ import annotations

import pytest

from tests.processes import start, wait_for
from tests.spoiled import (
    BAD_DATA,
    copy,
    nan_box,
    one_line,
    patient_in_two_splits,
    truncated,
    unlabelled_in_train,
)


def test_draw_make_and_check_a_split(midog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert midog("data", "draw", "d", "--rois", 4, "--size", 256).out.strip().endswith("d")
    ran = midog("data", "check", "d", "--pixels")
    assert ran.code == 0
    assert "Phantom A" in ran.out
    assert (
        midog("splits", "make", "--data", "d", "--out", "s.csv", "--seed", 3).out.strip() == "s.csv"
    )
    assert midog("splits", "check", "s.csv", "--data", "d").code == 0
    made = midog("splits", "make", "--data", "d", "--out", "folds", "--folds", 2).out.split()
    assert len(made) == 2


@pytest.mark.parametrize(
    ("spoil", "says", "also"), BAD_DATA, ids=[each[0].__name__ for each in BAD_DATA]
)
def test_data_check_says_the_same_without_training(
    midog, phantom, tmp_path, monkeypatch, spoil, says, also
):
    monkeypatch.chdir(tmp_path)
    spoil(copy(phantom, tmp_path / "data"))
    ran = midog("data", "check", "data", "--pixels")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert says.split(" is ")[0] in ran.err


def test_data_check_tells_everything_at_once(midog, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = copy(phantom, tmp_path / "data")
    for spoil in (truncated, unlabelled_in_train, patient_in_two_splits, nan_box):
        spoil(data)
    ran = midog("data", "check", "data")
    for name in ("001.tiff", "009.tiff", "patient001", "annotation 1"):
        assert name in ran.err


def test_boxes_forced_into_the_wrong_format_are_not_believed(midog, phantom):
    for words in (("data", "check", phantom), ("evaluate", "none", "--data", phantom)):
        ran = midog(*words, "--bbox", "xywh")
        assert ran.code == 1
        assert "boxes have their centre outside" in ran.err


def test_sigterm_in_the_middle_of_drawing_leaves_nothing_behind(tmp_path):
    process = start("data", "draw", "d", "--rois", 50, cwd=tmp_path)
    wait_for(lambda: any(tmp_path.glob(".d.*.part/images/*.tiff")), process)
    process.terminate()
    _, err = process.communicate()
    assert process.returncode == 143
    assert "stopped; nothing was left behind" in err
    assert list(tmp_path.iterdir()) == []


def test_a_hundred_problems_are_printed_and_the_others_counted(midog, tmp_path):
    lines = [f"{number}.tiff,one,two" for number in range(130)]
    (tmp_path / "points.csv").write_text("\n".join(["file_name,x,y", *lines]) + "\n")
    ran = midog("data", "check", tmp_path)
    assert ran.code == 1
    assert "error: and 31 more problems\n" in ran.err  # 130 lines, and images that are missing
    assert ran.err.count("file_name,x,y is") == 100


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--slides", 2, "--size", 300], "width is 300; give 1024 to 16384"),
        (["--size", 9000], "size is 9000; give 256 to 8192"),
    ],
)
def test_sizes_that_cannot_be_drawn_are_one_line(midog, tmp_path, words, expected):
    ran = midog("data", "draw", tmp_path / "a", *words)
    assert expected in one_line(ran)
    assert not (tmp_path / "a").exists()
