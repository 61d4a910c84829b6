"""Files of one image each: whose they are, what is wrong with them, and images without one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from midog.data.annotations.per_image import read_parts
from midog.data.annotations.read import parts_in, read_annotations, reader_named, scan_annotations
from midog.data.annotations.reader import AnnotationFile
from midog.errors import DataError
from tests.data.annotations.test_geojson import FIGURE, feature, write_features


def lay_out(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("file", "image"),
    [
        ("annotations/01/01.geojson", "01/01.tif"),
        ("annotations/images/02/01.geojson", "02/01.tif"),
        ("annotations/01/01.tif.geojson", "01/01.tif"),
        ("annotations/b.geojson", "deep/b.png"),
        ("annotations/lost.geojson", "lost"),
    ],
)
def test_a_file_is_of_the_image_of_its_name(tmp_path: Path, file: str, image: str) -> None:
    names = ("01/01.tif", "02/01.tif", "deep/b.png", "notes.txt")
    lay_out(tmp_path, *(f"images/{name}" for name in names))
    write_features(tmp_path / file, feature())
    read = read_annotations(tmp_path / "annotations", images=tmp_path)
    assert [roi.file_name for roi in read.rois] == [image]
    assert len(read.rois[0].boxes) == 1


def test_images_without_a_file_are_left_out_with_a_note(tmp_path: Path) -> None:
    lay_out(tmp_path, *(f"images/{number}.tif" for number in range(9)))
    write_features(tmp_path / "annotations" / "3.geojson")
    (tmp_path / "annotations" / "4.geojson").write_text("")
    read = read_annotations(tmp_path / "annotations")
    assert [roi.file_name for roi in read.rois] == ["3.tif", "4.tif"]
    assert not any(roi.has_boxes for roi in read.rois)
    assert read.notes == (
        "annotations: 7 images have no file and are left out: 0.tif, 1.tif, 2.tif, 5.tif, 6.tif and"
        " 2 more; an empty file states that an image has no figure",
    )


def test_two_images_or_two_files_of_one_name_are_problems(tmp_path: Path) -> None:
    lay_out(tmp_path, "images/a.tif", "images/a.png", "images/b.tif")
    for name in ("a", "b", "b.tif"):
        write_features(tmp_path / "annotations" / f"{name}.geojson", feature())
    _, problems = scan_annotations(tmp_path / "annotations")
    first, second = map(str, problems)
    assert "a.geojson: 2 images are named so: a.png, a.tif; name it as" in first
    assert "b.geojson and" in second
    assert second.endswith("b.tif.geojson are both of image b.tif; remove one")


def test_every_file_is_read_whatever_is_wrong_with_another(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.geojson").write_text("{")
    (tmp_path / "annotations" / "b.geojson").write_bytes(b"\0\1\2")
    write_features(tmp_path / "annotations" / "c.geojson", feature(name="nerve"), feature())
    read, problems = scan_annotations(tmp_path / "annotations")
    assert [len(roi.boxes) for roi in read.rois] == [0, 0, 1]
    assert ["a.geojson is not JSON" in str(problems[0]), "b.geojson" in str(problems[1])] == [
        *(True, True)
    ]
    assert "c.geojson: object 1: unknown class 'nerve'" in str(problems[2])


def test_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no file that ends in \.geojson or "):
        read_annotations(tmp_path)
    (tmp_path / "a.json").write_text('{"images": []}')
    assert parts_in(tmp_path) == ()
    shutil.copy(write_features(tmp_path / "b.geojson"), tmp_path / "c.json")
    assert [path.name for path in parts_in(tmp_path)] == ["b.geojson", "c.json"]


def test_an_unknown_format_is_an_error_that_lists_all() -> None:
    with pytest.raises(DataError, match=r"no format of annotations 'tupac'; choose .*tupac16"):
        reader_named("tupac")
    assert reader_named("auto") is None


def test_over_so_many_figures_is_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("midog.data.annotations.per_image.MOST_LINES", 2)
    path = write_features(tmp_path / "a.geojson", *[feature()] * 3)
    with pytest.raises(DataError, match="lists over 2 figures"):
        read_annotations(path)


def test_a_scan_is_told_what_the_name_states(tmp_path: Path) -> None:
    seen = []
    path = tmp_path / "x_not_mitosis.csv"
    path.write_text("text")
    roles = {"_not_mitosis": "not mitosis", "_mitosis": "mitosis"}
    read_parts(
        AnnotationFile(path, "", parts=(path,)),
        "toy",
        lambda scan, part: seen.append((part.image, part.role, part.text)),
        endings=(".csv",),
        roles=roles,
    )
    assert seen == [("x", "not mitosis", "text")]
    assert FIGURE in roles.values()
