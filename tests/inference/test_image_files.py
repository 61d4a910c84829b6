"""Images are found in folders and below them, and what is left out is counted."""

from __future__ import annotations

import json
import shutil

import pytest

from midog.errors import ImageError
from midog.inference.given_images import find_images
from midog.inference.output_entries import Entry, write_entry


def names(*paths):
    return [image.name for image in find_images(paths)]


def test_images_of_folders_and_data_folders_are_taken_once(images, phantom):
    (images / "notes.txt").write_text("no image")
    (images / ".hidden.png").write_bytes(b"")
    assert names(images, images / "a.tiff") == ["a.tiff", "b.tiff"]
    assert find_images([phantom])[0].path == phantom / "images" / "001.tiff"


def test_paths_without_images_are_errors(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=r"no image in .*empty"):
        find_images([tmp_path / "empty"])
    with pytest.raises(ImageError, match=r"nothing\.tiff does not exist"):
        find_images([tmp_path / "nothing.tiff"])


def test_images_in_folders_below_are_taken_with_their_folders_and_counted(images, caplog):
    caplog.set_level("INFO", "midog")
    for place in ("case2/y.tiff", "case2/deep/er/z.TIF", ".trash/t.tiff"):
        (images / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(images / "a.tiff", images / place)
    assert names(images) == ["a.tiff", "b.tiff", "case2/y.tiff", "case2/deep/er/z.TIF"]
    assert f"{images}/: 4 images, 2 of them in folders below" in caplog.text
    assert names(images / "case2") == ["y.tiff", "deep/er/z.TIF"]


def test_case_folders_of_a_data_folder(images, tmp_path):
    (tmp_path / "d" / "images").mkdir(parents=True)
    for case in ("01", "02"):
        (tmp_path / "d" / "images" / case).mkdir()
        shutil.copy(images / "a.tiff", tmp_path / "d" / "images" / case / "01.tif")
    assert names(tmp_path / "d") == ["01/01.tif", "02/01.tif"]


def test_images_beside_those_of_a_data_folder_are_counted(images, tmp_path, caplog):
    (tmp_path / "d").mkdir()
    shutil.move(images, tmp_path / "d" / "images")
    shutil.copy(tmp_path / "d" / "images" / "a.tiff", tmp_path / "d" / "c.tiff")
    assert names(tmp_path / "d") == ["a.tiff", "b.tiff"]
    assert "left out 1 images beside images/" in caplog.text


def test_slides_that_are_not_read_are_counted(images, caplog):
    (images / "x.czi").write_bytes(b"")
    assert names(images) == ["a.tiff", "b.tiff"]
    assert "left out 1 .czi files, which are not read: convert them to TIFF" in caplog.text


def test_links_are_followed_once_and_a_dangling_one_fails_in_its_turn(images):
    (images / "case").symlink_to(images)
    (images / "gone.tiff").symlink_to(images / "nowhere.tiff")
    assert names(images) == ["a.tiff", "b.tiff", "gone.tiff"]


@pytest.mark.parametrize("place", ["", "detections"])
def test_overlays_that_midog_wrote_are_no_images(images, place, caplog):
    out = images / place
    out.mkdir(exist_ok=True)
    for name in ("a.overlay.jpg", "scan.overlay.jpg"):
        (out / name).write_bytes(b"")
    write_entry(out, "a", Entry("", "", None, "", {"overlay": ""}))
    others = f"{place}/scan.overlay.jpg".lstrip("/")
    assert sorted(names(images)) == sorted(["a.tiff", "b.tiff", others])
    assert "left out 1 pictures that midog wrote" in caplog.text


def test_a_damaged_entry_claims_nothing(images):
    (images / "a.overlay.jpg").write_bytes(b"")
    (images / ".midog-infer").mkdir()
    (images / ".midog-infer" / "a.json").write_text(json.dumps({"image": 5}))
    assert "a.overlay.jpg" in names(images)
