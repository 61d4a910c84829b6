"""Jobs come from images, folders and data folders, each file once, with the mpp that is stated."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from midog.data.folder import read_rois, select_rois
from midog.errors import DataError, ImageError
from midog.inference.jobs import find_images, find_jobs


def test_images_of_folders_and_data_folders_are_taken_once(images, phantom):
    (images / "notes.txt").write_text("no image")
    (images / ".hidden.png").write_bytes(b"")
    assert [path.name for path in find_images([images, images / "a.tiff"])] == ["a.tiff", "b.tiff"]
    assert find_images([phantom])[0] == phantom / "images" / "001.tiff"


def test_paths_without_images_are_errors(images, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=r"no image in .*empty"):
        find_images([tmp_path / "empty"])
    Image.new("RGB", (9, 9)).save(images / "a.png")
    with pytest.raises(ImageError, match=r"a\.png and .*a\.tiff would both be written as a"):
        find_images([images])


def test_a_subset_of_a_data_folder_takes_mpp_and_truth_from_it(phantom):
    jobs = find_jobs([phantom], subset="test")
    rois = select_rois(read_rois(phantom), "test")
    assert [job.path.name for job in jobs] == [roi.file_name for roi in rois]
    assert {job.mpp for job in jobs} == {0.25}
    assert [len(job.truth) for job in jobs] == [len(roi.boxes) for roi in rois]
    assert {job.mpp for job in find_jobs([phantom / "images"])} == {0.25}, (
        "the split beside it says so"
    )
    assert {job.mpp for job in find_jobs([phantom], subset="test", mpp=0.3)} == {0.3}
    with pytest.raises(DataError, match="is no part of a split"):
        find_jobs([phantom], subset="tests")


def test_the_mpp_of_a_split_is_that_of_training_and_scoring(phantom, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(phantom, folder)
    text = (folder / "split.csv").read_text().replace(",0.25", ",0.5")
    (tmp_path / "other.csv").write_text(text)
    assert {job.mpp for job in find_jobs([folder])} == {0.25}
    for place in (folder, folder / "images"):
        assert {job.mpp for job in find_jobs([place], split=str(tmp_path / "other.csv"))} == {0.5}


def test_images_of_one_name_in_two_data_folders_are_an_error(phantom, tmp_path):
    shutil.copytree(phantom, tmp_path / "other")
    with pytest.raises(ImageError, match="would both be written as"):
        find_jobs([phantom, tmp_path / "other"], subset="test")
