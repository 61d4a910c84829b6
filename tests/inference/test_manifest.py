"""A manifest lists images and states their um/px, scanner and patient; a wrong line is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from midog.errors import DataError
from midog.inference.jobs import find_jobs
from midog.inference.manifest import read_manifest


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_is_stated_of_each_image_is_read(images, tmp_path):
    (images / "case2").mkdir()
    shutil.copy(images / "a.tiff", images / "case2" / "y.tiff")
    outside = shutil.copy(images / "a.tiff", tmp_path / "out.tiff")
    manifest = write(
        images / "list.csv",
        "Patient,path,mpp,scanner",
        "p1,b.tiff,0.5,Hamammatsu XR",
        ",a.tiff,,",
        "p3,case2\\y.tiff,0.25/0.26,",
        f"p4,{outside},0.25/0.250001,",
    )
    read = read_manifest(manifest)
    assert [image.name for image in read] == ["b.tiff", "a.tiff", "case2/y.tiff", "out.tiff"]
    assert [image.mpp for image in read] == [0.5, None, (0.25, 0.26), pytest.approx(0.2500005)]
    assert [image.scanner for image in read] == ["Hamamatsu XR", "", "", ""]
    assert [image.patient for image in read] == ["p1", "", "p3", "p4"]
    assert all(image.path.is_file() for image in read)
    jobs = find_jobs([manifest])
    assert [(job.name, job.mpp) for job in jobs] == [(image.name, image.mpp) for image in read]
    assert jobs[0].scanner == "Hamamatsu XR"
    assert {job.mpp for job in find_jobs([manifest], mpp=0.3)} == {0.3}


def test_semicolons_and_windows_letters_are_read(images):
    path = images / "l.csv"
    path.write_bytes("path;scanner\r\na.tiff;Gerät\r\n".encode("cp1252"))
    assert [(image.name, image.scanner) for image in read_manifest(path)] == [("a.tiff", "Gerät")]


def test_a_manifest_overrules_what_the_data_folder_states(phantom, tmp_path):
    image = phantom / "images" / "001.tiff"
    manifest = write(tmp_path / "m.csv", "path,mpp", f"{image},0.4", f"{image.with_stem('002')},")
    jobs = find_jobs([manifest])
    assert [job.mpp for job in jobs] == [0.4, 0.25]
    folder_first = find_jobs([phantom, manifest])
    assert len(folder_first) == len(find_jobs([phantom]))
    assert folder_first[0].mpp == 0.4, "stated of a file, wherever else it is named"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["path,mmp", "a.tiff,0.25"], "l.csv: unknown column 'mmp' (did you mean mpp?)"),
        (["path,split", "a.tiff,test"], "l.csv: unknown column 'split'; its columns may be path"),
        (["file,mpp", "a.tiff,0.25"], "l.csv: unknown column 'file'"),
        (["mpp", "0.25"], "l.csv has no column path"),
        (["path,mpp", "a.tiff,"] * 1 + ["a.tiff,0.25"], "line 3 lists a.tiff again, as line 2"),
        (["path", "a.tiff", "./a.tiff"], "line 3 lists ./a.tiff again, as line 2"),
        (["path", "b.tiff", "c.tiff"], "l.csv line 3: c.tiff does not exist; relative paths"),
        (["path", "c.tiff", "d.tiff"], "line 2: c.tiff does not exist (and 1 more lines)"),
        (["path,mpp", "a.tiff,0.25 um"], "line 2: mpp is '0.25 um'; write um per px as 0.25"),
        (["path;mpp", "a.tiff;0,25"], "line 2: mpp is '0,25'; write um per px as 0.25"),
        (["path,mpp", "a.tiff,0.25/"], "line 2: mpp is '0.25/'"),
        (["path,mpp", "a.tiff,0.2/0.2/0.2"], "line 2: mpp is '0.2/0.2/0.2'"),
        (["path,mpp", "a.tiff,40"], "line 2: mpp 40 is out of range"),
        (["path,mpp", "a.tiff,0.25/2"], "line 2: mpp 0.25 x 2 is out of range: a side of a px"),
        (["path,mpp", "a.tiff,nan"], "line 2: mpp is 'nan'"),
        (["path,mpp", "a.tiff,0.25,x"], "line 2 has 3 cells for 2 columns"),
        (["path,mpp", ",0.25"], "line 2: its path is empty"),
        (["path", "."], "line 2: its path is empty"),
        (["path,mpp", "../rois,0.25"], "line 2: ../rois is a folder, and no DICOM slide"),
        (["path"], "l.csv lists no image"),
        ([""], "l.csv has no column path"),
        (["path,Path", "a.tiff,b.tiff"], "has columns path and Path"),
    ],
)
def test_a_line_that_is_wrong_is_named(images, lines, words):
    manifest = write(images / "l.csv", *lines)
    with pytest.raises(DataError) as error:
        find_jobs([manifest])
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_no_manifest_and_one_with_a_role_are_one_line(images, tmp_path):
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        find_jobs([images, tmp_path / "none.csv"])
    first = write(images / "l.csv", "path", "a.tiff")
    with pytest.raises(DataError, match="is a manifest, which states no roles"):
        find_jobs([first], subset="test")
    second = write(images / "m.csv", "path", "b.tiff", "a.tiff")
    with pytest.raises(DataError, match=r"m\.csv line 3 lists .*a\.tiff, as does .*l\.csv line 2"):
        find_jobs([first, second])
