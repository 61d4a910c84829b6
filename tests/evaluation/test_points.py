"""Points of each ROI: where they lie, which of them count, and what they are matched with."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from midog.errors import DetectionsError, ImageError
from midog.evaluation.points import score_rois
from midog.metrics.counts import Counts, counts_at
from midog.mpp import Mpp, StatedMpp
from tests.evaluation.cases import NO, ROIS, YES, roi, total, write

# --- what counts


def test_points_named_mitotic_figure_count(folder: Path) -> None:
    scored = score_rois(folder, ROIS)
    assert [each.counts for each in scored] == [Counts(1, 1, 1), Counts(0, 1, 0), Counts(0, 0, 1)]
    assert [each.counted.tolist() for each in scored] == [[True, False, True], [True, False], []]


def test_with_a_threshold_all_points_from_it_up_count_whatever_their_name(folder: Path) -> None:
    assert total(score_rois(folder, ROIS, threshold=0.6)) == Counts(2, 1, 1)
    assert total(score_rois(str(folder), ROIS, threshold=0.0)) == Counts(2, 3, 1)
    assert total(score_rois(folder, ROIS, threshold=0.95)) == Counts(0, 0, 3)
    points = [each.points for each in score_rois(folder, ROIS)]
    for threshold in (0.0, 0.2, 0.25, 0.6, 0.7, 0.9, 1.0):
        assert total(score_rois(folder, ROIS, threshold=threshold)) == counts_at(points, threshold)


def test_all_points_are_kept_whether_they_count_or_not(folder: Path) -> None:
    one = score_rois(folder, ROIS[:1], threshold=0.8)[0]
    assert one.points.scores.tolist() == [0.9, 0.6, 0.7]
    np.testing.assert_allclose(one.points.truth_mm, [[0.025, 0.025], [0.075, 0.075]], rtol=1e-12)
    np.testing.assert_allclose(one.imposters_mm, [[0.05, 0.05]], rtol=1e-12)


def test_false_alarms_and_misses_are_told_by_their_place_among_all_points(tmp_path: Path) -> None:
    """The points that count are not the first ones, so a place among them is another place among
    all."""
    write(
        tmp_path / "001.json",
        (700, 700, 0.2, NO),
        (300, 300, 0.9, YES),  # the second figure's
        (200, 200, 0.8, YES),
        (100, 100, 0.4, NO),
        (310, 300, 0.7, YES),
    )
    one = score_rois(tmp_path, ROIS[:1])[0]
    assert one.false_alarms.tolist() == [2, 4]
    assert one.missed.tolist() == [0]
    assert (len(one.false_alarms), len(one.missed)) == (one.counts.fp, one.counts.fn)


def test_an_roi_without_detections_and_one_without_anything(tmp_path: Path) -> None:
    for name in ("001.json", "002.json"):
        write(tmp_path / name)
    full, empty = score_rois(tmp_path, ROIS[:2])
    assert (full.counts, empty.counts) == (Counts(0, 0, 2), Counts())
    assert (full.missed.tolist(), full.false_alarms.tolist()) == ([0, 1], [])
    assert (empty.missed.tolist(), empty.false_alarms.tolist()) == ([], [])


@pytest.mark.parametrize("threshold", [-0.1, 1.5, math.nan])
def test_threshold_out_of_range(folder: Path, threshold) -> None:
    with pytest.raises(DetectionsError, match="threshold"):
        score_rois(folder, ROIS, threshold=threshold)


def test_unlabelled_rois_cannot_be_scored(folder: Path) -> None:
    unlabelled = [roi(f"{number}.tiff", split="unlabelled") for number in range(151, 201)]
    with pytest.raises(
        DetectionsError, match=r"151\.tiff, .* \(50 in all\) have the role unlabelled"
    ):
        score_rois(folder, [*ROIS, *unlabelled])


def test_no_rois_are_an_error(folder: Path) -> None:
    with pytest.raises(DetectionsError, match="no ROIs"):
        score_rois(folder, [])


# --- um/px and mm2


def test_mpp_given_overrules_the_rois_own(tmp_path: Path) -> None:
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=0.5)
    one = [roi("001.tiff", [(400, 400)], mpp=0.25)]
    assert total(score_rois(tmp_path, one, mpp=0.5)) == Counts(1, 0, 0)
    assert total(score_rois(tmp_path, one)) == Counts(0, 1, 1)


def test_detections_in_boxes_to_ignore_count_neither_way(tmp_path: Path, caplog) -> None:
    spots = [(100, 100), (300, 300), (320, 320), (600, 600)]
    write(tmp_path / "001.json", *((x, y, 0.9, YES) for x, y in spots))
    region = np.array([[250, 250, 400, 400]], np.float32)
    plain = roi("001.tiff", [(100, 100), (330, 330)])
    assert total(score_rois(tmp_path, [plain])) == Counts(1 + 1, 2, 0)
    caplog.set_level("INFO")
    (scored,) = score_rois(tmp_path, [replace(plain, ignored=region)])
    # 300, 300 is out of the reach of 330, 330; 320, 320 is what that figure takes
    assert scored.counts == Counts(2, 1, 0)
    assert len(scored.points.detected_mm) == len(scored.counted) == 3
    assert "1 points lie in boxes to ignore and count neither as true nor false" in caplog.text
    assert total(
        score_rois(tmp_path, [replace(roi("001.tiff"), ignored=region)], threshold=0.5)
    ) == (Counts(0, 2, 0))


def test_mpp_of_each_roi_is_its_own(tmp_path: Path) -> None:
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=0.25)
    write(tmp_path / "002.json", (400, 400, 0.9, YES), mpp=0.5)
    two = [roi("001.tiff", [(400, 400)], mpp=0.25), roi("002.tiff", [(400, 400)], mpp=0.5)]
    assert total(score_rois(tmp_path, two)) == Counts(2, 0, 0)


def test_mpp_and_size_come_from_the_image_where_nothing_else_says_them(tmp_path: Path) -> None:
    image = tmp_path / "001.tiff"
    Image.new("RGB", (64, 32)).save(image, resolution=10_000 / 0.5, resolution_unit="cm")
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=0.5)
    one = score_rois(tmp_path, [roi("001.tiff", [(400, 400)], mpp=None, path=image)])[0]
    assert one.counts == Counts(1, 0, 0)
    assert one.mpp == pytest.approx((0.5, 0.5))
    assert one.area_mm2 == pytest.approx(0.032 * 0.016)


def test_points_of_an_image_of_unequal_px_are_scored_by_axis(tmp_path: Path) -> None:
    image = tmp_path / "001.tiff"
    cm = {"resolution": (10_000 / 0.25, 10_000 / 0.2524), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(image, np.zeros((32, 64, 3), np.uint8), photometric="rgb", **cm)
    far = [(7000, 300), (300, 5000), (7000, 5000)]
    points = [{"point": [x * 0.25 / 1000, y * 0.2524 / 1000, 0], "name": YES} for x, y in far]
    (tmp_path / "001.json").write_text(json.dumps({"type": "Multiple points", "points": points}))
    one = score_rois(tmp_path, [roi("001.tiff", far, mpp=None, path=image)])[0]
    assert one.counts == Counts(3, 0, 0)
    assert np.abs(one.points.truth_mm - one.points.detected_mm).max() < 1e-6
    assert one.area_mm2 == pytest.approx(64 * 0.25 * 32 * 0.2524 / 1e6)


def test_an_mpp_at_which_figures_are_hardly_seen_is_said(tmp_path: Path, caplog) -> None:
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=2.5)
    assert score_rois(tmp_path, [roi("001.tiff", [(400, 400)], mpp=2.5)])[0].counts == Counts(
        1, 0, 0
    )
    assert "001.tiff: at 2.5 um per px a match is within 3 px: is that its true" in caplog.text


def test_a_split_that_contradicts_the_image_is_said(tmp_path: Path, caplog) -> None:
    image = tmp_path / "001.tiff"
    Image.new("RGB", (64, 32)).save(image, resolution=10_000 / 0.25, resolution_unit="cm")
    write(tmp_path / "001.json", (400, 400, 0.9, YES), mpp=0.5)
    one = roi("001.tiff", [(400, 400)], mpp=0.5, path=image, width=64, height=32)
    assert score_rois(tmp_path, [one])[0].mpp == (0.5, 0.5)
    assert "001.tiff: 0.5 um per px, as given by you, the split or the annotation" in caplog.text


def test_an_image_that_cannot_be_opened_is_an_error_only_where_it_is_needed(tmp_path: Path) -> None:
    image = tmp_path / "001.tiff"
    image.write_bytes(b"no image")
    write(tmp_path / "001.json", (400, 400, 0.9, YES))
    with pytest.raises(ImageError):
        score_rois(tmp_path, [roi("001.tiff", [(400, 400)], mpp=None, path=image)])
    for one in (roi("001.tiff", [(400, 400)], path=image), roi("001.tiff", mpp=None, path=image)):
        assert math.isnan(score_rois(tmp_path, [one])[0].area_mm2)


def test_area_is_that_of_the_whole_image_at_its_um_per_px(folder: Path) -> None:
    sized = [roi("001.tiff", width=4000, height=2000), roi("002.tiff", width=100, height=None)]
    assert [each.area_mm2 for each in score_rois(folder, sized)] == pytest.approx(
        [0.5, math.nan], nan_ok=True
    )
    assert score_rois(folder, sized[:1], mpp=0.5)[0].area_mm2 == pytest.approx(2)


def test_without_um_per_px_an_roi_without_figures_has_no_area_and_false_alarms(
    folder: Path,
) -> None:
    one = score_rois(folder, [roi("002.tiff", [], [(10, 10)], mpp=None, width=100, height=100)])[0]
    assert one.mpp is None
    assert math.isnan(one.area_mm2)
    assert one.imposters_mm.shape == (
        0,
        2,
    ), "they are somewhere, but not where points in mm could be held to them"
    assert one.counts == Counts(0, 1, 0)


def test_no_mpp_is_an_error_that_asks_for_it_only_where_it_is_needed(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"003\.tiff: .*give mpp"):
        score_rois(folder, [*ROIS[:2], roi("003.tiff", [(50, 50)], mpp=None)])
    score_rois(folder, [ROIS[0], roi("002.tiff", mpp=None), ROIS[2]])


@pytest.mark.parametrize("mpp", [0.0, -0.25, math.inf, math.nan])
def test_mpp_that_is_none(folder: Path, mpp) -> None:
    with pytest.raises(ImageError, match="mpp"):
        score_rois(folder, ROIS, mpp=mpp)


def test_points_given_in_pixels_are_warned_of(folder: Path, caplog) -> None:
    write(folder / "001.json", (50, 50, 0.9, YES), (60, 60, 0.8, YES), mpp=1000)  # px taken for mm
    with caplog.at_level(logging.WARNING):
        score_rois(folder, [roi("001.tiff", [(50, 50)], width=100, height=100)])
    assert "2 of 2 points lie outside their image: are they mm" in caplog.text


# --- detections in px


def geojson(path: Path, *points: tuple[float, float, float, str]) -> None:
    """A file of QuPath: points (x px, y px, probability, class)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [x, y]},
            "properties": {
                "objectType": "detection",
                "classification": {"name": name, "color": [0, 0, 0]},
                "measurements": {"probability": score},
            },
        }
        for x, y, score, name in points
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def test_geojson_is_scored_as_the_same_points_in_mm(tmp_path: Path) -> None:
    rows = {
        "001": [(101, 100, 0.9, YES), (205, 200, 0.8, YES), (300, 299, 0.3, NO)],
        "002": [(10, 10, 0.7, YES)],
        "003": [],
    }
    for stem, points in rows.items():
        write(tmp_path / "mm" / f"{stem}.json", *points, mpp=0.25)
        geojson(tmp_path / "px" / f"{stem}.geojson", *points)
    for threshold in (None, 0.2):
        mm, px = (score_rois(tmp_path / name, ROIS, threshold=threshold) for name in ("mm", "px"))
        assert [one.counts for one in px] == [one.counts for one in mm]
        for one, other in zip(mm, px, strict=True):
            np.testing.assert_allclose(one.points.detected_mm, other.points.detected_mm, atol=1e-9)
            assert one.points.scores.tolist() == other.points.scores.tolist()
    # of two formats the first is read, and the second is its copy
    geojson(tmp_path / "mm" / "001.geojson")
    assert total(score_rois(tmp_path / "mm", ROIS)) == total(score_rois(tmp_path / "px", ROIS))


def test_px_of_an_image_of_unknown_mpp_cannot_be_scored(tmp_path: Path) -> None:
    geojson(tmp_path / "a.geojson", (10, 10, 0.9, YES))
    with pytest.raises(ImageError, match="unknown"):
        score_rois(tmp_path, [roi("a.tiff", mpp=None)])
    geojson(tmp_path / "a.geojson")
    (one,) = score_rois(tmp_path, [roi("a.tiff", mpp=None)])
    assert one.counts == Counts()


def test_px_of_a_slide_count_from_the_corner_of_its_bounds(tmp_path: Path, monkeypatch) -> None:
    from midog.evaluation import points

    slide = tmp_path / "a.mrxs"
    slide.touch()
    facts = ((4000, 3000), StatedMpp(Mpp.of(0.25)), (1000, 500))
    monkeypatch.setattr(points, "_facts_of", lambda path, changed_ns: facts)
    geojson(tmp_path / "det" / "a.geojson", (100, 200, 0.9, YES))
    (one,) = score_rois(tmp_path / "det", [roi("a.mrxs", [(1100, 700)], path=slide)])
    assert one.counts == Counts(1, 0, 0)
