"""The evaluation of a folder: every score of every group, intervals over patients, mistakes, and
what is undefined."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest

from midog.data.roi import Roi
from midog.errors import DetectionsError
from midog.evaluation.measures import MEASURES, compared
from midog.evaluation.points import score_rois
from midog.evaluation.result import MISTAKES
from midog.evaluation.scoring import evaluate
from midog.metrics import bootstrap
from midog.metrics.agreement import agreement
from midog.metrics.average_precision import average_precision
from midog.metrics.bootstrap import draw_weights, interval
from midog.metrics.calibration import reliability
from midog.metrics.counts import Counts, counts_at
from midog.metrics.froc import froc_auc, froc_curve
from midog.metrics.mistakes import MISS_DISTANCES, MISSED_BELOW, MISSED_TAKEN, MISSED_WHOLLY, MISSES
from midog.metrics.pooled_matches import matched_by_radius
from midog.metrics.sweep import sweep
from tests.evaluation.cases import NO, ROIS, YES, roi, total, write

SCANNERS, TUMOURS = ("XR", "CS2", "S360"), ("lung", "skin")


def scattered(folder: Path, count: int = 14, seed: int = 0) -> list[Roi]:
    """ROIs of six patients, three scanners and two tumours; most figures found, some twice, and
    false alarms."""
    rng, rois = np.random.default_rng(seed), []
    for number in range(count):
        figures = rng.uniform(50, 1950, (rng.integers(0, 7), 2))
        imposters = rng.uniform(50, 1950, (3, 2))
        detected = np.concatenate([figures[: len(figures) * 3 // 4], figures[:1], imposters[:1]])
        detected = np.concatenate(
            [detected + rng.normal(0, 8, detected.shape), rng.uniform(50, 1950, (2, 2))]
        )
        scores = rng.random(len(detected)).tolist()
        points = [
            (x, y, p, YES if p > 0.6 else NO) for (x, y), p in zip(detected, scores, strict=True)
        ]
        write(folder / f"{number}.json", *points)
        rois.append(
            roi(
                f"{number}.tiff",
                figures.tolist(),
                imposters.tolist(),
                SCANNERS[number % 3],
                width=2000,
                height=2000 + 100 * number,
                patient=f"p{number % 6}",
                columns={"tumour": TUMOURS[number // 3 % 2]},
            )
        )
    return rois


# --- groups


def test_counts_the_points_named_mitotic_figure(folder: Path) -> None:
    result = evaluate(folder, ROIS, resamples=0)
    assert result.threshold is None
    assert result.by == ("scanner",)
    assert list(result.groups) == ["all", "Hamamatsu XR", "Aperio CS2"]
    assert result.groups["all"].counts == Counts(1, 2, 2)
    assert result.groups["Hamamatsu XR"].counts == Counts(1, 2, 1)
    assert result.groups["Aperio CS2"].counts == Counts(0, 0, 1)
    whole = result.groups["all"]
    assert (whole.rois, whole.patients, whole.figures) == (3, 2, 3)


def test_with_a_threshold_all_points_from_it_up_count_whatever_their_name(folder: Path) -> None:
    result = evaluate(folder, ROIS, threshold=0.6, resamples=0)
    assert result.threshold == 0.6
    assert result.groups["all"].counts == Counts(2, 1, 1)


def test_nested_groups_and_their_counts_add_up(tmp_path: Path) -> None:
    result = evaluate(tmp_path, scattered(tmp_path), by="tumour,scanner", resamples=0)
    assert result.by == ("tumour", "scanner")
    assert list(result.groups) == [
        *["all", "lung", "lung / XR", "lung / CS2", "lung / S360"],
        *["skin", "skin / XR", "skin / CS2", "skin / S360"],
    ]
    for above, below in (
        ("all", TUMOURS),
        *((tumour, [f"{tumour} / {scanner}" for scanner in SCANNERS]) for tumour in TUMOURS),
        ("all", [f"{tumour} / {scanner}" for tumour in TUMOURS for scanner in SCANNERS]),
    ):
        whole, parts = result.groups[above], [result.groups[name] for name in below]
        assert sum((part.counts for part in parts), Counts()) == whole.counts
        for number in ("rois", "figures", "area_mm2"):
            assert sum(getattr(part, number) for part in parts) == pytest.approx(
                getattr(whole, number)
            )
        assert sum((Counter(part.mistakes) for part in parts), Counter()) == +Counter(
            whole.mistakes
        )
    assert dict(result.groups["skin / CS2"].keys) == {"tumour": "skin", "scanner": "CS2"}
    assert dict(result.rois[0].keys) == {"tumour": "lung", "scanner": "XR"}


def test_a_group_says_what_an_evaluation_of_its_rois_alone_says(tmp_path: Path) -> None:
    """Every number of it, intervals included."""
    rois = scattered(tmp_path)
    groups = evaluate(tmp_path, rois, threshold=0.5, resamples=60, seed=3).to_dict()["groups"]
    for scanner in SCANNERS:
        mine = [each for each in rois if each.scanner == scanner]
        alone = evaluate(tmp_path, mine, threshold=0.5, resamples=60, seed=3).to_dict()["groups"][
            "all"
        ]
        assert groups[scanner] == alone | {"keys": {"scanner": scanner}}


def test_scores_of_a_group_are_those_of_the_metrics_on_its_points(tmp_path: Path) -> None:
    rois = scattered(tmp_path)
    result = evaluate(tmp_path, rois, threshold=0.4, resamples=0)
    for name, group in result.groups.items():
        mine = [each for each in rois if name in ("all", each.scanner)]
        scored = score_rois(tmp_path, mine, threshold=0.4)
        points, area = [each.points for each in scored], sum(each.area_mm2 for each in scored)
        assert group.counts == counts_at(points, 0.4)
        for measure in ("precision", "recall", "f1"):
            assert group.values[measure] == getattr(group.counts, measure)
        assert group.values["ap50"] == average_precision(points)
        assert group.values["froc_auc"] == froc_auc(points)
        assert group.area_mm2 == pytest.approx(area)
        for ours, theirs in (
            (group.curve, sweep(points)),
            (group.froc, froc_curve(points, group.area_mm2)),
            (
                group.calibration,
                reliability(
                    np.concatenate([point.scores for point in points]),
                    matched_by_radius(points),
                ),
            ),
            (
                group.agreement,
                agreement(
                    [
                        len(each.truth_mm) / each_roi.area_mm2
                        for each, each_roi in zip(points, scored, strict=True)
                    ],
                    [each.counted.sum() / each.area_mm2 for each in scored],
                ),
            ),
        ):
            assert vars(ours).keys() == vars(theirs).keys()
            for key, value in vars(ours).items():
                np.testing.assert_array_equal(value, vars(theirs)[key], err_msg=f"{name} {key}")


def test_average_precision_and_froc_take_all_points_and_do_not_depend_on_the_threshold(
    folder: Path,
) -> None:
    groups = [evaluate(folder, ROIS, threshold=t, resamples=0).groups for t in (None, 0.5, 0.95)]
    # Hit, false alarm, hit of three figures: precision 1 up to recall 1/3, 2/3 up to 2/3, then 0.
    assert groups[0]["all"].values["ap50"] == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert [each["all"].values["ap50"] for each in groups] == [groups[0]["all"].values["ap50"]] * 3
    assert [each["all"].values["froc_auc"] for each in groups] == [
        groups[0]["all"].values["froc_auc"]
    ] * 3
    assert groups[0]["Aperio CS2"].values["ap50"] == groups[0]["Aperio CS2"].values["froc_auc"] == 0


def test_groups_by_any_column(folder: Path) -> None:
    assert list(evaluate(folder, ROIS, by="tumour", resamples=0).groups) == [
        "all",
        "lung",
        "unknown",
        "skin",
    ]
    by_patient = evaluate(folder, ROIS, by=["patient"], resamples=0).groups
    assert (by_patient["p1"].rois, by_patient["p1"].patients, by_patient["p1"].figures) == (2, 1, 3)


@pytest.mark.parametrize(
    ("by", "says"),
    [("stain", "no column 'stain'"), ("scanner,scanner", "twice"), ("scanner,", "names no column")],
)
def test_columns_that_cannot_be_are_errors_even_before_files_are_read(
    tmp_path: Path, by, says
) -> None:
    with pytest.raises(DetectionsError, match=says):
        evaluate(tmp_path / "nowhere", ROIS, by=by)


def test_a_group_named_all_is_refused(folder: Path) -> None:
    with pytest.raises(DetectionsError, match="'all'"):
        evaluate(folder, [roi("001.tiff", scanner="all")], resamples=0)


def test_no_rois_are_an_error(folder: Path) -> None:
    with pytest.raises(DetectionsError, match="there are no ROIs to score"):
        evaluate(folder, [])


# --- intervals


def test_intervals_are_the_seeds(tmp_path: Path) -> None:
    rois = scattered(tmp_path)
    one, again, other = (
        evaluate(tmp_path, rois, resamples=50, seed=seed).groups["all"] for seed in (1, 1, 2)
    )
    assert one.intervals == again.intervals
    assert one.intervals != other.intervals
    assert list(one.intervals) == list(MEASURES)
    for measure, each in one.intervals.items():
        np.testing.assert_equal([each.value, other.values[measure]], [one.values[measure]] * 2)
        if MEASURES[measure].part == "figure-free":
            assert math.isnan(each.low), "only one patient has such an ROI"
            continue
        assert each.low < each.high
        assert each.value < each.high
        assert each.low < each.value or measure == "ece", (
            "an error that cannot be below 0 grows with the noise"
        )


def two_patients(folder: Path) -> list[Roi]:
    """Patient a: an ROI with all of 4 figures found and one with none of 4; patient b: all of 2,
    and 1 of 2."""
    figures = [(100 + 200 * number, 100) for number in range(4)]
    rois = []
    for number, (patient, there, detected) in enumerate(
        [("a", 4, 4), ("a", 4, 0), ("b", 2, 2), ("b", 2, 1)]
    ):
        rois.append(roi(f"{number}.tiff", figures[:there], patient=patient))
        write(folder / f"{number}.json", *((x, y, 0.9, YES) for x, y in figures[:detected]))
    return rois


def test_patients_are_drawn_not_rois(tmp_path: Path) -> None:
    """Of two patients a quarter of the draws is a twice and a quarter b twice: those are the ends
    of the interval."""
    rois = two_patients(tmp_path)
    recall = evaluate(tmp_path, rois, resamples=400).groups["all"].intervals["recall"]
    assert (recall.low, recall.value, recall.high) == (4 / 8, 7 / 12, 3 / 4)
    alone = [
        roi(each.file_name, [(b[0] + 25, b[1] + 25) for b in each.boxes.xyxy]) for each in rois
    ]
    of_rois = evaluate(tmp_path, alone, resamples=400).groups["all"]
    assert of_rois.patients == 4, "an ROI without a named patient is one of its own"
    assert of_rois.intervals["recall"].low < 4 / 8
    assert of_rois.intervals["recall"].high > 3 / 4


def test_the_interval_is_that_of_counts_weighted_by_the_draws_of_patients(tmp_path: Path) -> None:
    rois = scattered(tmp_path)
    ours = evaluate(tmp_path, rois, resamples=80, seed=5).groups["all"].intervals["f1"]
    counts = np.array(
        [(c.tp, c.fp, c.fn) for c in (each.counts for each in score_rois(tmp_path, rois))]
    )
    tp, fp, fn = (draw_weights([each.patient for each in rois], 80, 5) @ counts).T
    assert ours == interval(total(score_rois(tmp_path, rois)).f1, 2 * tp / (2 * tp + fp + fn))


def test_every_interval_is_that_of_literally_resampled_rois(tmp_path: Path) -> None:
    """Each draw of patients as a list of ROIs that is scored as a whole: every figure of it."""
    rois = scattered(tmp_path)
    ours = evaluate(tmp_path, rois, resamples=25, seed=5).groups["all"]
    drawn: dict[str, list[float]] = {name: [] for name in ours.intervals}
    for row in draw_weights([each.patient for each in rois], 25, 5).tolist():
        again, folder = [], tmp_path / "drawn"
        for at, weight in enumerate(row):
            for copy in range(weight):
                stem = f"{at:02d}-{copy}"
                again.append(replace(rois[at], file_name=f"{stem}.tiff"))
                folder.mkdir(exist_ok=True)
                (folder / f"{stem}.json").write_bytes((tmp_path / f"{at}.json").read_bytes())
        whole = evaluate(folder, again, resamples=0).groups["all"]
        for name, values in drawn.items():
            values.append(whole.values[name])
        rmtree(folder)
    for name, each in ours.intervals.items():
        if MEASURES[name].part != "all":
            continue  # of patients of their own, see test_figure_free
        low, high = np.quantile(drawn[name], [0.025, 0.975])
        assert (each.low, each.high) == pytest.approx((low, high), rel=1e-9), name


def test_intervals_do_not_depend_on_how_many_draws_are_in_memory(tmp_path, monkeypatch) -> None:
    rois = scattered(tmp_path)
    whole = evaluate(tmp_path, rois, resamples=50, seed=1).groups
    monkeypatch.setattr(bootstrap, "_CELLS", 40)
    parts = evaluate(tmp_path, rois, resamples=50, seed=1).groups
    for name, group in whole.items():
        for key, limits in group.intervals.items():
            other = parts[name].intervals[key]
            expected = pytest.approx((limits.low, limits.high), rel=1e-12, nan_ok=True)
            assert (other.low, other.high) == expected


def test_no_resamples_no_intervals(folder: Path) -> None:
    result = evaluate(folder, ROIS, resamples=0)
    assert all(group.intervals == {} for group in result.groups.values())
    assert result.to_dict()["groups"]["all"]["intervals"] == {}
    with pytest.raises(DetectionsError, match=r"-1 resamples; give 0"):
        evaluate(folder, ROIS, resamples=-1)
    with pytest.raises(DetectionsError, match=r"20000000 resamples; give at most 100000"):
        evaluate(folder, ROIS, resamples=20_000_000)


def test_one_patient_alone_has_scores_but_no_interval(tmp_path: Path) -> None:
    rois = two_patients(tmp_path)
    group = evaluate(tmp_path, rois[:2], resamples=30).groups["all"]
    assert (group.patients, group.counts) == (1, Counts(4, 0, 4))
    for measure, each in group.intervals.items():
        np.testing.assert_array_equal(
            each.value, group.values[measure]
        )  # without an area some are NaN
        assert math.isnan(each.low)
        assert math.isnan(each.high)
    tree = evaluate(tmp_path, rois[:2], resamples=30).to_dict()
    assert tree["groups"]["all"]["recall"] == 0.5
    assert tree["groups"]["all"]["intervals"] == {name: [None, None] for name in MEASURES}
    json.dumps(tree, allow_nan=False)


# --- mistakes

# At 0.25 um/px 30 px are the 7.5 um of a hit and 100 px the 25 um near an imposter.
MIXED = roi(
    "m.tiff",
    [(100, 100), (500, 500), (900, 900), (1300, 1300)],
    [(2000, 1000)],
    "XR",
    patient="p1",
    width=4000,
    height=2000,
)
MIXED_POINTS = [
    (103, 100, 0.9, YES),  # the first figure's
    (110, 110, 0.7, YES),  # the first figure's too, but it has one
    (2000, 1010, 0.8, YES),  # the imposter
    (2060, 1000, 0.55, YES),  # 15 um from the imposter
    (3000, 1500, 0.5, YES),  # nothing there
    (505, 500, 0.3, NO),  # the second figure's
    (510, 500, 0.2, NO),  # its too
    (905, 900, 0.95, NO),  # the third figure's, but not named so
]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    write(tmp_path / "m.json", *MIXED_POINTS)
    return tmp_path


ALARMS = [
    ("double", 110, 110, 0.7),
    ("imposter", 2000, 1010, 0.8),
    ("near imposter", 2060, 1000, 0.55),
    ("nothing", 3000, 1500, 0.5),
]


def test_mistakes_by_kind_and_place_with_points_taken_by_name(mixed: Path) -> None:
    result = evaluate(mixed, [MIXED], resamples=0)
    assert result.groups["all"].counts == Counts(1, 4, 3)
    expected = [
        *ALARMS,
        (MISSED_BELOW, 500, 500, 0.3),
        (MISSED_BELOW, 900, 900, 0.95),
        (MISSED_WHOLLY, 1300, 1300, math.nan),
    ]
    assert [each.kind for each in result.mistakes] == [kind for kind, *_ in expected]
    places = [(each.x_px, each.y_px, each.score) for each in result.mistakes]
    np.testing.assert_allclose(places, [rest for _, *rest in expected], rtol=1e-9)
    assert {each.file_name for each in result.mistakes} == {"m.tiff"}
    assert [dict(each.keys) for each in result.mistakes] == [{"scanner": "XR"}] * 7
    assert result.groups["all"].mistakes == {
        "imposter": 1,
        "near imposter": 1,
        "double": 1,
        "nothing": 1,
        MISSED_BELOW: 2,
        MISSED_TAKEN: 0,
        MISSED_WHOLLY: 1,
    }
    assert result.groups["all"].misses_by_distance == dict.fromkeys(MISS_DISTANCES, 0) | {
        "0.1 to 0.25": 1,  # 0.3, of 0.5
        "other name": 1,
        "not found at all": 1,
    }


def test_mistakes_change_with_what_counts(mixed: Path) -> None:
    result = evaluate(mixed, [MIXED], threshold=0.5, resamples=0)
    assert result.groups["all"].counts == Counts(2, 4, 2)
    assert [each.kind for each in result.mistakes] == [
        *(kind for kind, *_ in ALARMS),
        MISSED_BELOW,
        MISSED_WHOLLY,
    ]
    low = evaluate(mixed, [MIXED], threshold=0.0, resamples=0)
    assert low.groups["all"].counts == Counts(3, 5, 1)
    assert low.groups["all"].mistakes[MISSED_BELOW] == 0, "nothing is below"
    assert low.groups["all"].mistakes["double"] == 2
    given = evaluate(mixed, [MIXED], threshold=0.6, resamples=0).groups["all"].misses_by_distance
    assert {name: number for name, number in given.items() if number} == {
        "over 0.25": 1,
        "not found at all": 1,
    }


def test_mistakes_say_how_far_they_are_from_the_threshold(mixed: Path) -> None:
    given = evaluate(mixed, [MIXED], threshold=0.6, resamples=0)
    distances = {(each.kind, each.x_px): each.to_threshold for each in given.mistakes}
    assert distances["double", 110.0] == pytest.approx(0.1)
    assert distances[MISSED_BELOW, 500.0] == pytest.approx(-0.3)
    assert math.isnan(distances[MISSED_WHOLLY, 1300.0])
    named = evaluate(mixed, [MIXED], resamples=0)  # the lowest that counts is 0.5
    assert [
        each.to_threshold for each in named.mistakes if each.kind == MISSED_BELOW
    ] == pytest.approx([-0.2, 0.45])


def test_a_point_that_another_figure_took_is_said_to_be(tmp_path: Path) -> None:
    """Two figures 20 px apart, one point between them that counts: the second figure was found, but
    only as the first.

    With a point that does not count as well, a lower threshold would find it.
    """
    rois = [roi("1.tiff", [(100, 100), (120, 100)])]
    write(tmp_path / "1.json", (110, 100, 0.9, YES), (500, 500, 0.6, YES))
    result = evaluate(tmp_path, rois, resamples=0)
    missed = result.mistakes[-1]
    assert (missed.kind, missed.x_px, missed.score) == (MISSED_TAKEN, pytest.approx(120), 0.9)
    assert missed.to_threshold == pytest.approx(0.3)
    assert result.groups["all"].misses_by_distance["its point went to another figure"] == 1
    write(tmp_path / "1.json", (110, 100, 0.9, YES), (500, 500, 0.6, YES), (125, 100, 0.57, NO))
    result = evaluate(tmp_path, rois, resamples=0)
    assert (result.mistakes[-1].kind, result.mistakes[-1].score) == (MISSED_BELOW, 0.57)
    assert result.groups["all"].misses_by_distance["up to 0.05"] == 1


def test_where_nothing_counts_every_point_beside_a_miss_has_another_name(tmp_path: Path) -> None:
    write(tmp_path / "1.json", (100, 100, 0.4, NO))
    whole = evaluate(tmp_path, [roi("1.tiff", [(100, 100)])], resamples=0).groups["all"]
    assert whole.misses_by_distance == dict.fromkeys(MISS_DISTANCES, 0) | {"other name": 1}


@pytest.mark.parametrize("threshold", [None, 0.0, 0.3, 0.8])
def test_kinds_sum_to_the_false_positives_and_the_misses(tmp_path: Path, threshold) -> None:
    result = evaluate(
        tmp_path, scattered(tmp_path), by="tumour,scanner", threshold=threshold, resamples=0
    )
    for group in result.groups.values():
        assert tuple(group.mistakes) == MISTAKES
        misses = sum(group.mistakes[kind] for kind in MISSES)
        assert misses == group.counts.fn
        assert tuple(group.misses_by_distance) == MISS_DISTANCES
        assert sum(group.misses_by_distance.values()) == misses
        assert group.misses_by_distance["not found at all"] == group.mistakes[MISSED_WHOLLY]
        assert (
            group.misses_by_distance["its point went to another figure"]
            == group.mistakes[MISSED_TAKEN]
        )
        assert sum(group.mistakes.values()) - misses == group.counts.fp
    assert dict(Counter(each.kind for each in result.mistakes)) == +Counter(
        result.groups["all"].mistakes
    )
    assert all(each.file_name in {row.file_name for row in result.rois} for each in result.mistakes)


def test_a_mistake_lies_at_its_pixel_whatever_the_um_per_px(tmp_path: Path) -> None:
    rois = [roi("1.tiff", [(100, 200)], mpp=0.5), roi("2.tiff", mpp=0.2)]
    write(tmp_path / "1.json", (700, 300, 0.9, YES), mpp=0.5)
    write(tmp_path / "2.json", (70, 30, 0.9, YES), mpp=0.2)
    places = [(each.x_px, each.y_px) for each in evaluate(tmp_path, rois, resamples=0).mistakes]
    np.testing.assert_allclose(places, [(700, 300), (100, 200), (70, 30)], rtol=1e-6)


def test_a_false_alarm_where_the_um_per_px_are_not_known_has_no_place_in_pixels(
    folder: Path,
) -> None:
    mistake = evaluate(folder, [roi("002.tiff", mpp=None)], resamples=0).mistakes[0]
    assert (mistake.kind, mistake.score) == ("nothing", 0.3)
    assert math.isnan(mistake.x_px)
    assert math.isnan(mistake.y_px)


# --- densities and calibration


def test_densities_and_agreement_by_hand(tmp_path: Path) -> None:
    """4 figures and 5 points on 1 mm2, 2 and 1 on 0.5 mm2, none and 2 on 2 mm2."""
    rois = []
    for number, (figures, detected, height) in enumerate(
        [(4, 5, 4000), (2, 1, 2000), (0, 2, 8000)]
    ):
        places = [(500 * (1 + each), 500) for each in range(5)]
        rois.append(roi(f"{number}.tiff", places[:figures], width=4000, height=height))
        write(
            tmp_path / f"{number}.json",
            *((x, y, 0.9, YES) for x, y in places[:detected]),
            (9, 9, 0.1, NO),
        )
    result = evaluate(tmp_path, rois, resamples=0)
    assert [each.figures_per_mm2 for each in result.rois] == pytest.approx([4, 4, 0])
    assert [each.found_per_mm2 for each in result.rois] == pytest.approx([5, 2, 1])
    whole = result.groups["all"]
    assert whole.area_mm2 == pytest.approx(3.5)
    spread = math.sqrt((1 + 4 + 1) / 2)  # of +1, -2, +1
    assert whole.agreement.rois == 3
    assert whole.agreement.spearman == pytest.approx(
        math.sqrt(3) / 2
    )  # ranks 2.5 2.5 1 against 3 2 1
    assert whole.agreement.bias == pytest.approx(0, abs=1e-12)
    assert (whole.agreement.low, whole.agreement.high) == pytest.approx(
        (-1.96 * spread, 1.96 * spread)
    )
    tree = result.to_dict()["groups"]["all"]
    assert whole.counts == Counts(5, 3, 1)
    for key, value in {
        "fp_per_roi": 1,
        "fp_per_mm2": 3 / 3.5,
        "figures_per_mm2": 6 / 3.5,
        "found_per_mm2": 8 / 3.5,
        "figures_per_2mm2": 12 / 3.5,
        "found_per_2mm2": 16 / 3.5,
    }.items():
        assert tree[key] == pytest.approx(value), key


def test_an_unknown_size_makes_densities_null_and_leaves_the_roi_out_of_the_agreement(
    folder: Path,
) -> None:
    sizes = [(800, 500), (800, 500), (None, None)]
    rois = [
        roi(
            each.file_name,
            [(b[0] + 25, b[1] + 25) for b in each.boxes.of_class(1)],
            width=w,
            height=h,
        )
        for each, (w, h) in zip(ROIS, sizes, strict=True)
    ]
    result = evaluate(folder, rois, by="file_name", resamples=0)
    assert result.groups["all"].agreement.rois == 2
    tree = result.to_dict()
    json.dumps(tree, allow_nan=False)
    for name in ("all", "003.tiff"):
        for key in (
            "area_mm2",
            "fp_per_mm2",
            "figures_per_mm2",
            "found_per_mm2",
            "figures_per_2mm2",
        ):
            assert tree["groups"][name][key] is None, (name, key)
        assert set(tree["groups"][name]["curve"]["fp_per_mm2"]) <= {None}
    assert tree["groups"]["all"]["fp_per_roi"] == pytest.approx(2 / 3)
    assert tree["groups"]["001.tiff"]["figures_per_mm2"] == pytest.approx(2 / 0.025)
    assert tree["groups"]["003.tiff"]["agreement"] == {
        "rois": 0,
        **dict.fromkeys(("spearman", "icc", "bias", "sd", "low", "high")),
    }
    assert tree["rois"][2]["figures_per_mm2"] is None


def test_calibration_is_of_hits_at_each_score_by_hand(mixed: Path) -> None:
    calibration = evaluate(mixed, [MIXED], resamples=0).groups["all"].calibration
    assert calibration.count.tolist() == [0, 0, 1, 1, 0, 2, 0, 1, 1, 2]
    none = math.nan
    np.testing.assert_array_equal(calibration.hit_share, [none, none, 0, 1, none, 0, none, 0, 0, 1])
    # 0.2 misses, 0.3 is a hit, 0.5 and 0.55, 0.7, 0.8 miss, 0.9 and 0.95 are hits
    assert calibration.ece == pytest.approx((0.2 + 0.7 + 2 * 0.525 + 0.7 + 0.8 + 2 * 0.075) / 8)


# --- what is undefined

NOT_WITHOUT_FIGURES = ("recall", "f1", "ap50", "froc_auc", "oracle_f1", "threshold_loss")


def test_a_scanner_without_figures_has_counts_and_precision_and_no_recall(folder: Path) -> None:
    rois = [
        *ROIS,
        roi("004.tiff", scanner="S360", patient="p3"),
        roi("005.tiff", scanner="S360", patient="p4"),
    ]
    write(folder / "004.json", (10, 10, 0.9, YES))
    write(folder / "005.json", (10, 10, 0.8, YES))
    result = evaluate(folder, rois, resamples=40)
    group = result.groups["S360"]
    assert group.counts == Counts(0, 2, 0)
    assert group.counts.precision == 0
    assert all(math.isnan(group.values[measure]) for measure in NOT_WITHOUT_FIGURES)
    tree = result.to_dict()["groups"]["S360"]
    assert [tree[measure.key] for measure in compared()] == [0, None, None, None, None]
    assert tree["intervals"]["precision"] == [0, 0]
    assert all(tree["intervals"][measure] == [None, None] for measure in NOT_WITHOUT_FIGURES)
    assert tree["curve"]["recall"] == [None, None]
    assert tree["mistakes"]["nothing"] == 2
    json.dumps(tree, allow_nan=False)


def test_an_roi_without_detections_is_missed_not_left_out(folder: Path) -> None:
    group = evaluate(folder, ROIS, resamples=40).groups["Aperio CS2"]
    assert group.counts == Counts(0, 0, 1)
    assert math.isnan(group.counts.precision)
    assert (
        group.counts.recall
        == group.counts.f1
        == group.values["ap50"]
        == group.values["froc_auc"]
        == 0
    )
    assert group.mistakes == dict.fromkeys(MISTAKES, 0) | {MISSED_WHOLLY: 1}
    assert math.isnan(group.calibration.ece)
    assert len(group.curve.thresholds) == len(group.froc.recall) == 0


@pytest.mark.parametrize("figures", [[(100, 100)], []])
def test_no_detections_at_all(tmp_path: Path, figures) -> None:
    rois = [
        roi(f"{number}.tiff", figures, patient=f"p{number}", width=100, height=100)
        for number in range(3)
    ]
    result = evaluate(tmp_path, rois, threshold=0.5, allow_missing=True, resamples=40)
    group, zero = result.groups["all"], 0.0 if figures else math.nan
    assert group.counts == Counts(0, 0, 3 * len(figures))
    np.testing.assert_array_equal(
        [group.values[measure.key] for measure in compared()], [math.nan, zero, zero, zero, zero]
    )
    for measure in [measure.key for measure in compared()][1:]:
        each = group.intervals[measure]
        np.testing.assert_array_equal([each.low, each.high], [zero, zero])
    assert math.isnan(group.intervals["precision"].low)
    json.dumps(result.to_dict(), allow_nan=False)
    assert len(result.to_csv().splitlines()) == 4


def test_an_roi_without_figures_and_points_is_undefined_in_every_ratio(tmp_path: Path) -> None:
    write(tmp_path / "1.json")
    tree = evaluate(tmp_path, [roi("1.tiff")], resamples=10).to_dict()["groups"]["all"]
    assert [tree[count] for count in ("tp", "fp", "fn", "figures")] == [0, 0, 0, 0]
    assert [tree[measure.key] for measure in compared()] == [None] * 5
    assert tree["fp_per_roi"] == 0


# --- the field's answers


def test_the_fields_detections_as_files_give_the_fields_counts(
    shared: Path, tmp_path: Path
) -> None:
    parity = json.loads((shared / "parity" / "parity.json").read_text())
    rois = []
    for image in parity["images"]:
        rois.append(
            roi(
                image["file_name"],
                image["mitotic_figures_px"],
                scanner=image["scanner"],
                mpp=image["mpp"],
            )
        )
        points = [(x, y, p, YES if p >= 0.642 else NO) for x, y, p in image["detections_px"]]
        write(tmp_path / f"{Path(image['file_name']).stem}.json", *points, mpp=image["mpp"])
    by_name = evaluate(tmp_path, rois, resamples=0)
    by_score = evaluate(tmp_path, rois, threshold=0.642, resamples=0)
    assert by_name.to_dict()["groups"] == by_score.to_dict()["groups"]
    assert list(map(repr, by_name.mistakes)) == list(
        map(repr, by_score.mistakes)
    )  # NaN equals no NaN
    assert set(by_name.groups) == set(parity["expected"])
    for name, group in by_name.groups.items():
        expected = parity["expected"][name]
        field = expected["at_threshold"]["0.642"]
        assert group.counts == Counts(field["tp"], field["fp"], field["fn"])
        assert group.values["ap50"] == pytest.approx(expected["ap50"], abs=1e-6)
        assert group.values["froc_auc"] == pytest.approx(expected["froc_auc_0_8"], abs=1e-6)
    per_roi = [(row.counts.tp, row.counts.fp, row.counts.fn) for row in by_name.rois]
    assert per_roi == [
        tuple(each)
        for each in parity["expected"]["all"]["at_threshold"]["0.642"]["per_image_tp_fp_fn"]
    ]
