"""Lines of a CSV of figures: a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.annotations.read import read_annotations, scan_annotations
from midog.errors import DataError
from tests.data.annotations.files import write


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file_name,x,y\n1.png,3,four\n", r"line 2: file_name,x,y is 1.png,3,four"),
        ("file_name,x,y\n1.png,3,4\n1.png,nan,4\n", r"line 3: file_name,x,y is 1.png,nan,4"),
        ("file_name,x,y\n1.png,3\n", r"line 2: file_name,x,y is 1.png,3,"),
        ("file_name,x,y\n,3,4\n", r"line 2: file_name is empty; write a file name"),
        ("file_name,x,y,label\n1.png,3,4,cell\n", r"line 2: unknown label 'cell'"),
        ("file_name,x1,y1,x2,y2\n1.png,30,20,10,50\n", r"line 2: \[30, 20, 10, 50\] has no area"),
        (
            "file_name,x\n1.png,3\n",
            r"its columns are file_name, x; give .*header file_name,x,y,label",
        ),
        (
            "who,x,y\n1.png,3,4\n",
            r"begins 'who,x,y' and is no .*: no column is of file names; give",
        ),
        ("", r"begins '' and is no annotation file; give .*header file_name,x,y,label"),
    ],
)
def test_a_wrong_line_of_a_csv_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_annotations(write(tmp_path, text, "a.csv"))


@pytest.mark.parametrize("column", ["class", "Category", "type", "cell_type"])
def test_a_class_column_of_any_of_the_fields_names_counts(tmp_path: Path, column: str) -> None:
    text = f"file_name,x,y,{column}\na.png,3,4,Mitosis\na.png,5,6,Nonmitosis\n"
    read = read_annotations(write(tmp_path, text, "a.csv"))
    assert read.rois[0].boxes.labels.tolist() == [MITOTIC_FIGURE, IMPOSTER]
    assert read.notes[0] == f"a.csv: columns read under other names: {column} as label"
    assert read.notes[1] == "a.csv: classes read: 'Nonmitosis' as imposter"


@pytest.mark.parametrize("column", ["category_id", "label"])
def test_category_ids_are_midogs_and_said(tmp_path: Path, column: str) -> None:
    text = f"file_name,x,y,{column}\na.png,3,4,1\na.png,5,6,2\na.png,5,6,2.0\n"
    read = read_annotations(write(tmp_path, text, "a.csv"))
    assert read.rois[0].boxes.labels.tolist() == [MITOTIC_FIGURE, IMPOSTER, IMPOSTER]
    assert read.notes == ("a.csv: category ids read as MIDOG's: 1 mitotic figure, 2 imposter",)


def test_numbers_as_classes_ask_what_they_mean(tmp_path: Path) -> None:
    path = write(tmp_path, "file_name,x,y,class\na.png,3,4,1\na.png,5,6,0\n", "a.csv")
    with pytest.raises(DataError, match=r"line 2: unknown label '1'.*data.classes"):
        read_annotations(path)
    read = read_annotations(path, classes="1=mitosis,0=hard negative")
    assert read.rois[0].boxes.labels.tolist() == [MITOTIC_FIGURE, IMPOSTER]


def test_classes_that_the_user_states(tmp_path: Path) -> None:
    text = "file_name,x,y,label\na.png,3,4,mitosis\na.png,5,6,tumor cell\na.png,7,8,blur\n"
    read = read_annotations(
        write(tmp_path, text, "a.csv"), classes="tumor cell=skip,blur=ignore,nerve=skip"
    )
    assert (len(read.rois[0].boxes), len(read.rois[0].ignored)) == (1, 1)
    assert read.describe().endswith("1 mitotic figures, 0 imposters, 1 boxes to ignore")
    assert read.notes == (
        "a.csv: 1 of 'tumor cell' are left out, as data.classes states",
        "a.csv: 1 of 'blur' are ignored, as data.classes states",
        "a.csv: no figure is of a class 'nerve'",
    )


@pytest.mark.parametrize(
    ("header", "line", "box"),
    [
        ("Filename,xmin,ymin,xmax,ymax", "10,20,60,80", [10, 20, 60, 80]),
        ("slide,x,y,width,height", "10,20,50,60", [10, 20, 60, 80]),
        ("slide,cx,cy,w,h", "35,50,50,60", [10, 20, 60, 80]),
        ("image_path,coordinateX,coordinateY", "35,45", [10, 20, 60, 70]),
        ("file,row,col", "45,35", [10, 20, 60, 70]),
    ],
)
def test_places_by_the_fields_names(tmp_path: Path, header: str, line: str, box: list[int]) -> None:
    read = read_annotations(write(tmp_path, f"{header}\na.png,{line}\n", "a.csv"))
    assert read.rois[0].boxes.xyxy.tolist() == [box]
    assert "columns read under other names" in read.notes[0]


def test_facts_of_images_reach_the_rois(tmp_path: Path) -> None:
    text = (
        "file_name,x,y,case,scanner,um_per_px,tumour,image_width,image_height\n"
        "a.png,3,4,P1,Hamammatsu XR,0.23,melanoma,900,800\n"
        "a.png,5,6,,,,,,\n"
        "b.png,,,P2,Aperio CS2,0.25,,,\n"
    )
    first, second = read_annotations(write(tmp_path, text, "a.csv")).rois
    assert (first.patient, first.scanner, first.mpp) == ("P1", "Hamamatsu XR", 0.23)
    assert (first.width, first.height, first.columns) == (900, 800, {"tumour": "melanoma"})
    assert (second.patient, second.scanner, second.mpp) == ("P2", "Aperio CS2", 0.25)
    assert second.width is None


def test_width_and_height_beside_corners_are_of_boxes_or_of_the_image(tmp_path: Path) -> None:
    head = "file_name,width,height,xmin,ymin,xmax,ymax\n"
    of_boxes = write(tmp_path, head + "a.png,50,40,0,0,50,40\na.png,30,30,0,0,30,30\n", "a.csv")
    read = read_annotations(of_boxes)
    assert read.rois[0].width is None
    assert "a.csv: columns not used: width, height" in read.notes
    of_images = write(tmp_path, head + "a.png,900,800,0,0,50,40\na.png,900,800,0,0,9,9\n", "b.csv")
    assert read_annotations(of_images).rois[0].width == 900
    neither = write(tmp_path, head + "a.png,900,800,0,0,50,40\na.png,90,80,0,0,9,9\n", "c.csv")
    with pytest.raises(DataError, match=r"line 3 \(a.png\): width is '90', and '900' in .*line 2"):
        read_annotations(neither)


def test_ignored_boxes(tmp_path: Path) -> None:
    text = "file_name,x,y,iscrowd\na.png,3,4,0\na.png,5,6,1\na.png,7,8,\n"
    roi = read_annotations(write(tmp_path, text, "a.csv")).rois[0]
    assert (len(roi.boxes), roi.ignored.tolist()) == (2, [[-20, -19, 30, 31]])


def test_columns_not_used_are_named_in_one_line(tmp_path: Path) -> None:
    text = "id,file_name,x,y,label,remark\n0,a.png,3,4,mitosis,blurred\n"
    read = read_annotations(write(tmp_path, text, "a.csv"))
    assert read.notes == ("a.csv: columns not used: id, remark",)


def test_figures_without_a_class_column_are_said_to_be_mitotic(tmp_path: Path) -> None:
    read = read_annotations(write(tmp_path, "file_name,x,y\na.png,3,4\n", "a.csv"))
    assert read.notes == ("a.csv: no column of classes, so that all are mitotic figures",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file_name,x,y,is_mitotic\na.png,3,4,0\n", r"'is_mitotic' looks like a class"),
        ("file_name,x,y,radius\na.png,3,4,9\n", r"'radius' looks like the size of figures"),
        ("file_name,x,y,w\na.png,3,4,9\n", r"'w' looks like the size of figures"),
        ("file_name,x,y,case_no\na.png,3,4,9\n", r"'case_no' looks like a patient"),
        ("file_name,x,y,magnification\na.png,3,4,40\n", r"'magnification' looks like um per px"),
        ("file_name,x,y,vendor\na.png,3,4,A\n", r"'vendor' looks like a scanner"),
        ("file_name;x;y\na.png;3,5;4\n", r"line 2: file_name,x,y is a.png,3,5,4; .* decimal point"),
        ("file_name,x,y\na.png,3,5,4\n", r"line 2 has 4 cells for 3 columns: a.png,3,5,4"),
        ("file_name,X,Y,x,y\na.png,1,2,3,4\n", r"line 1 has columns X and x"),
        ("file_name,x,y\na.png,1_0,4\n", r"line 2: file_name,x,y is a.png,1_0,4"),
        ("file_name,x,y\na.png,0.4,0.5\n", r"from 0 to 1, as shares of the image's size"),
        ("file_name,x,y,width,height\na.png,0,0,4000,3000\n", r"image_width,image_height"),
        ("file_name,x,y,label\na.png,,,mitosis\n", r"figure of class 'mitosis' has no place"),
        ("file_name,x,y,label\na.png,3,4,\n", r"line 2: unknown label ''"),
        ("file_name,x,y,iscrowd\na.png,3,4,maybe\n", r"line 2: iscrowd is 'maybe'; write 1 for"),
        ("file_name,x,y\na\x07b.png,3,4\n", r"is not a text file"),
        (f"file_name,x,y\n{'a' * 1100},3,4\n", r"line 2: file_name is over 1024 characters long"),
        (
            "file_name,x,y,patient\na.png,1,2,P1\na.png,3,4,P2\n",
            r"line 3 \(a.png\): patient is 'P2', and 'P1' in .* line 2; state one of an image",
        ),
        ("file_name,x,y,mpp\na.png,1,2,quarter\n", r"a.png: mpp is 'quarter'"),
        ("image,x_mm,y_mm\na.png,1,2\n", r"'x_mm' is not in px"),
    ],
)
def test_what_would_be_guessed_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read_annotations(write(tmp_path, text, "a.csv"))
    assert "\n" not in str(error.value)


def test_an_unknown_class_is_one_problem_with_its_count(tmp_path: Path) -> None:
    text = "file_name,x,y,label\n" + "a.png,3,4,cell\n" * 5
    _, problems = scan_annotations(write(tmp_path, text, "a.csv"))
    assert [problem.what.split(": ")[1] for problem in problems] == [
        "unknown label 'cell' (5 figures)"
    ]
