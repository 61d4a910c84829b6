"""CSVs without a header: row, column of TUPAC16 and AMIDA13; x, y of MITOS-ATYPIA 14."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.annotations.read import read_annotations, scan_annotations
from midog.errors import DataError
from tests.data.annotations.test_per_image import lay_out


def figures(read) -> dict[str, list[tuple[float, ...]]]:
    """By image, x, y and label of every figure."""
    return {
        roi.file_name: [
            ((x1 + x2) / 2, (y1 + y2) / 2, label)
            for (x1, y1, x2, y2), label in zip(
                roi.boxes.xyxy.tolist(), roi.boxes.labels.tolist(), strict=True
            )
        ]
        for roi in read.rois
    }


def test_tupac16_is_row_and_column_in_case_folders(tmp_path: Path) -> None:
    lay_out(tmp_path, "images/01/01.tif", "images/02/01.tif", "truth/02/01.csv")
    (tmp_path / "truth" / "01").mkdir()
    (tmp_path / "truth" / "01" / "01.csv").write_text("120,100\r\n7.5,8,0.9\r\n\r\n")
    read = read_annotations(tmp_path / "truth", annotations_format="tupac16", images=tmp_path)
    assert figures(read) == {"01/01.tif": [(100, 120, 1), (8, 7.5, 1)], "02/01.tif": []}
    assert read.kind == "CSV of TUPAC16 or AMIDA13"
    assert read.are_points


def test_mitos14_is_x_and_y_and_its_names_state_the_class(tmp_path: Path) -> None:
    lay_out(tmp_path, "A03_00Aa.tiff", "A03_00Ab.tiff")
    (tmp_path / "A03_00Aa_mitosis.csv").write_text("10,20,0.952342\n")
    (tmp_path / "A03_00Aa_not_mitosis.csv").write_text("30,40,0.2\n50,60,0.1\n")
    (tmp_path / "A03_00Ab.csv").write_text("70;80\n")
    (tmp_path / "split.csv").write_text("file_name,split\n")
    read = read_annotations(tmp_path, annotations_format="mitos14")
    assert figures(read) == {
        "A03_00Ab.tiff": [(70, 80, 1)],
        "A03_00Aa.tiff": [(10, 20, 1), (30, 40, 2), (50, 60, 2)],
    }
    skipped = read_annotations(tmp_path, annotations_format="mitos14", classes="not mitosis=skip")
    assert sum(map(len, figures(skipped).values())) == 2


def test_without_the_request_the_table_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("120,100\n")
    with pytest.raises(DataError, match=r"table without a header.*tupac16 for row,col"):
        read_annotations(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("row,col", "is 'row,col', not row, column and maybe a confidence; write a number"),
        ("5", "is '5', not row, column"),
        ("1,2,3,4", "is '1,2,3,4', not row, column"),
        ("1,nan", "is '1,nan', not row"),
        ("1,1e99", r"its place is 1e+99, 1.0; write row,column in px, without a header"),
        ('1,"2', "is not CSV"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_are_read(
    tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "a.csv").write_text(f"1,2\n{line}\n")
    read, problems = scan_annotations(tmp_path / "a.csv", annotations_format="tupac16")
    assert len(read.rois[0].boxes) == 1
    assert len(problems) == 1
    assert f"{tmp_path / 'a.csv'} line 2" in str(problems[0])
    assert said in str(problems[0])
