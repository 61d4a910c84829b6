"""Which file is whose: ours, the challenge's and other formats', missing, doubled and bad ones."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from midog.boxes import Detections, squares_around
from midog.errors import DetectionsError
from midog.evaluation.points import score_rois
from midog.formats.challenge import write_challenge
from midog.formats.coco import write_coco
from midog.formats.registry import FORMATS
from midog.metrics.counts import Counts
from tests.evaluation.cases import ROIS, YES, roi, total, write


def test_our_own_files_score_as_the_detections_do(tmp_path: Path) -> None:
    detections = Detections(
        squares_around([(104, 98), (300, 300), (600, 600)]), [0.9, 0.4, 0.7], [1, 1, 1]
    )
    write_challenge(tmp_path / "001.json", detections, mpp=0.25, threshold=0.5)
    write_coco(
        tmp_path / f"001{FORMATS['coco'].ending}",
        detections,
        file_name="001.tiff",
        width=700,
        height=700,
    )
    by_name, by_score = (score_rois(tmp_path, ROIS[:1], threshold=t)[0] for t in (None, 0.5))
    assert by_name.counts == by_score.counts == Counts(1, 1, 1)
    assert by_name.counted.tolist() == by_score.counted.tolist()
    assert total(score_rois(tmp_path, ROIS[:1], threshold=0.4)) == Counts(2, 1, 0)


def test_our_coco_files_beside_are_left_alone(tmp_path: Path, caplog) -> None:
    write(tmp_path / "001.json")
    write_coco(
        tmp_path / f"001{FORMATS['coco'].ending}",
        Detections(),
        file_name="001.tiff",
        width=700,
        height=700,
    )
    with caplog.at_level(logging.WARNING):
        score_rois(tmp_path, ROIS[:1])
    assert caplog.text == ""


def test_the_challenges_layout_with_a_folder_for_each_roi(tmp_path: Path) -> None:
    write(tmp_path / "001" / "mitotic-figures.json", (100, 100, 0.9, YES))
    write(tmp_path / "002" / "mitotic-figures.json")
    write(tmp_path / "003.json", (50, 50, 0.8, YES))
    assert total(score_rois(tmp_path, ROIS)) == Counts(2, 0, 1)


def test_points_without_name_and_probability(tmp_path: Path, caplog) -> None:
    points = [{"point": [100 * 0.00025, 100 * 0.00025, 0]}, {"point": [0.2, 0.2, 0]}]
    (tmp_path / "001.json").write_text(json.dumps({"type": "Multiple points", "points": points}))
    with caplog.at_level(logging.WARNING):
        assert total(score_rois(tmp_path, ROIS[:1])) == Counts(1, 1, 1)
    assert "2 points have no probability" in caplog.text
    assert total(score_rois(tmp_path, ROIS[:1], threshold=0.5)) == Counts(1, 1, 1)
    assert total(score_rois(tmp_path, ROIS[:1], threshold=0.51)) == Counts(0, 0, 2)


def test_missing_files_are_an_error_that_names_the_rois(folder: Path) -> None:
    more = [*ROIS, *(roi(f"{number}.tiff") for number in range(100, 157))]
    with pytest.raises(DetectionsError) as error:
        score_rois(folder, more)
    assert str(error.value).startswith(f"{folder} has no detections for 100.tiff, 101.tiff")
    assert "(57 in all)" in str(error.value)
    assert "use allow_missing=True" in str(error.value)
    assert "156.tiff" not in str(error.value)
    assert len(str(error.value)) < 400


def test_allowed_missing_files_are_rois_without_detections(folder: Path) -> None:
    (folder / "001.json").unlink()
    scored = score_rois(folder, ROIS, allow_missing=True)
    assert [one.counts for one in scored] == [Counts(0, 0, 2), Counts(0, 1, 0), Counts(0, 0, 1)]


def test_files_of_other_rois_are_left_out_with_a_warning(folder: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        assert total(score_rois(folder, ROIS[:1])) == Counts(1, 1, 1)
    assert "2 of 3 files" in caplog.text
    assert "002.json, 003.json" in caplog.text


def test_hidden_files_are_none(folder: Path, caplog) -> None:
    (folder / "._001.json").write_bytes(b"\0\5\x16\7")
    with caplog.at_level(logging.WARNING):
        score_rois(folder, ROIS)
    assert caplog.text == ""


def test_two_files_for_one_roi_are_an_error(folder: Path) -> None:
    write(folder / "001" / "mitotic-figures.json")
    with pytest.raises(
        DetectionsError, match=r"001\.json and .*mitotic-figures\.json are both for 001\.tiff"
    ):
        score_rois(folder, ROIS)


def test_a_file_that_may_be_of_two_rois_is_an_error(folder: Path) -> None:
    for names in (("a/001.tiff", "b/001.tiff"), ("001.png", "001.tiff")):
        with pytest.raises(
            DetectionsError, match=r"001\.json may be of {} and {}; name".format(*names)
        ):
            score_rois(folder, [roi(name) for name in names])


def test_case_folders_have_files_of_their_own(tmp_path: Path, caplog) -> None:
    rois = [roi("01/01.tif", [(100, 100)]), roi("02/01.tif", [(200, 200)])]
    write(tmp_path / "01" / "01.json", (100, 100, 0.9, YES))
    write(tmp_path / "02" / "01.json", (200, 200, 0.9, YES))
    assert total(score_rois(tmp_path, rois)) == Counts(2, 0, 0)
    assert caplog.text == ""
    (tmp_path / "02" / "01.json").unlink()
    write(tmp_path / "01.json", (200, 200, 0.9, YES))
    with pytest.raises(DetectionsError, match=r"01\.json may be of 01/01\.tif and 02/01\.tif"):
        score_rois(tmp_path, rois)


def test_a_file_beside_is_that_of_an_roi_in_a_folder_where_the_name_is_its_alone(tmp_path) -> None:
    rois = [roi("images/a/001.tiff", [(100, 100)]), roi("b/002.tiff", [(200, 200)])]
    write(tmp_path / "a" / "001.json", (100, 100, 0.9, YES))
    write(tmp_path / "002.json", (200, 200, 0.9, YES))
    assert total(score_rois(tmp_path, rois)) == Counts(2, 0, 0)


@pytest.mark.parametrize("file", ["a.tiff.json", "a.tiff/mitotic-figures.json", "a.JSON"])
def test_a_file_may_be_named_with_the_images_ending(tmp_path: Path, file) -> None:
    write(tmp_path / file, (100, 100, 0.9, YES))
    assert total(score_rois(tmp_path, [roi("a.tiff", [(100, 100)])])) == Counts(1, 0, 0)


def test_an_accent_is_the_same_in_either_writing(tmp_path: Path) -> None:
    write(tmp_path / "a\u0308.json", (100, 100, 0.9, YES))
    assert total(score_rois(tmp_path, [roi("\u00e4.tiff", [(100, 100)])])) == Counts(1, 0, 0)


def test_files_of_an_earlier_run_in_a_folder_below_are_left_out_with_a_warning(
    folder: Path, caplog
) -> None:
    write(folder / "old" / "001.json", (100, 100, 0.9, YES))
    assert total(score_rois(folder, ROIS)) == Counts(1, 2, 2)
    assert "left out 1 of 4 files" in caplog.text
    assert "old/001.json" in caplog.text


def test_a_bad_file_is_named(folder: Path) -> None:
    (folder / "002.json").write_text(
        '{"type": "Multiple points", "points": [{"name": "mitotic figure"}]}'
    )
    with pytest.raises(DetectionsError, match=r"002\.json point 1"):
        score_rois(folder, ROIS)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DetectionsError, match="nowhere is not a folder"):
        score_rois(tmp_path / "nowhere", ROIS)
