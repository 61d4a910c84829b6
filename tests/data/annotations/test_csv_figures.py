"""Lines of a CSV of figures: a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.data.annotations.read import read_annotations
from midog.errors import DataError
from tests.data.annotations.files import write


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file_name,x,y\n1.png,3,four\n", r"line 2: file_name,x,y is 1.png,3,four"),
        ("file_name,x,y\n1.png,3,4\n1.png,nan,4\n", r"line 3: file_name,x,y is 1.png,nan,4"),
        ("file_name,x,y\n1.png,3\n", r"line 2: file_name,x,y is 1.png,3,"),
        ("file_name,x,y\n,3,4\n", r"line 2: file_name,x,y is ,3,4"),
        ("file_name,x,y,label\n1.png,3,4,cell\n", r"line 2: unknown label 'cell'"),
        ("file_name,x1,y1,x2,y2\n1.png,30,20,10,50\n", r"line 2: \[30, 20, 10, 50\] has no area"),
        ("file_name,x\n1.png,3\n", r"its columns are file_name, x; write file_name,x,y,label"),
        ("name,x,y\n1.png,3,4\n", r"begins 'name,x,y' and is no .*header file_name,x,y,label"),
        ("", r"begins '' and is no annotation file; give .*header file_name,x,y,label"),
    ],
)
def test_a_wrong_line_of_a_csv_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_annotations(write(tmp_path, text, "a.csv"))
