"""Patterns are expanded, and a picture of detections is never an image, written yet or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from midog.errors import ImageError
from midog.inference.given_images import find_images


@pytest.fixture
def cases(images: Path) -> Path:
    """a.tiff, b.tiff, case1/y.tiff, case2/y.tiff, case2/deep/z.tiff, and files of other kinds."""
    for place in ("case1/y.tiff", "case2/y.tiff", "case2/deep/z.tiff", ".trash/t.tiff"):
        (images / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / "a.tiff", images / place)
    (images / "notes.txt").write_text("no image")
    (images / "empty").mkdir()
    return images


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.tiff", "a.tiff b.tiff"),
        ("?.tif*", "a.tiff b.tiff"),
        ("[b-z].tiff", "b.tiff"),
        ("case*/*.tiff", "case1/y.tiff case2/y.tiff"),
        ("case*", "case1/y.tiff case2/y.tiff case2/deep/z.tiff"),
        ("**/*.tiff", "a.tiff b.tiff case1/y.tiff case2/deep/z.tiff case2/y.tiff"),
        ("case2/**", "y.tiff deep/z.tiff"),
        ("*", "a.tiff b.tiff case1/y.tiff case2/y.tiff case2/deep/z.tiff"),
    ],
)
def test_a_pattern_takes_images_named_from_its_first_wildcard_on(cases, pattern, names):
    assert [image.name for image in find_images([cases / pattern])] == names.split()


def test_what_a_pattern_leaves_out_is_counted_and_nothing_is_an_error(cases, caplog):
    find_images([cases / "*"])
    assert f"{cases}/*: left out 1 files that are no images" in caplog.text
    with pytest.raises(ImageError, match=r"no image matches .*\*\.svs; correct the pattern"):
        find_images([cases / "a.tiff", cases / "*.svs"])
    with pytest.raises(ImageError, match=r"no image matches .*\*\.txt, only 1 other files"):
        find_images([cases / "*.txt"])


def test_a_file_whose_name_looks_like_a_pattern_is_taken_as_it_is(images):
    odd = shutil.copy(images / "a.tiff", images / "a[1].tiff")
    assert [image.path for image in find_images([odd])] == [odd]
    assert [image.name for image in find_images([images / "a*", odd])] == ["a.tiff", "a[1].tiff"]


def test_a_pattern_from_here_and_from_home(cases, monkeypatch):
    monkeypatch.chdir(cases)
    assert [image.name for image in find_images([Path("c*/y.tiff")])] == [
        "case1/y.tiff",
        "case2/y.tiff",
    ]
    monkeypatch.setenv("HOME", str(cases))
    assert len(find_images([Path("~/*.tiff")])) == 2


@pytest.mark.parametrize("place", [".", "detections"])
def test_the_list_is_the_same_before_and_while_detections_are_written(images, place):
    out = images / place
    before = find_images([images], out=out)
    out.mkdir(exist_ok=True)
    for name in ("a.overlay.jpg", "b.density.png", "b.tissue.png"):  # and no entry yet
        (out / name).write_bytes(b"")
    assert find_images([images], out=out) == before
    assert len(find_images([images])) == len(before) + 3
    (out / "scan.overlay.jpg").write_bytes(b"")
    assert len(find_images([images], out=out)) == len(before) + 1, "of no image that is here"
