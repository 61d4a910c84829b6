"""Areas of slides cut out as ROIs: the same px and figures, and what is left out is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from midog.boxes import Boxes, squares_around
from midog.data.cut_areas import cut_areas, said
from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import DataError
from midog.images.image import open_image
from tests.data.annotations.test_sliderunner import AREA, write_database

CLASSES = ("Mitosis", "Nonmitosis", "ROI")


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Two slides in a folder with a database: one with two areas, one without any."""
    folder = tmp_path / "slides"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a.tiff", "b.tiff"):
        pixels = rng.integers(0, 255, (700, 900, 3), np.uint8)
        tifffile.imwrite(
            folder / "images" / name,
            pixels,
            photometric="rgb",
            resolution=(40000, 40000),
            resolutionunit="CENTIMETER",
        )
    area = {"type": AREA, "agreedClass": 3}
    rows = [
        {**area, "at": [(100, 50), (400, 650)]},
        {**area, "at": [(399, 0), (2000, 51)]},
        {"at": [(100, 50)]},
        {"at": [(399, 50)], "agreedClass": 2},
        {"at": [(400, 650)]},
    ]
    names = [{"filename": "a.tiff"}, {"filename": "b.tiff"}]
    write_database(folder / "a.sqlite", names, rows, CLASSES)
    return folder


def test_px_um_and_figures_of_an_area_are_those_of_the_slide(slides: Path, tmp_path: Path) -> None:
    rois = read_rois(slides, classes="ROI=area", in_areas=True)
    seen = []
    cut = cut_areas(rois, tmp_path / "new" / "rois", lambda *at: seen.append(at))
    assert seen == [(1, 2), (2, 2)]
    made = read_rois(tmp_path / "new" / "rois")
    assert [roi.file_name for roi in made] == ["a_1.tiff", "a_2.tiff"]
    assert {roi.patient for roi in made} == {"a.tiff"}
    with open_image(slides / "images" / "a.tiff") as whole:
        for roi, (x1, y1, x2, y2) in zip(
            made, [(100, 50, 400, 650), (399, 0, 900, 51)], strict=True
        ):
            assert roi.path is not None
            with open_image(roi.path) as image:
                assert image.mpp == (0.25, 0.25)
                expected = whole.read(x1, y1, x2 - x1, y2 - y1)
                np.testing.assert_array_equal(image.read(0, 0, image.width, image.height), expected)
    middle = [((roi.boxes.xyxy[:, :2] + 25).tolist(), roi.boxes.labels.tolist()) for roi in made]
    assert middle == [([[0, 0], [299, 0]], [1, 2]), ([[0, 50]], [2])]
    assert said(cut, Path("rois")) == [
        "2 areas of 1 slides cut into rois/",
        "1 figures lie in no area and are left out",
        "1 slides have no area and are left out: b.tiff",
    ]


def test_a_split_is_kept_and_areas_are_of_the_patient(slides: Path, tmp_path: Path) -> None:
    (slides / "split.csv").write_text(
        "file_name,scanner,patient,split\na.tiff,XR,p1,train\nb.tiff,XR,p2,test\n"
    )
    rois = read_rois(slides, classes="ROI=area", in_areas=True)
    cut_areas(rois, tmp_path / "rois")
    made = read_rois(tmp_path / "rois")
    assert [(roi.split, roi.patient, roi.scanner) for roi in made] == [
        *[("train", "p1", "Hamamatsu XR")] * 2
    ]


def test_ignored_boxes_and_empty_areas_come_along(slides: Path, tmp_path: Path) -> None:
    rois = read_rois(slides, classes="ROI=area,Mitosis=ignore", in_areas=True)
    empty = replace(rois[1], areas=np.array([[0, 0, 9.5, 9]], np.float32))
    cut_areas([*rois[:1], empty], tmp_path / "rois")
    made = read_rois(tmp_path / "rois")
    assert [len(roi.ignored) for roi in made] == [1, 0, 0]
    assert [len(roi.boxes) for roi in made] == [1, 1, 0]
    assert made[2].file_name == "b_1.tiff"


def test_without_a_word_areas_are_an_error(slides: Path) -> None:
    with pytest.raises(DataError, match="unknown class 'ROI'"):
        read_rois(slides)
    with pytest.raises(DataError, match=r"1 slides are annotated in areas alone: a.tiff; cut"):
        read_rois(slides, classes="ROI=area")
    assert len(read_rois(slides, classes="ROI=skip")[0].boxes) == 3


def test_what_cannot_be_cut_leaves_nothing_behind(slides: Path, tmp_path: Path) -> None:
    (roi, other) = read_rois(slides, classes="ROI=area", in_areas=True)
    far = replace(roi, areas=np.array([[0, 0, 9, 9], [5000, 0, 6000, 9]], np.float32))
    same = replace(roi, file_name="x/a.tiff"), replace(roi, file_name="x_a.tiff")
    for rois, words in (
        ([other], "no slide has an area"),
        ([far], r"a.tiff: area 2, 5000, 0 to 6000, 9, is outside the slide of 900 x 700 px"),
        ([replace(roi, path=None)], "a.tiff: its image is missing"),
        (same, "several areas would be named x_a_1.tiff"),
    ):
        with pytest.raises(DataError, match=words):
            cut_areas(rois, tmp_path / "rois")
        assert not (tmp_path / "rois").exists()
    (tmp_path / "rois").mkdir()
    (tmp_path / "rois" / "mine.txt").touch()
    with pytest.raises(DataError, match="exists and is not empty"):
        cut_areas([roi], tmp_path / "rois")


def test_only_rectangles_of_a_database_are_areas(tmp_path: Path) -> None:
    row = {"type": 3, "agreedClass": 3, "at": [(0, 0), (9, 0), (4, 9)]}
    path = write_database(tmp_path / "a.sqlite", [{"filename": "a.tiff"}], [row], CLASSES)
    with pytest.raises(DataError, match="annotation 1 is an area and no rectangle"):
        read_rois(path, classes="ROI=area")
    (tmp_path / "a.csv").write_text("file_name,x,y,label\na.tiff,1,2,ROI\n")
    with pytest.raises(DataError, match=r"areas of label 'ROI'.*; areas are read of Slide"):
        read_rois(tmp_path / "a.csv", classes="ROI=area")


def test_the_command_cuts_and_what_it_made_is_checked(midog, slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "rois"
    ran = midog("data", "cut", "--data", slides, "--classes", "ROI=area", "--out", out)
    assert ran.code == 0, ran.err
    assert ran.out.strip() == str(out)
    assert "2 areas of 1 slides cut into" in ran.err
    assert midog("data", "check", out, "--pixels").code == 0
    ran = midog("data", "check", slides, "--classes", "ROI=area")
    assert ran.code == 1
    assert "cut these out with `midog data cut`, or leave their class out with --classes" in ran.err


def test_an_roi_without_areas_is_annotated_as_a_whole() -> None:
    roi = Roi("a", boxes=Boxes(squares_around([(1, 2)]), [1]))
    assert roi.areas.shape == (0, 4)
