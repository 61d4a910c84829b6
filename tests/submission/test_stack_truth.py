"""The ground truth of track 2: its stacks by name, and what is wrong with another file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from midog.errors import DetectionsError
from midog.submission.stack_truth import crops_by_stack

STACK = {"image": "stack_1.tiff", "labels": ["normal", "atypical"], "tumordomains": [1, 1]}


def read(folder: Path, tree: Any) -> dict[str, int]:
    (folder / "truth.json").write_text(json.dumps(tree))
    return crops_by_stack(folder / "truth.json")


def test_crops_are_counted_by_stack(tmp_path: Path) -> None:
    other = {"image": "stack_747.tiff", "labels": ["normal"], "tumordomains": [6]}
    assert read(tmp_path, [STACK, other]) == {"stack_1.tiff": 2, "stack_747.tiff": 1}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"001.tiff": {}}, "no ground truth of track 2"),
        ([], "no ground truth of track 2"),
        ([STACK, 3], "stack 2 has no 'image'"),
        ([STACK | {"labels": []}], r"stack 1 \(stack_1\.tiff\) has no 'labels'"),
        ([STACK | {"tumordomains": [1]}], "has not as many 'tumordomains'"),
        ([STACK | {"labels": ["normal", 1]}], "label 2 is '1'"),
        ([STACK, STACK], "names stack_1.tiff twice"),
    ],
)
def test_another_file_is_refused_with_the_place(tmp_path: Path, tree: Any, words: str) -> None:
    with pytest.raises(DetectionsError, match=words):
        read(tmp_path, tree)
