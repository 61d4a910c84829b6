"""Scoring a folder of detections: ours, a stranger's, with gaps, by group."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.boxes import Boxes, Detections, squares_around
from midog.data.annotations import Roi
from midog.errors import DetectionsError, ImageError
from midog.evaluation import evaluate
from midog.inference.export import FORMATS, write_challenge, write_coco
from midog.metrics.scores import Counts


def roi(file_name: str, figures=(), imposters=(), scanner: str = "A", mpp: float | None = 0.25, **more) -> Roi:
    boxes = Boxes(squares_around([*figures, *imposters]), [1] * len(figures) + [2] * len(imposters))
    return Roi(file_name, boxes=boxes, scanner=scanner, mpp=mpp, **more)


def write(path: Path, *points: tuple, mpp: float = 0.25) -> None:
    """A stranger's file: points (x px, y px, probability, name)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"point": [x * mpp / 1000, y * mpp / 1000, 0], "probability": p, "name": n} for x, y, p, n in points]
    path.write_text(json.dumps({"type": "Multiple points", "points": rows, "version": {"major": 1, "minor": 0}}))


YES, NO = "mitotic figure", "non-mitotic figure"

ROIS = [
    roi("001.tiff", [(100, 100), (300, 300)], [(200, 200)], "Hamamatsu XR", patient="p1", columns={"tumour": "lung"}),
    roi("002.tiff", [], [], "Hamamatsu XR", patient="p2", columns={"tumour": ""}),
    roi("003.tiff", [(50, 50)], [], "Aperio CS2", patient="p1", columns={"tumour": "skin"}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hit, a hit named otherwise, a false alarm on an imposter; false alarms in 002; nothing in 003."""
    write(tmp_path / "001.json", (103, 100, 0.9, YES), (300, 310, 0.6, NO), (200, 200, 0.7, YES))
    write(tmp_path / "002.json", (10, 10, 0.3, YES), (500, 10, 0.2, NO))
    write(tmp_path / "003.json")
    return tmp_path


def test_counts_the_points_named_mitotic_figure(folder: Path) -> None:
    result = evaluate(folder, ROIS)
    assert result.threshold is None
    assert list(result.groups) == ["all", "Hamamatsu XR", "Aperio CS2"]
    assert result.groups["all"].counts == Counts(1, 2, 2)
    assert result.groups["Hamamatsu XR"].counts == Counts(1, 2, 1)
    assert result.groups["Aperio CS2"].counts == Counts(0, 0, 1)
    assert (result.groups["all"].rois, result.groups["all"].figures) == (3, 3)


def test_with_a_threshold_all_points_from_it_up_count_whatever_their_name(folder: Path) -> None:
    assert evaluate(folder, ROIS, threshold=0.6).groups["all"].counts == Counts(2, 1, 1)
    assert evaluate(str(folder), ROIS, threshold=0.0).groups["all"].counts == Counts(2, 3, 1)
    assert evaluate(folder, ROIS, threshold=0.95).groups["all"].counts == Counts(0, 0, 3)


def test_average_precision_takes_all_points_and_does_not_depend_on_the_threshold(folder: Path) -> None:
    scores = [evaluate(folder, ROIS, threshold=t).groups for t in (None, 0.5, 0.95)]
    # Hit, false alarm, hit of three figures: precision 1 up to recall 1/3, 2/3 up to 2/3, then 0.
    assert scores[0]["all"].ap50 == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert [each["all"].ap50 for each in scores] == [scores[0]["all"].ap50] * 3
    assert scores[0]["Aperio CS2"].ap50 == 0


def test_to_dict_is_plain_json_with_null_for_what_is_not_defined(folder: Path) -> None:
    tree = json.loads(json.dumps(evaluate(folder, ROIS, by="file_name", threshold=0.5).to_dict(), allow_nan=False))
    assert tree["threshold"] == 0.5
    assert list(tree) == ["threshold", "groups"]
    assert list(tree["groups"]) == ["all", "001.tiff", "002.tiff", "003.tiff"]
    assert tree["groups"]["001.tiff"] == {
        "rois": 1,
        "figures": 2,
        "tp": 2,
        "fp": 1,
        "fn": 0,
        "precision": 2 / 3,
        "recall": 1.0,
        "f1": 0.8,
        "ap50": pytest.approx((51 + 50 * 2 / 3) / 101),
    }
    nothing_at_all = {"tp": 0, "fp": 0, "fn": 0, "precision": None, "recall": None, "f1": None, "ap50": None}
    assert tree["groups"]["002.tiff"] == {"rois": 1, "figures": 0} | nothing_at_all
    only_missed = {"tp": 0, "fp": 0, "fn": 1, "precision": None, "recall": 0.0, "f1": 0.0, "ap50": 0.0}
    assert tree["groups"]["003.tiff"] == {"rois": 1, "figures": 1} | only_missed


def test_false_alarms_in_rois_without_figures_count(folder: Path) -> None:
    group = evaluate(folder, ROIS, by="file_name").groups["002.tiff"]
    assert group.counts == Counts(0, 1, 0)
    assert group.counts.precision == group.counts.f1 == 0
    assert math.isnan(group.counts.recall)
    assert math.isnan(group.ap50)


# --- groups -----------------------------------------------------------------------------------------------------------


def test_groups_by_any_column_with_empty_values_as_unknown(folder: Path) -> None:
    assert list(evaluate(folder, ROIS, by="tumour").groups) == ["all", "lung", "unknown", "skin"]
    by_patient = evaluate(folder, ROIS, by="patient").groups
    assert (by_patient["p1"].rois, by_patient["p1"].figures) == (2, 3)
    assert sum((by_patient[name].counts for name in ("p1", "p2")), Counts()) == by_patient["all"].counts


def test_an_roi_that_lacks_the_column_is_unknown(folder: Path) -> None:
    more = [*ROIS[:2], roi("003.tiff", [(50, 50)])]
    assert list(evaluate(folder, more, by="tumour").groups) == ["all", "lung", "unknown"]


def test_unknown_column_is_an_error_that_lists_them(folder: Path) -> None:
    with pytest.raises(DetectionsError, match="'stain'; group by one of scanner, patient, file_name, tumour"):
        evaluate(folder, ROIS, by="stain")


def test_a_group_named_all_is_refused(folder: Path) -> None:
    with pytest.raises(DetectionsError, match="'all'"):
        evaluate(folder, [roi("001.tiff", scanner="all")])


# --- files ------------------------------------------------------------------------------------------------------------


def test_our_own_files_score_as_the_detections_do(tmp_path: Path) -> None:
    detections = Detections(squares_around([(104, 98), (300, 300), (600, 600)]), [0.9, 0.4, 0.7], [1, 1, 1])
    write_challenge(tmp_path / "001.json", detections, mpp=0.25, threshold=0.5)
    write_coco(tmp_path / f"001{FORMATS['coco']}", detections, file_name="001.tiff", width=700, height=700)
    by_name = evaluate(tmp_path, ROIS[:1])
    assert by_name.groups["all"].counts == Counts(1, 1, 1)
    assert by_name.groups == evaluate(tmp_path, ROIS[:1], threshold=0.5).groups
    assert evaluate(tmp_path, ROIS[:1], threshold=0.4).groups["all"].counts == Counts(2, 1, 0)


def test_our_coco_files_beside_are_no_strangers(tmp_path: Path, caplog) -> None:
    write(tmp_path / "001.json")
    write_coco(tmp_path / f"001{FORMATS['coco']}", Detections(), file_name="001.tiff", width=700, height=700)
    with caplog.at_level(logging.WARNING):
        evaluate(tmp_path, ROIS[:1])
    assert caplog.text == ""


def test_a_strangers_layout_with_a_folder_for_each_roi(tmp_path: Path) -> None:
    write(tmp_path / "001" / "mitotic-figures.json", (100, 100, 0.9, YES))
    write(tmp_path / "002" / "mitotic-figures.json")
    write(tmp_path / "003.json", (50, 50, 0.8, YES))
    assert evaluate(tmp_path, ROIS).groups["all"].counts == Counts(2, 0, 1)


def test_points_of_a_stranger_without_name_and_probability(tmp_path: Path, caplog) -> None:
    points = [{"point": [100 * 0.00025, 100 * 0.00025, 0]}, {"point": [0.2, 0.2, 0]}]
    (tmp_path / "001.json").write_text(json.dumps({"type": "Multiple points", "points": points}))
    with caplog.at_level(logging.WARNING):
        assert evaluate(tmp_path, ROIS[:1]).groups["all"].counts == Counts(1, 1, 1)
    assert "2 points have no probability" in caplog.text
    assert evaluate(tmp_path, ROIS[:1], threshold=0.5).groups["all"].counts == Counts(1, 1, 1)
    assert evaluate(tmp_path, ROIS[:1], threshold=0.51).groups["all"].counts == Counts(0, 0, 2)


def test_missing_files_are_an_error_that_names_the_rois(folder: Path) -> None:
    more = [*ROIS, *(roi(f"{number}.tiff") for number in range(100, 157))]
    with pytest.raises(DetectionsError) as error:
        evaluate(folder, more)
    assert "100.tiff, 101.tiff" in str(error.value)
    assert "(57 in all)" in str(error.value)
    assert "--allow-missing" in str(error.value)
    assert "156.tiff" not in str(error.value)
    assert len(str(error.value)) < 400


def test_allowed_missing_files_are_rois_without_detections(folder: Path) -> None:
    (folder / "001.json").unlink()
    result = evaluate(folder, ROIS, allow_missing=True)
    assert result.groups["all"].counts == Counts(0, 1, 3)
    assert result.groups["all"].rois == 3


def test_files_of_other_rois_are_left_out_with_a_warning(folder: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        result = evaluate(folder, ROIS[:1])
    assert result.groups["all"].counts == Counts(1, 1, 1)
    assert "2 of 3 files" in caplog.text
    assert "002.json, 003.json" in caplog.text


def test_hidden_files_are_none(folder: Path, caplog) -> None:
    (folder / "._001.json").write_bytes(b"\0\5\x16\7")
    with caplog.at_level(logging.WARNING):
        evaluate(folder, ROIS)
    assert caplog.text == ""


def test_two_files_for_one_roi_are_an_error(folder: Path) -> None:
    write(folder / "001" / "mitotic-figures.json")
    with pytest.raises(DetectionsError, match=r"001\.json and .*mitotic-figures\.json are both for 001\.tiff"):
        evaluate(folder, ROIS)


def test_two_rois_for_one_file_are_an_error(folder: Path) -> None:
    with pytest.raises(DetectionsError, match=r"a/001\.tiff and b/001\.tiff"):
        evaluate(folder, [roi("a/001.tiff"), roi("b/001.tiff")])


def test_a_bad_file_is_named(folder: Path) -> None:
    (folder / "002.json").write_text('{"type": "Multiple points", "points": [{"name": "mitotic figure"}]}')
    with pytest.raises(DetectionsError, match=r"002\.json point 1"):
        evaluate(folder, ROIS)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DetectionsError, match="nowhere is not a folder"):
        evaluate(tmp_path / "nowhere", ROIS)


def test_unlabelled_rois_cannot_be_scored(folder: Path) -> None:
    unlabelled = [roi(f"{number}.tiff", split="unlabelled") for number in range(151, 201)]
    with pytest.raises(DetectionsError, match=r"151\.tiff, .* \(50 in all\) have the role unlabelled"):
        evaluate(folder, [*ROIS, *unlabelled])


def test_no_rois_are_an_error(folder: Path) -> None:
    with pytest.raises(DetectionsError, match="no ROIs"):
        evaluate(folder, [])


@pytest.mark.parametrize("threshold", [-0.1, 1.5, math.nan])
def test_threshold_out_of_range(folder: Path, threshold) -> None:
    with pytest.raises(DetectionsError, match="threshold"):
        evaluate(folder, ROIS, threshold=threshold)


# --- mpp --------------------------------------------------------------------------------------------------------------


def test_mpp_given_overrules_the_rois_own(tmp_path: Path) -> None:
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=0.5)
    one = [roi("001.tiff", [(400, 400)], mpp=0.25)]
    assert evaluate(tmp_path, one, mpp=0.5).groups["all"].counts == Counts(1, 0, 0)
    assert evaluate(tmp_path, one).groups["all"].counts == Counts(0, 1, 1)


def test_mpp_of_each_roi_is_its_own(tmp_path: Path) -> None:
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=0.25)
    write(tmp_path / "002.json", (400, 400, 0.9, YES), mpp=0.5)
    two = [roi("001.tiff", [(400, 400)], mpp=0.25), roi("002.tiff", [(400, 400)], mpp=0.5)]
    assert evaluate(tmp_path, two).groups["all"].counts == Counts(2, 0, 0)


def test_mpp_comes_from_the_image_where_nothing_else_says_it(tmp_path: Path) -> None:
    image = tmp_path / "001.tiff"
    Image.new("RGB", (64, 64)).save(image, resolution=10_000 / 0.5, resolution_unit="cm")
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=0.5)
    one = [roi("001.tiff", [(400, 400)], mpp=None, path=image)]
    assert evaluate(tmp_path, one).groups["all"].counts == Counts(1, 0, 0)
    image.write_bytes(b"no image")
    with pytest.raises(ImageError):
        evaluate(tmp_path, one)


def test_no_mpp_is_an_error_that_asks_for_it_only_where_it_is_needed(folder: Path) -> None:
    with pytest.raises(DetectionsError, match=r"003\.tiff .*--mpp"):
        evaluate(folder, [*ROIS[:2], roi("003.tiff", [(50, 50)], mpp=None)])
    evaluate(folder, [ROIS[0], roi("002.tiff", mpp=None), ROIS[2]])


@pytest.mark.parametrize("mpp", [0.0, -0.25, math.inf, math.nan])
def test_mpp_that_is_none(folder: Path, mpp) -> None:
    with pytest.raises(DetectionsError, match="mpp"):
        evaluate(folder, ROIS, mpp=mpp)


# --- the field's answers ----------------------------------------------------------------------------------------------


def test_the_fields_detections_as_files_give_the_fields_counts(shared: Path, tmp_path: Path) -> None:
    parity = json.loads((shared / "parity" / "parity.json").read_text())
    rois = []
    for image in parity["images"]:
        rois.append(roi(image["file_name"], image["mitotic_figures_px"], scanner=image["scanner"], mpp=image["mpp"]))
        points = [(x, y, p, YES if p >= 0.642 else NO) for x, y, p in image["detections_px"]]
        write(tmp_path / f"{Path(image['file_name']).stem}.json", *points, mpp=image["mpp"])
    by_name = evaluate(tmp_path, rois)
    assert by_name.groups == evaluate(tmp_path, rois, threshold=0.642).groups
    assert set(by_name.groups) == set(parity["expected"])
    for name, group in by_name.groups.items():
        expected = parity["expected"][name]
        field = expected["at_threshold"]["0.642"]
        assert group.counts == Counts(field["tp"], field["fp"], field["fn"])
        assert group.ap50 == pytest.approx(expected["ap50"], abs=1e-6)
    assert np.isfinite([group.ap50 for group in by_name.groups.values()]).all()


def test_points_given_in_pixels_are_warned_of(folder: Path, caplog) -> None:
    write(folder / "001.json", (50, 50, 0.9, YES), (60, 60, 0.8, YES), mpp=1000)  # px taken for mm
    with caplog.at_level(logging.WARNING):
        evaluate(folder, [roi("001.tiff", [(50, 50)], width=100, height=100)])
    assert "2 of 2 points lie outside their image: are they mm" in caplog.text
