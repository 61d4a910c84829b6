from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from midog.data.check import check_folder

SIDE = 300


def draw(path: Path, side: int = SIDE, mpp: float | None = 0.25) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    tag: dict[str, Any] = (
        {}
        if mpp is None
        else {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    )
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), compression="deflate", **tag)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three ROIs of scanner A, in train, val and test, with a figure and an imposter each, and two
    unlabelled of B."""
    (tmp_path / "images").mkdir()
    names = [f"{number:03d}.tiff" for number in range(1, 6)]
    tree = {
        "images": [
            {"id": n, "file_name": name, "width": SIDE, "height": SIDE}
            for n, name in enumerate(names, 1)
        ],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "imposter"}],
        "annotations": [
            {
                "id": 10 * n + c,
                "image_id": n,
                "category_id": c,
                "bbox": [200, 60 * c, 250, 60 * c + 50],
            }
            for n in (1, 2, 3)
            for c in (1, 2)
        ],
    }
    (tmp_path / "MIDOG.json").write_text(json.dumps(tree))
    places = ("A,p1,train", "A,p2,val", "A,p3,test", "B,p4,unlabelled", "B,p5,unlabelled")
    lines = [f"{name},{place}" for name, place in zip(names, places, strict=True)]
    (tmp_path / "split.csv").write_text(
        "\n".join(["file_name,scanner,patient,split", *lines]) + "\n"
    )
    for name in names:
        draw(tmp_path / "images" / name)
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_sound_folder(data: Path) -> None:
    report = check_folder(data, pixels=True)
    assert (report.problems, report.warnings) == ((), ())
    assert [(g.scanner, g.split, g.rois, g.figures, g.imposters) for g in report.groups] == [
        ("A", "train", 1, 1, 1),
        ("A", "val", 1, 1, 1),
        ("A", "test", 1, 1, 1),
        ("B", "unlabelled", 2, 0, 0),
    ]
    area = (SIDE * 0.25e-3) ** 2
    assert report.groups[0].area_mm2 == pytest.approx(area, rel=1e-6)
    assert report.groups[0].figures_per_mm2 == pytest.approx(1 / area, rel=1e-6)
    assert math.isnan(report.groups[3].figures_per_mm2)
    assert [len(line) for line in report.lines()] == [len(report.header())] * 5
    assert report.lines()[-1][:5] == ["all", "-", "5", "3", "3"]
    assert report.source.startswith("MIDOG.json: MIDOG JSON")


def test_the_composite_set_is_sound(composite: Path) -> None:
    report = check_folder(composite)
    assert (report.problems, report.warnings) == ((), ())
    assert sum(group.figures for group in report.groups) == 1007
    assert len(report.groups) == 10


def test_everything_wrong_is_told_at_once(data: Path) -> None:
    images = data / "images"
    (images / "001.tiff").unlink()
    draw(images / "002.tiff", side=200)
    (images / "003.tiff").write_bytes((images / "003.tiff").read_bytes()[:20_000])
    (images / "004.tiff").unlink()
    draw(images / "other.tiff")
    edit(data / "split.csv", "A,p2,val", "A,p1,val")
    edit(data / "split.csv", "B,p5,unlabelled", "B,p5,train")
    edit(
        data / "MIDOG.json",
        '"image_id": 3, "category_id": 1, "bbox": [200',
        '"image_id": 3, "category_id": 9, "bbox": [200',
    )
    edit(data / "MIDOG.json", '"bbox": [200, 120, 250, 170]', '"bbox": [280, 120, 330, 170]')
    report = check_folder(data)
    expected = [
        "annotation 31: unknown category 9",
        "patient p1 is in train (001.tiff) and in val (002.tiff)",
        "puts 1 unlabelled ROIs into train: 005.tiff",
        "1 images are missing: 001.tiff",
        "002.tiff is 200x200 px, its annotation says 300x300",
        "003.tiff",
        "3 boxes have their centre outside the image: 001.tiff to 003.tiff",
    ]
    assert len(report.problems) == len(expected)
    for problem, said in zip(report.problems, expected, strict=True):
        assert said in str(problem)
    expected = [
        "1 unlabelled images are missing: 004.tiff",
        "1 images are not in use: other.tiff",
    ]
    assert list(report.warnings) == expected
    assert sum(group.rois for group in report.groups) == 5


def test_pixels_that_only_decoding_shows_to_be_broken(data: Path) -> None:
    path = data / "images" / "002.tiff"
    with tifffile.TiffFile(path) as file:
        first = file.pages[0].dataoffsets[0]  # type: ignore[union-attr]
    raw = bytearray(path.read_bytes())
    raw[first : first + 60] = bytes(60)
    path.write_bytes(raw)
    assert check_folder(data).problems == ()
    assert "002.tiff" in " ".join(map(str, check_folder(data, pixels=True).problems))


def test_mpp_that_is_missing_or_differs(data: Path) -> None:
    draw(data / "images" / "001.tiff", mpp=None)
    draw(data / "images" / "002.tiff", mpp=0.5)
    lines = (data / "split.csv").read_text().splitlines()
    cells = ["mpp", "", "0.25", "0.27", "0.25", "0.25"]
    (data / "split.csv").write_text(
        "".join(f"{line},{cell}\n" for line, cell in zip(lines, cells, strict=True))
    )
    report = check_folder(data)
    assert len(report.problems) == 1
    assert str(report.problems[0]).startswith(
        "the um per pixel of 1 images are unknown: 001.tiff; add a column `mpp`"
    )
    assert len(report.warnings) == 1
    assert "2 images are over 0.2 %" in report.warnings[0]
    assert report.warnings[0].endswith("(0.5 and 0.25 in the first): 002.tiff, 003.tiff")
    assert report.lines()[0][5:] == ["-", "-"]


def test_mpp_at_which_figures_are_hardly_seen_is_said_and_one_of_no_microscope_refused(
    data: Path,
) -> None:
    draw(data / "images" / "001.tiff", mpp=2.5)
    draw(data / "images" / "002.tiff", mpp=25)
    report = check_folder(data)
    (line,) = (line for line in report.warnings if "unusual" in line)
    assert line == (
        "the um per pixel of 1 images are unusual (2.5 in the first; figures are seen at 0.1 to 1):"
        " 001.tiff"
    )
    assert str(report.problems[0]).startswith(
        "the um per pixel of 1 images are no microscope's (25 (TIFF resolution) is out of range,"
    )


def test_a_size_that_differs_matters_little_where_nothing_was_labelled(data: Path) -> None:
    draw(data / "images" / "004.tiff", side=200)
    report = check_folder(data)
    assert report.problems == ()
    assert "004.tiff is 200x200 px, its annotation says 300x300" in report.warnings[0]


def test_figures_at_one_place_and_quiet_rois_are_warned_of(data: Path) -> None:
    edit(data / "MIDOG.json", "[200, 120, 250, 170]", "[200, 60, 250, 110]")
    edit(data / "MIDOG.json", '"image_id": 3', '"image_id": 2')
    report = check_folder(data, images=False)
    assert report.problems == ()
    assert report.warnings == (
        "1 ROIs have no figure and no imposter; were they labelled? 003.tiff",
        "4 boxes are listed twice at one place: 001.tiff, 002.tiff",
    )


def test_two_rois_of_one_image(data: Path) -> None:
    edit(data / "MIDOG.json", '"002.tiff"', '"a/001.tiff"')
    (data / "split.csv").unlink()
    report = check_folder(data)
    assert len(report.problems) == 1
    assert "001.tiff is the image of 2 ROIs: 001.tiff, a/001.tiff" in str(report.problems[0])
    assert report.warnings[0].startswith("there is no split.csv")


def test_a_folder_or_split_that_cannot_be_read_is_a_problem_and_no_exception(
    data: Path, tmp_path: Path
) -> None:
    report = check_folder(tmp_path / "no")
    assert (report.source, report.groups, len(report.problems)) == ("", (), 1)
    assert report.lines() == []
    (data / "split.csv").write_text("file_name\n")
    report = check_folder(data)
    assert "has no column scanner, patient, split" in str(report.problems[0])
    assert sum(group.figures for group in report.groups) == 3


def test_annotations_alone_can_be_checked(shared: Path) -> None:
    report = check_folder(
        shared / "data" / "annotations" / "MIDOG.json", split="midog21", images=False
    )
    assert (report.problems, report.warnings) == ((), ())
    assert report.lines()[-1][:5] == ["all", "-", "200", "1721", "2714"]
    report = check_folder(
        shared / "data" / "annotations" / "MIDOGpp.json", split="midogpp", images=False
    )
    assert report.problems == ()
    assert [line.split(":")[0] for line in report.warnings] == [
        "2 boxes have their centre outside the image"
    ]


def test_boxes_to_ignore_are_counted_in_a_note(data: Path) -> None:
    edit(data / "MIDOG.json", '"id": 11, ', '"id": 11, "iscrowd": 1, ')
    edit(data / "MIDOG.json", '"id": 12, ', '"id": 12, "ignore": 1, ')
    report = check_folder(data, images=False)
    assert report.notes == ("2 boxes are to be ignored: neither figures nor background",)
    assert report.problems == ()
    assert report.warnings == ("no ROI of train has a mitotic figure: `midog train` needs some",)
    assert (report.groups[0].figures, report.groups[0].imposters) == (0, 0)


def test_rois_are_counted_by_roi_type_and_without_figures(data: Path) -> None:
    lines = [
        "file_name,scanner,patient,split,ROI type",
        *("001.tiff,A,p1,train,Hot-Spot", "002.tiff,A,p2,val,hotspot"),
        *("003.tiff,A,p3,test,Challenging ROI", "004.tiff,A,p4,train,random"),
        "005.tiff,A,p5,train,tumour border",
    ]
    (data / "split.csv").write_text("\n".join(lines) + "\n")
    report = check_folder(data)
    assert report.problems == ()
    assert report.header()[:4] == ["scanner", "roi_type", "split", "ROIs"]
    assert [line[1:6] for line in report.lines()] == [
        ["challenging", "test", "1", "0", "1"],
        ["hotspot", "train", "1", "0", "1"],
        ["hotspot", "val", "1", "0", "1"],
        ["random", "train", "1", "1", "0"],
        ["tumour border", "train", "1", "1", "0"],
        ["-", "-", "5", "2", "3"],
    ]
    assert report.notes == (
        "roi_type is none of hotspot, random, challenging, and used as it is: tumour border (1)",
    )
    assert report.warnings == (
        "2 ROIs have no figure and no imposter; were they labelled? 004.tiff, 005.tiff",
    )


def test_rois_declared_free_are_noted_and_not_asked_about(data: Path) -> None:
    lines = [
        "file_name,scanner,patient,split,figure_free",
        *("001.tiff,A,p1,train,", "002.tiff,A,p2,test,no", "003.tiff,A,p3,test,"),
        *("004.tiff,C,p4,val,yes", "005.tiff,C,p5,val,Yes"),
    ]
    (data / "split.csv").write_text("\n".join(lines) + "\n")
    report = check_folder(data)
    assert report.problems == ()
    assert report.notes == ("2 ROIs are declared free of figures",)
    assert report.warnings == ("no ROI of val has a mitotic figure: `midog train` needs some",)
    assert len(report.header()) == 7, "there is no roi_type"


def test_what_figure_free_states_must_be_borne_out_by_the_boxes(data: Path) -> None:
    lines = [
        "file_name,scanner,patient,split,figure_free",
        *("001.tiff,A,p1,train,yes", "002.tiff,A,p2,val,no", "003.tiff,A,p3,test,maybe"),
        "004.tiff,A,p4,test,no",
    ]
    (data / "split.csv").write_text("\n".join(lines) + "\n")
    texts = [str(problem).removeprefix(f"{data}/") for problem in check_folder(data).problems]
    assert texts == [
        "split.csv line 4 (003.tiff): figure_free is 'maybe'; write yes or no, or leave it empty",
        "1 ROIs are declared figure_free and have mitotic figures: 001.tiff; correct their boxes or"
        " the column `figure_free`",
        "1 ROIs state figure_free = no, and no mitotic figure of theirs is listed: 004.tiff;"
        " annotate them, correct the column, or give them the split 'unlabelled'",
    ]


def test_points_of_a_csv_are_held_against_the_image_itself(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    draw(tmp_path / "images" / "001.tiff", side=100)
    (tmp_path / "points.csv").write_text(
        "file_name,x,y\n001.tiff,50,50\n001.tiff,500,50\n001.tiff,-50,50\n"
    )
    report = check_folder(tmp_path)
    assert any(
        "2 boxes have their centre outside the image: 001.tiff" in str(problem)
        for problem in report.problems
    )


def test_a_split_that_training_cannot_use_is_warned_of(data: Path) -> None:
    text = (data / "split.csv").read_text()
    (data / "split.csv").write_text(text.replace(",val", ",test"))
    assert any(
        "no ROI in val: `midog train` needs both" in line for line in check_folder(data).warnings
    )
