"""Jobs come from images, folders and data folders, each file once, with the mpp that is stated."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from midog.data.folder import read_rois, select_rois
from midog.data.roi import Roi
from midog.errors import DataError, DetectionsError, ImageError
from midog.formats.registry import FORMATS
from midog.inference.jobs import Job, find_jobs, job_of, require_own_files


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


def test_images_of_one_name_in_two_data_folders_are_refused(phantom, tmp_path):
    shutil.copytree(phantom, tmp_path / "other")
    with pytest.raises(DataError, match="both have ROIs named 001"):
        find_jobs([phantom, tmp_path / "other"], subset="test")
    jobs = find_jobs([phantom, tmp_path / "other"])
    with pytest.raises(DetectionsError, match="would both be written as"):
        require_own_files(jobs, [".json"], ignores_case=False)


@pytest.mark.parametrize(
    ("names", "formats", "ignores_case", "file"),
    [
        ("a.png a.tiff", "challenge", False, "a.json"),
        ("slide.coco.tiff slide.tiff", "challenge coco", False, "slide.coco.json"),
        ("slide.overlay.jpg.png slide.tiff", "csv overlay", False, None),
        ("slide.coco.tiff slide.tiff", "challenge", False, None),
        ("A.tiff a.tiff", "challenge", True, "a.json"),
        ("A.tiff a.tiff", "challenge", False, None),
        ("\u00e4.tiff a\u0308.tiff", "challenge", True, "a\u0308.json"),
        ("01/01.tif 02/01.tif", "challenge csv coco overlay", True, None),
    ],
)
def test_two_images_of_one_file_are_refused(names, formats, ignores_case, file):
    jobs = [Job(Path(name), file_name=name) for name in names.split()]
    endings = [FORMATS[name].ending for name in formats.split()]
    if file is None:
        require_own_files(jobs, endings, ignores_case=ignores_case)
        return
    with pytest.raises(DetectionsError) as error:
        require_own_files(jobs, endings, ignores_case=ignores_case)
    first, second = names.split()
    assert f"{first} and {second} would both be written as {file};" in str(error.value)


def test_outputs_are_named_as_the_data_folder_names_the_image():
    for file_name, path, stem in (
        ("01/01.tif", "d/images/01/01.tif", "01/01"),
        ("images/01/01.tif", "d/images/01/01.tif", "01/01"),
        ("a/001.tiff", "d/images/001.tiff", "001"),
        ("/data/001.tiff", "/data/001.tiff", "001"),
        ("../001.tiff", "d/images/../001.tiff", "001"),
    ):
        assert job_of(Roi(file_name), Path(path)).stem == stem


@pytest.mark.parametrize(
    "content", ['{"version": "0.5"}', "[]", "{", '{"type": "Multiple points", "points": []}', ""]
)
def test_a_stray_file_stops_nothing_and_is_named(images, content, caplog):
    (images / "project.json").write_text(content)
    assert [job.name for job in find_jobs([images])] == ["a.tiff", "b.tiff"]
    assert [job.name for job in find_jobs([images / "b.tiff"])] == ["b.tiff"]
    assert caplog.text.count(f"{images / 'project.json'} is left out: ") == 2


def test_a_stray_file_does_not_hide_what_the_annotations_state(phantom, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(phantom, folder)
    (folder / "project.json").write_text("{}")
    (folder / "split.csv").unlink()
    text = (folder / "annotations.json").read_text()
    (folder / "annotations.json").write_text(text.replace('"width"', '"mpp": 0.5, "width"'))
    assert {job.mpp for job in find_jobs([folder])} == {0.5}


def test_a_split_states_the_mpp_without_annotations(phantom, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(phantom, folder)
    (folder / "annotations.json").unlink()
    assert {job.mpp for job in find_jobs([folder])} == {0.25}
    assert {job.mpp for job in find_jobs([folder / "images" / "001.tiff"])} == {0.25}
    other = tmp_path / "other.csv"
    other.write_text("file_name,scanner,patient,split\nx.tiff,S,p,test\n")
    with pytest.raises(DataError, match="lists none of these images"):
        find_jobs([folder], split=str(other))


def test_two_annotation_files_that_disagree_are_an_error(phantom, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(phantom, folder)
    (folder / "split.csv").unlink()
    text = (folder / "annotations.json").read_text()
    for name, mpp in (("annotations", 0.25), ("b", 0.5)):
        changed = text.replace('"width"', f'"mpp": {mpp}, "width"')
        (folder / f"{name}.json").write_text(changed)
    with pytest.raises(ImageError, match=r"states the mpp 0\.25 and 0\.5 for it"):
        find_jobs([folder])
    assert {job.mpp for job in find_jobs([folder], annotations=folder / "b.json")} == {0.5}
    assert {job.mpp for job in find_jobs([folder], mpp=0.3)} == {0.3}


def test_an_image_in_a_folder_that_does_not_exist_stops_nothing(images):
    paths = [images / "a.tiff", images / "nowhere" / "x.tiff", images / "a.tiff" / "y.tiff"]
    assert [job.path for job in find_jobs(paths)] == paths
