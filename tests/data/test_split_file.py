from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.data.facts import normalise_scanner
from midog.data.split_file import (
    Split,
    SplitRow,
    compact_names,
    read_split,
    scan_split,
    shipped_splits,
    write_split,
)
from midog.errors import DataError

HEADER = "file_name,scanner,patient,split"


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "split.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_rows_are_read_with_further_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "1.tiff,Hamammatsu  XR,p1,train,0.23,melanoma",
        "2.tiff,X,p2,test,,",
        header=HEADER + ",mpp,tumour",
    )
    assert read_split(path).rows == (
        SplitRow("1.tiff", "Hamamatsu XR", "p1", "train", 0.23, {"tumour": "melanoma"}),
        SplitRow("2.tiff", "X", "p2", "test"),
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["1.tiff,X,p1,trian"],
            r"split.csv line 2 \(1.tiff\): unknown split 'trian' \(did you mean train\?\)",
        ),
        (
            ["1.tiff,X,p1,banana"],
            r"line 2 .*unknown split 'banana'; write train, val, test, unlabelled",
        ),
        (["1.tiff,X,p1,train", "1.tiff,X,p1,train"], r"lists 1.tiff 2 times"),
        (["1.tiff,X,,train"], r"line 2 \(1.tiff\): patient is empty"),
        (["1.tiff,,p1,train"], r"line 2 \(1.tiff\): scanner is empty"),
        (["1.tiff,X"], r"line 2 \(1.tiff\): patient is empty"),
        ([], r"lists no ROI"),
        (
            ["1.tiff,X,p7,train", "2.tiff,X,p7,test", "3.tiff,X,p7,test", "4.tiff,X,p7,test"],
            r"patient p7 is in train \(1.tiff\) and in test \(2.tiff to 4.tiff\)",
        ),
        (
            ["1.tiff,X,p7,unlabelled", "2.tiff,X,p7,test"],
            r"patient p7 is in unlabelled \(1.tiff\) and in test",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read_split(write(tmp_path, *lines))
    assert "split.csv" in str(error.value)


WRONG_MPP = {
    "zero": "is 'zero'",
    "0": "0 is out of range, 0.05 to 5",
    "-0.25": "-0.25 is out of range",
    "nan": "is 'nan'",
    "inf": "is 'inf'",
    "0.00025": r"0.00025 is out of range, 0.05 to 5 um per px \(in mm\? 0.25 um\)",
    "250": r"250 is out of range, .* \(in nm\? 0.25 um\)",
    "40": r"40 is out of range, .* \(an objective's power\?\)",
}


@pytest.mark.parametrize(("mpp", "line"), WRONG_MPP.items(), ids=WRONG_MPP.keys())
def test_mpp_must_be_a_microscopes(tmp_path: Path, mpp: str, line: str) -> None:
    with pytest.raises(DataError, match=rf"line 2 \(1.tiff\): mpp {line}.*; write um per pixel"):
        read_split(write(tmp_path, f"1.tiff,X,p1,train,{mpp}", header=HEADER + ",mpp"))


def test_an_unlabelled_roi_of_a_training_patient_is_no_leak(tmp_path: Path) -> None:
    assert len(read_split(write(tmp_path, "1.tiff,X,p7,unlabelled", "2.tiff,X,p7,train")).rows) == 2


def test_all_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    split, problems = scan_split(
        write(tmp_path, "1.tiff,X,p1,trian", "2.tiff,X,p2,train", "3.tiff,X,p2,val")
    )
    assert [row.file_name for row in split.rows] == ["2.tiff", "3.tiff"]
    assert len(problems) == 2


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="has no column patient, split; its columns are file_name, scanner"
    ):
        read_split(write(tmp_path, "1.tiff,X", header="file_name,scanner"))


def test_columns_under_the_fields_names_are_read_and_said(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "images\\1.tiff;X;p1;train;0.23;melanoma;3",
        header="Filename;Scanner;case_id;subset;um_per_px;tumor_type;grade",
    )
    split = read_split(path)
    columns = {"tumour": "melanoma", "grade": "3"}
    assert split.rows == (SplitRow("images/1.tiff", "X", "p1", "train", 0.23, columns),)
    assert split.notes == (
        "split.csv: cells separated by semicolons",
        "split.csv: columns read under other names: case_id as patient, subset as split,"
        " um_per_px as mpp, tumor_type as tumour",
    )


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        (HEADER + ",pixel_size", "1.tiff,X,p1,train,0.25", r"'pixel_size' looks like um per px"),
        (HEADER + ",Split", "1.tiff,X,p1,train,val", r"line 1 has columns split and Split"),
        (HEADER + ",mpp", "1.tiff,X,p1,train,0,25", r"line 2 has 6 cells for 5 columns"),
        (HEADER + ",mpp", '1.tiff,X,p1,train,"0,25"', r"mpp is '0,25'; write .*, with a point"),
        (HEADER, "1.tiff,X,p1,train,val", r"line 2 has 5 cells for 4 columns"),
        (HEADER, f"{'a' * 1100},X,p1,train", r"its file name is over 1024 characters long"),
    ],
)
def test_what_would_be_guessed_is_an_error(
    tmp_path: Path, header: str, line: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_split(write(tmp_path, line, header=header))


def test_shipped_splits_are_found_by_name_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(shipped_splits()) >= {"midog21", "midogpp", "midog21_without_xr"}
    assert "midogpp_files" not in shipped_splits()
    assert len(read_split("midog21").rows) == len(read_split("midog21.csv").rows) == 200
    with pytest.raises(
        DataError, match=r"no split file midog22; give a CSV file or one of .*midog21"
    ):
        read_split("midog22")


@pytest.mark.parametrize(
    ("name", "scanner"),
    [
        ("Hamammatsu XR", "Hamamatsu XR"),
        ("Hamamatsu XR", "Hamamatsu XR"),
        ("hamamatsu xr", "Hamamatsu XR"),
        ("Hamamatsu NanoZoomer XR", "Hamamatsu XR"),
        ("Hamamatsu  S360 ", "Hamamatsu S360"),
        ("NanoZoomer S360", "Hamamatsu S360"),
        ("Aperio ScanScope CS2", "Aperio CS2"),
        ("aperio_cs2", "Aperio CS2"),
        ("Leica GT450", "Leica GT450"),
        ("Aperio GT 450", "Leica GT450"),
        ("3DHistech Pannoramic Scan II", "3D Histech"),
        ("3D Histech", "3D Histech"),
        ("3DHistech Pannoramic 1000", "3DHistech Pannoramic 1000"),
        ("My  Own\tScanner", "My Own Scanner"),
        ("Hamamatsu XRX", "Hamamatsu XRX"),
    ],
)
def test_scanner_names(name: str, scanner: str) -> None:
    assert normalise_scanner(name) == scanner
    assert normalise_scanner(scanner) == scanner


rows = st.builds(
    SplitRow,
    file_name=st.from_regex(r"[a-z0-9é ,\"]{1,8}\.tiff", fullmatch=True).map(str.strip),
    scanner=st.sampled_from(["Hamamatsu XR", "My scanner, blue"]),
    patient=st.from_regex(r"[a-z0-9]{4,8}", fullmatch=True),
    split=st.just("train"),
    mpp=st.none() | st.floats(0.1, 5).map(lambda value: round(value, 6)),
    columns=st.dictionaries(
        st.sampled_from(["tumour", "grade"]), st.sampled_from(["a", 'b "c"', "d, e"])
    ),
)


@given(st.lists(rows, min_size=1, max_size=5, unique_by=lambda row: row.file_name))
def test_what_is_written_reads_back(
    tmp_path_factory: pytest.TempPathFactory, made: list[SplitRow]
) -> None:
    path = tmp_path_factory.mktemp("written") / "split.csv"
    write_split(Split("made", tuple(made)), path)
    assert read_split(path).rows == tuple(made)
    assert [file.name for file in path.parent.iterdir()] == ["split.csv"]


def test_writing_where_one_cannot_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken.csv").mkdir()
    for place in ("file/split.csv", "taken.csv"):
        with pytest.raises(DataError, match=rf"{place} cannot be written"):
            write_split(Split("made", (SplitRow("1.tiff", "X", "p", "train"),)), tmp_path / place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.csv"]


def test_names_for_a_message() -> None:
    names = [f"{number:03d}.tiff" for number in (7, 1, *range(151, 201), 3, 4)]
    assert compact_names(names) == "001.tiff, 003.tiff, 004.tiff, 007.tiff, 151.tiff to 200.tiff"
    assert compact_names(["9.tiff", "10.tiff", "11.tiff"]) == "9.tiff to 11.tiff"
    assert compact_names(["b.png", "a.png"]) == "a.png, b.png"
    assert (
        compact_names(["1.png", "1.tiff", "2.png", "2.tiff", "3.png", "3.tiff"])
        == "1.png to 3.png, 1.tiff to 3.tiff"
    )
    assert (
        compact_names([f"{number}.png" for number in range(1, 30, 2)], most=2)
        == "1.png, 3.png and 13 more"
    )
    assert compact_names([]) == ""


def test_columns_that_would_break_the_file_are_left_out_and_mpp_is_kept_to_the_bit(
    tmp_path: Path,
) -> None:
    columns = {
        "scanner": "room 5",
        "Split": "test",
        "mpp": "9",
        "note": "two\nlines",
        "tumour": "breast",
    }
    row = SplitRow("1.tiff", "XR", "1", "train", 0.5 / 2.2, columns)
    write_split(Split("made", (row,)), tmp_path / "s.csv")
    (back,) = read_split(tmp_path / "s.csv").rows
    assert (back.mpp, back.columns) == (0.5 / 2.2, {"tumour": "breast"})


def test_no_cell_of_a_split_is_a_formula_and_all_are_read_back(tmp_path) -> None:
    rows = (
        SplitRow("=a.tiff", "@scanner", "+1+cmd|x", "train", None, {"=note": "-2+3", "age": "-5"}),
        SplitRow("b.tiff", "x", "-7", "test", 0.25, {"=note": "@a", "age": "+.5"}),
    )
    write_split(Split("s", rows), tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(newline="") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not any(cell.startswith(("=", "@")) for cell in cells)
    assert [cell for cell in cells if cell.startswith(("+", "-"))] == ["-5", "-7", "+.5"]
    read = read_split(tmp_path / "s.csv").rows
    assert [row.columns for row in read] == [row.columns for row in rows]
    stated = [(row.file_name, row.scanner, row.patient, row.mpp) for row in read]
    assert stated == [(row.file_name, row.scanner, row.patient, row.mpp) for row in rows]
