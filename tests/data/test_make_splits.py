"""Splits of a data folder, made and written by the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from midog.data.make_splits import make_splits
from midog.data.split_file import read_split
from midog.errors import ConfigError, DataError

HEADER = "file_name,scanner,patient,split"


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """30 ROIs of two scanners with 0 to 9 figures, given as points, and 5 of a third that only its
    table knows."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    points = [f"{n:02d}.png,{100 + 60 * k},50" for n in range(30) for k in range(n % 10)]
    empty = [f"{n:02d}.png,," for n in range(0, 30, 10)]
    (folder / "points.csv").write_text("\n".join(["file_name,x,y", *points, *empty]) + "\n")
    lines = [f"{n:02d}.png,{'AB'[n % 2]},p{n // 2}" for n in range(30)]
    (folder / "scanners.csv").write_text("\n".join(["file_name,scanner,patient", *lines]) + "\n")
    return folder


def test_a_split_is_made_for_a_folder(cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "split.csv"
    assert make_splits(
        cohort, out, scanners=cohort / "scanners.csv", val=0.2, test=0.2, seed=1
    ) == [out]
    rows = read_split(out).rows
    assert {row.file_name: row.scanner for row in rows} == {
        f"{n:02d}.png": "AB"[n % 2] for n in range(30)
    }
    assert {row.patient for row in rows} == {f"p{n}" for n in range(15)}
    with pytest.raises(
        DataError, match=r"split.csv exists already; choose another out, or overwrite=True"
    ):
        make_splits(cohort, out, scanners=cohort / "scanners.csv")
    make_splits(cohort, out, scanners=cohort / "scanners.csv", overwrite=True)


def test_folds_and_scanners_left_out_are_a_file_each(cohort: Path, tmp_path: Path) -> None:
    (cohort / "split.csv").write_text(
        "\n".join([HEADER, *(f"{n:02d}.png,{'AB'[n % 2]} 1,p{n},train" for n in range(30))]) + "\n"
    )
    folds = make_splits(cohort, tmp_path / "new" / "folds", folds=3)
    assert [path.name for path in folds] == ["fold1.csv", "fold2.csv", "fold3.csv"]
    scanners = make_splits(cohort, tmp_path, leave_out="each")
    assert [path.name for path in scanners] == ["without_A_1.csv", "without_B_1.csv"]
    one = make_splits(cohort, tmp_path / "one.csv", leave_out="B 1")
    assert one[0].read_bytes() == scanners[1].read_bytes()
    assert {row.scanner for row in read_split(one[0]).rows if row.split == "test"} == {"B 1"}
    with pytest.raises(
        DataError, match=r"no labelled ROI is of scanner 'C'; choose one of A 1, B 1, or each"
    ):
        make_splits(cohort, tmp_path / "c.csv", leave_out="C")
    with pytest.raises(ConfigError, match="are different splits; choose folds or leave_out"):
        make_splits(cohort, tmp_path, folds=3, leave_out="B 1")


def test_a_table_of_scanners_without_columns_is_named(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("name,device\n")
    with pytest.raises(
        DataError,
        match=r"bad.csv has no column file_name, scanner; its columns are name, device",
    ):
        make_splits(cohort, tmp_path / "split.csv", scanners=tmp_path / "bad.csv")


def test_what_the_annotations_state_reaches_the_split(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    scanners = ("Hamammatsu XR", "Aperio CS2")
    lines = [f"{n}.tiff,35,45,mitosis,{scanners[n % 2]},P{n // 4},0.23" for n in range(12)]
    head = "file_name,x,y,label,scanner,case_id,mpp"
    (folder / "points.csv").write_text("\n".join([head, *lines]) + "\n")
    with caplog.at_level("INFO"):
        make_splits(folder, folder / "split.csv")
    rows = read_split(folder / "split.csv").rows
    assert {row.scanner for row in rows} == {"Hamamatsu XR", "Aperio CS2"}
    assert {row.patient for row in rows} == {"P0", "P1", "P2"}
    assert {row.mpp for row in rows} == {0.23}
    assert not any("state no" in line for line in caplog.messages)


def test_what_is_not_stated_is_said(cohort: Path, tmp_path: Path, caplog) -> None:
    with caplog.at_level("INFO"):
        make_splits(cohort, tmp_path / "split.csv", val=0.2, test=0.2)
    assert "30 of 30 ROIs state no patient: each of them counts as a patient" in caplog.text
    assert "30 of 30 ROIs state no scanner: they count as one scanner 'unknown'" in caplog.text


def test_a_table_of_scanners_may_state_mpp(cohort: Path, tmp_path: Path) -> None:
    text = (cohort / "scanners.csv").read_text().splitlines()
    lines = [f"{text[0]},mpp", *(f"{line},0.5" for line in text[1:])]
    (tmp_path / "with_mpp.csv").write_text("\n".join(lines) + "\n")
    make_splits(cohort, tmp_path / "split.csv", scanners=tmp_path / "with_mpp.csv")
    assert {row.mpp for row in read_split(tmp_path / "split.csv").rows} == {0.5}


EVIL = ["../../evil", "/etc/evil", "..", ".hidden", "a\nb", "x" * 300, "\x1b[2J", "con/aux", ""]


def with_scanners(cohort: Path, scanners: list[str]) -> Path:
    lines = [f'{n:02d}.png,"{scanners[n % len(scanners)]}",p{n}' for n in range(30)]
    table = cohort / "scanners.csv"
    table.write_text("\n".join(["file_name,scanner,patient", *lines]) + "\n")
    return table


@pytest.mark.parametrize("scanner", EVIL)
def test_a_scanners_name_leads_nowhere_else(cohort: Path, tmp_path: Path, scanner: str) -> None:
    before = set(tmp_path.rglob("*"))
    out = tmp_path / "a" / "b" / "out"
    try:
        made = make_splits(
            cohort, out, scanners=with_scanners(cohort, [scanner, "B"]), leave_out="each"
        )
    except DataError:  # a name that no split may hold
        made = []
    assert all(path.parent == out for path in made)
    assert set(tmp_path.rglob("*")) - before <= {out, out.parent, out.parent.parent, *made}


@pytest.mark.parametrize("names", [["A/B", "A_B"], ["A B", "A_B"], ["Scan X", "scan x"]])
def test_scanners_that_would_share_a_file_are_an_error(cohort, tmp_path, names):
    with pytest.raises(DataError, match=r"would both be left out in without_.*; rename one"):
        make_splits(
            cohort, tmp_path / "out", scanners=with_scanners(cohort, names), leave_out="each"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["link", "image", "annotations", "pipe"])
def test_only_splits_are_overwritten(cohort, tmp_path, kind):
    out = tmp_path / "out.csv"
    if kind == "link":
        out.symlink_to(cohort / "points.csv")
    elif kind == "pipe":
        os.mkfifo(out)
    else:
        out.write_bytes(b"II*\0\xff" if kind == "image" else (cohort / "points.csv").read_bytes())
    before = os.lstat(out).st_mode, os.lstat(out).st_ino
    with pytest.raises(DataError, match=r"out.csv is no split, so it is not replaced; choose"):
        make_splits(cohort, out, scanners=with_scanners(cohort, ["A", "B"]), overwrite=True)
    with pytest.raises(DataError, match="exists already"):
        make_splits(cohort, out, scanners=with_scanners(cohort, ["A", "B"]))
    assert (os.lstat(out).st_mode, os.lstat(out).st_ino) == before


def test_several_splits_need_a_folder(cohort, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="out cannot be written"):
        make_splits(cohort, tmp_path / "out", scanners=with_scanners(cohort, ["A", "B"]), folds=2)
